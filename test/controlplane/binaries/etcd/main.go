// The etcd command is the etcd server, built from its Go module so that tests
// can run it as a process.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
