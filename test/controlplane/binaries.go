package controlplane

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// CacheVariable names the environment variable with the folder to keep the
// built programs in, instead of kubevitals below the user's cache folder.
const CacheVariable = "KUBEVITALS_CACHE"

// programs are the packages of the module in the folder binaries.
var programs = []string{"etcd", "kube-apiserver", "kubectl"}

// Binaries are the paths of the built programs.
type Binaries struct {
	Etcd, APIServer, Kubectl string
}

// Build returns the programs of the control plane and builds them first where
// no earlier call, in this process or another, has done so. They are kept by
// the versions they are built of and by the Go version. Calls may overlap: all
// but one wait for that one. A cold build takes minutes, so ctx should allow
// for that. A failed or cancelled build leaves nothing that a later call takes
// for built.
func Build(ctx context.Context) (Binaries, error) {
	source, err := binariesFolder(ctx)
	if err != nil {
		return Binaries{}, fmt.Errorf("building the control plane: %w", err)
	}
	key, err := buildKey(ctx, source)
	if err != nil {
		return Binaries{}, fmt.Errorf("building the control plane: %w", err)
	}
	cache, err := cacheFolder()
	if err != nil {
		return Binaries{}, fmt.Errorf("building the control plane: %w", err)
	}
	folder := filepath.Join(cache, key)
	if err := buildInto(ctx, source, folder); err != nil {
		return Binaries{}, fmt.Errorf("building the control plane into %s: %w", folder, err)
	}
	return Binaries{
		Etcd:      filepath.Join(folder, "etcd"),
		APIServer: filepath.Join(folder, "kube-apiserver"),
		Kubectl:   filepath.Join(folder, "kubectl"),
	}, nil
}

// buildInto makes folder with the programs in it, unless it is there: it comes
// into being with all programs, by a rename.
func buildInto(ctx context.Context, source, folder string) error {
	if isFolder(folder) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return fmt.Errorf("making the cache: %w", err)
	}
	unlock, err := lockFile(ctx, folder+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if isFolder(folder) { // the holder before us has built
		return nil
	}
	partial := folder + ".partial" // of us, for we hold the lock
	if err := os.RemoveAll(partial); err != nil {
		return fmt.Errorf("removing an interrupted build: %w", err)
	}
	if err := compile(ctx, source, partial); err != nil {
		return errors.Join(err, os.RemoveAll(partial))
	}
	if err := os.Rename(partial, folder); err != nil {
		return fmt.Errorf("moving the programs into place: %w", err)
	}
	return nil
}

// compile builds the programs of the module in source into the folder target.
func compile(ctx context.Context, source, target string) error {
	version, err := goCommand(ctx, source, "list", "-mod=readonly", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	if err != nil {
		return err
	}
	// A program built as a dependency does not know its version, and clients
	// refuse a server whose version they cannot parse.
	number := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(number) != 3 {
		return fmt.Errorf("k8s.io/kubernetes in %s has version %q: want a release such as v1.36.3",
			filepath.Join(source, "go.mod"), version)
	}
	const variable = " -X k8s.io/component-base/version."
	flags := "-s -w" + variable + "gitVersion=" + version +
		variable + "gitMajor=" + number[0] + variable + "gitMinor=" + number[1]
	args := []string{"build", "-mod=readonly", "-trimpath", "-buildvcs=false",
		"-ldflags", flags, "-o", target + string(filepath.Separator)}
	for _, name := range programs {
		args = append(args, "./"+name)
	}
	_, err = goCommand(ctx, source, args...)
	return err
}

// buildKey returns a name that is another one whenever the programs may be.
func buildKey(ctx context.Context, source string) (string, error) {
	target, err := goCommand(ctx, source, "env", "GOVERSION", "GOOS", "GOARCH", "GOEXPERIMENT")
	if err != nil {
		return "", err
	}
	var all bytes.Buffer
	fmt.Fprintf(&all, "%s\n", target)
	files := []string{"go.mod", "go.sum"}
	for _, name := range programs {
		files = append(files, filepath.Join(name, "main.go"))
	}
	for _, name := range files {
		content, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return "", fmt.Errorf("reading what the programs are built of: %w", err)
		}
		fmt.Fprintf(&all, "%s %d\n%s", name, len(content), content)
	}
	sum := sha256.Sum256(all.Bytes())
	return hex.EncodeToString(sum[:8]), nil
}

// cacheFolder returns the folder that the built programs are kept in.
func cacheFolder() (string, error) {
	cache := os.Getenv(CacheVariable)
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("finding a cache folder: %w: set %s to one", err, CacheVariable)
		}
		cache = filepath.Join(user, "kubevitals")
	}
	// Each test runs in a folder of its own, so a relative path is many caches.
	if !filepath.IsAbs(cache) {
		return "", fmt.Errorf("cache folder %q is relative: set %s to an absolute path", cache, CacheVariable)
	}
	return filepath.Join(cache, "controlplane"), nil
}

// binariesFolder returns the folder of the module that the programs belong to.
func binariesFolder(ctx context.Context) (string, error) {
	root, err := testFolder(ctx)
	if err != nil {
		return "", err
	}
	return filepath.Join(root, "controlplane", "binaries"), nil
}

// testFolder returns the folder of the module this package belongs to. It must
// be asked in that module or in one that requires it, as every test is.
func testFolder(ctx context.Context) (string, error) {
	const module = "github.com/kubevitals/kubevitals/test"
	folder, err := goCommand(ctx, "", "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return "", fmt.Errorf("finding the folder of module %s: %w", module, err)
	}
	return folder, nil
}

// goCommand runs the go command in a folder and returns what it prints.
func goCommand(ctx context.Context, folder string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = folder
	// The programs are no part of a workspace, and need no C compiler.
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := runProcess(cmd); err != nil {
		where := folder
		if where == "" {
			where = "the working folder"
		}
		return "", fmt.Errorf("running go %s in %s: %w\n%s", args[0], where, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// isFolder tells whether path is a folder.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
