package controlplane

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// KubeconfigFor returns the path of a new kubeconfig file for the owner of a
// bearer token. Stop removes the file.
func (c *ControlPlane) KubeconfigFor(token string) (path string, err error) {
	config := c.Config()
	const name = "test"
	file := clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{name: {
			Server:                   config.Host,
			TLSServerName:            config.ServerName,
			InsecureSkipTLSVerify:    config.Insecure,
			CertificateAuthority:     config.CAFile,
			CertificateAuthorityData: config.CAData,
		}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {Token: token}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}
	path = filepath.Join(c.dir, fmt.Sprintf("kubeconfig-%d.yaml", c.files.Add(1)))
	if err := clientcmd.WriteToFile(file, path); err != nil {
		return "", fmt.Errorf("writing a kubeconfig file: %w", err)
	}
	return path, nil
}

// Kubectl runs kubectl as the administrator and returns what it prints. An error
// has in it what kubectl says to it. The program is built if need be.
func (c *ControlPlane) Kubectl(ctx context.Context, args ...string) (stdout string, err error) {
	var binaries Binaries
	if c.own != nil {
		binaries = c.own.binaries
	} else if binaries, err = Build(ctx); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, binaries.Kubectl, args...)
	// Settings of the user must not matter, and what kubectl learns of this
	// cluster is to go with it. The path is for the plugins of credentials.
	cmd.Env = []string{"KUBECONFIG=" + c.kubeconfig, "HOME=" + c.dir, "PATH=" + os.Getenv("PATH"), "KUBERC=off"}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := runProcess(cmd); err != nil {
		return out.String(), fmt.Errorf("running kubectl %q: %w: %s", args, err, bytes.TrimSpace(errs.Bytes()))
	}
	return out.String(), nil
}
