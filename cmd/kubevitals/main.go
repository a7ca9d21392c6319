// Command kubevitals turns what a Kubernetes cluster can tell about itself into
// metrics.
package main

import (
	"os"

	"github.com/kubevitals/kubevitals/internal/cli"
)

func main() {
	os.Exit(cli.MainAs(os.Args[0], os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
