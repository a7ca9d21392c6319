package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Streams are the standard streams of a command.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main is MainAs for a program called kubevitals.
func Main(args []string, streams Streams) int {
	return MainAs("kubevitals", args, streams)
}

// MainAs runs the command line of a program and returns the exit code of the
// process: 0 when all went well or the process was asked to stop, 1 otherwise.
// The name by which the program was called decides which command line it has.
func MainAs(program string, args []string, streams Streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for {
		root := rootOf(program, streams)
		root.SetArgs(args)
		err := root.ExecuteContext(ctx)
		switch {
		case err == nil:
			return 0
		case !errors.Is(err, errAppeared):
			_, _ = fmt.Fprintf(streams.Err, "%s: %s\n", root.Name(), plainFlags(err.Error()))
			return 1
		}
	}
}

var (
	flagsApart    = regexp.MustCompile(`^if any flags in the group \[.*\] are set none of the others can be; \[(.*)\] were all set$`)
	flagsTogether = regexp.MustCompile(`^if any flags in the group \[.*\] are set they must all be set; missing \[(.*)\]$`)
)

// plainFlags says in plain words what cobra says about flags that exclude or need
// each other, and anything else as it is.
func plainFlags(text string) string {
	list := func(names string) string {
		out := strings.Fields(names)
		for i, name := range out {
			if out[i] = "--" + name; len(name) == 1 {
				out[i] = "-" + name
			}
		}
		return strings.Join(out, " and ")
	}
	if m := flagsApart.FindStringSubmatch(text); m != nil {
		return list(m[1]) + " exclude each other: give one of them"
	}
	if m := flagsTogether.FindStringSubmatch(text); m != nil {
		return "it needs " + list(m[1]) + " as well"
	}
	return text
}

// Root returns the command line as a tree of commands.
func Root(streams Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubevitals",
		Short: "Metrics out of a Kubernetes cluster",
		Long: `Kubevitals turns what a Kubernetes cluster can tell about itself into metrics.

See it work without a cluster:

  kubevitals demo

Serve the state of the cluster your kubeconfig points to:

  kubevitals state

Serve the metrics of many of its pods as one:

  kubevitals pods --selector app=web`,
	}
	root.Version = currentVersion()
	prepare(root, streams)
	root.AddCommand(newStateCommand(false), newPodsCommand(), newDemo(), newEval(), newExplain(), newLint(), newTest(), newRBAC(), newManifests(), newVersion())
	return root
}

// prepare gives a root command its streams, and errors that are printed once.
func prepare(root *cobra.Command, streams Streams) {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w (%s --help lists the flags)", err, cmd.CommandPath())
	})
}
