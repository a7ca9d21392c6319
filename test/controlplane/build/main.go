// The build command builds the programs of the tests' control plane ahead of
// the tests and prints where they are. Nothing is built twice.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/kubevitals/kubevitals/test/controlplane"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	binaries, err := controlplane.Build(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
	fmt.Printf("%s\n%s\n%s\n", binaries.Etcd, binaries.APIServer, binaries.Kubectl)
}
