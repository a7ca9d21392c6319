package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Streams are the standard streams of a command.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs the command line and returns the exit code of the process: 0 when
// all went well or the process was asked to stop, 1 otherwise.
func Main(args []string, streams Streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := Root(streams)
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		_, _ = fmt.Fprintf(streams.Err, "kubevitals: %v\n", err)
		return 1
	}
	return 0
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

  kubevitals state`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w (%s --help lists the flags)", err, cmd.CommandPath())
	})
	root.AddCommand(newState(), newDemo(), newEval(), newTest(), newVersion())
	return root
}
