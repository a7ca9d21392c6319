// Package deploy holds how Kubevitals is installed: a Helm chart, which the program
// carries to print manifests of it, and what is made of it for kustomize.
package deploy

import (
	"embed"
	"io/fs"
)

//go:embed all:chart
var files embed.FS

// Chart returns the files of the Helm chart but for those of the catalogs, which
// the chart of the tree has under files/catalog by a symbolic link.
func Chart() fs.FS {
	chart, err := fs.Sub(files, "chart")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return chart
}
