// Package controlplane runs a real Kubernetes API server and its etcd for tests:
// as processes of the test, built from Go modules, without a cluster, root or a
// container engine. There is no kubelet and there are no controllers:
//
//   - A test writes the status of its objects itself; see [ControlPlane.Apply].
//   - A deleted namespace never goes away, nor does what it holds, and objects
//     outlive their owner.
//   - The aggregated cluster roles view, edit and admin grant nothing.
//   - Namespaces have no default service account.
//
// A package of tests starts one control plane and keeps its tests apart by
// namespaces:
//
//	control, err := controlplane.Start(ctx, controlplane.Options{})
//	...
//	defer control.Stop()
//	crds, err := controlplane.GatewayAPICRDs("standard")
//	...
//	err = control.InstallCRDs(ctx, crds...)
//
// With [ClusterVariable] set the same tests run against any other cluster.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// ClusterVariable names the environment variable with the path of a kubeconfig
// file. If it is set, Start starts nothing and uses that cluster, as the user
// of the current context, who must be an administrator.
const ClusterVariable = "KUBECONFIG_E2E"

// ErrNotOwned is the reason why something cannot be done to a cluster that was
// not started here. Tests skip on it: the tested thing needs processes of our
// own.
var ErrNotOwned = errors.New("the cluster of " + ClusterVariable + " is not ours: unset the variable for this")

// Options are the settings of Start. The zero value is a usable one.
type Options struct {
	// APIServerArgs are added to the flags of kube-apiserver. They need a control
	// plane of our own: with ClusterVariable set Start returns ErrNotOwned.
	APIServerArgs []string
}

// A ControlPlane is a running API server. Its methods may be called
// concurrently. It runs until Stop is called or, on Linux, the test process
// ends in any way.
type ControlPlane struct {
	dir        string // of the data and logs; removed by Stop
	kubeconfig string
	config     *rest.Config
	files      atomic.Int64 // number of kubeconfig files made by KubeconfigFor
	keep       atomic.Bool

	own *ownServers // nil if the cluster is not ours
}

// ownServers are the processes of a control plane that was started here.
type ownServers struct {
	binaries Binaries
	key      *signingKey
	args     []string // flags of kube-apiserver

	mu        sync.Mutex // guards the servers
	etcd      *server
	apiserver *server
}

// Start starts a control plane and returns when it is ready. It builds the
// programs first if that has not been done before; see [Build]. The context is
// for the start only. On an error nothing is left running.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	const attempts = 3 // for ports that another process takes before us
	var c *ControlPlane
	var err error
	for range attempts {
		c, err = start(ctx, options)
		if !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("starting the control plane: %w", err)
	}
	return c, nil
}

// start is one attempt of Start.
func start(ctx context.Context, options Options) (*ControlPlane, error) {
	dir, err := os.MkdirTemp("", "kubevitals-controlplane-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the data and logs: %w", err)
	}
	c := &ControlPlane{dir: dir}
	if path := os.Getenv(ClusterVariable); path != "" {
		err = c.useCluster(path, options)
	} else {
		err = c.startOwn(ctx, options)
	}
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// useCluster makes c the cluster of the kubeconfig file at path.
func (c *ControlPlane) useCluster(path string, options Options) error {
	if len(options.APIServerArgs) > 0 {
		return fmt.Errorf("setting flags of kube-apiserver: %w", ErrNotOwned)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("finding the file of %s: %w", ClusterVariable, err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return fmt.Errorf("reading %s of %s: %w", path, ClusterVariable, err)
	}
	config.QPS = -1 // no limit
	c.kubeconfig, c.config = path, config
	return nil
}

// startOwn makes c a control plane of our own and starts it.
func (c *ControlPlane) startOwn(ctx context.Context, options Options) error {
	binaries, err := Build(ctx)
	if err != nil {
		return err
	}
	key, err := newSigningKey()
	if err != nil {
		return err
	}
	c.own = &ownServers{binaries: binaries, key: key}
	endpoint, err := c.startEtcd(ctx)
	if err != nil {
		return err
	}
	if err := c.prepareAPIServer(endpoint, options.APIServerArgs); err != nil {
		return err
	}
	if err := c.StartAPIServer(ctx); err != nil {
		return err
	}
	// The server has made its certificate by now. Copies of the settings must
	// not depend on the file.
	if err := rest.LoadTLSFiles(c.config); err != nil {
		return fmt.Errorf("reading the API server's certificate: %w", err)
	}
	c.config.CAFile = ""
	c.kubeconfig, err = c.KubeconfigFor(c.config.BearerToken)
	return err
}

// Keep makes Stop leave the folder with the data and the logs of the control
// plane, for a look after a failed test, and returns its path.
func (c *ControlPlane) Keep() string {
	c.keep.Store(true)
	return c.dir
}

// Stop ends the processes that were started here and removes their files. The
// control plane must not be used any more. It is no error to call it twice.
func (c *ControlPlane) Stop() error {
	var errs []error
	if c.own != nil {
		c.own.mu.Lock()
		defer c.own.mu.Unlock()
		for _, running := range []*server{c.own.apiserver, c.own.etcd} {
			if running != nil {
				errs = append(errs, running.kill())
			}
		}
	}
	if !c.keep.Load() {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stopping the control plane: %w", err)
	}
	return nil
}

// Config returns the settings of a client that may do everything and whose
// requests are not limited. It is the caller's to change.
func (c *ControlPlane) Config() *rest.Config { return rest.CopyConfig(c.config) }

// Kubeconfig returns the path of a kubeconfig file of the same client.
func (c *ControlPlane) Kubeconfig() string { return c.kubeconfig }

// UserAgent is what this package calls itself to the API server, for a test to
// leave its requests out of [ControlPlane.Requests].
const UserAgent = "kubevitals-controlplane"

// harnessConfig returns the settings of the clients of this package.
func (c *ControlPlane) harnessConfig() *rest.Config {
	config := c.Config()
	config.UserAgent = UserAgent
	config.Timeout = time.Minute
	config.WarningHandler = rest.NoWarnings{} // about deprecated versions, all of which are asked for
	return config
}

// client returns a client of this package.
func (c *ControlPlane) client() (kubernetes.Interface, error) {
	client, err := kubernetes.NewForConfig(c.harnessConfig())
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return client, nil
}
