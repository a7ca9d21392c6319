// The kubectl command is Kubernetes' command line client, built from its Go
// module so that tests can run it against a cluster.
package main

import (
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		// CheckErr prints the error the way kubectl does and exits.
		util.CheckErr(err)
	}
}
