package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubevitals/kubevitals/catalog"
)

// ksmName is the name of kube-state-metrics' program.
const ksmName = "kube-state-metrics"

// rootOf returns the command line of the program of a name: that of
// kube-state-metrics or metrics-k8s-proxy if it is called so, by a link or in an
// image that takes the place of that tool's.
func rootOf(program string, streams Streams) *cobra.Command {
	switch name := filepath.Base(program); name {
	case ksmName:
		return ksmRoot(streams)
	case proxyName, proxyLongName:
		return proxyRoot(name, streams)
	default:
		return Root(streams)
	}
}

// ksmRoot returns the command line of kube-state-metrics: that of the command
// state, with the commands that are beside it there.
func ksmRoot(streams Streams) *cobra.Command {
	root := newStateCommand(true)
	root.Use = ksmName
	root.Short = "Serve custom resources as metrics, in the place of kube-state-metrics"
	root.Long = `Serve the state of custom resources as metrics. This is Kubevitals, called by the
name of kube-state-metrics: the flags and defaults are that tool's, and those of
"kubevitals state" are there as well.`
	root.Example = `  kube-state-metrics --custom-resource-state-only --custom-resource-state-config-file crs.yaml`
	root.Version = currentVersion()
	root.Flags().Lookup("catalog").Usage = "built-in rules to use as well: " + strings.Join(catalog.Names(), ", ")
	prepare(root, streams)
	root.AddCommand(newVersion())
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Aliases = []string{"comp", "c"}
		}
	}
	return root
}

// errAppeared says that a file is there now that was not when it was needed.
var errAppeared = errors.New("a file of the configuration has appeared")

// untilAppears returns a context that ends when one of the files exists, with
// errAppeared as its cause.
func untilAppears(ctx context.Context, files []string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for len(files) > 0 {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for _, file := range files {
				if _, err := os.Stat(file); err == nil {
					cancel(errAppeared)
				}
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}
