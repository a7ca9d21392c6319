// Command version keeps the version of a release the same wherever it stands: in
// what the modules of this repository need of each other, in rockcraft.yaml and in
// CHANGELOG.md.
//
//	version set v1.2.3     writes it, and names the changes of the CHANGELOG by it
//	version check v1.2.3   says where it is missing
//	version notes v1.2.3   prints its section of the CHANGELOG
//	version tags v1.2.3    prints the tags of the modules, the one that releases last
//
// It is run in the root of the repository.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "version:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: version set|check|notes|tags VERSION")
	}
	version := args[1]
	if semver.Canonical(version) != version {
		return fmt.Errorf("%q is not a version such as v1.2.3 or v1.2.3-rc.1", version)
	}
	if major := semver.Major(version); major != "v0" && major != "v1" {
		return fmt.Errorf("%s needs modules whose paths end in /%s: rename them first", version, major)
	}
	switch args[0] {
	case "set":
		return errors.Join(setModules(version), setRock(version), setChart(version), setChanges(version))
	case "check":
		return errors.Join(checkModules(version), checkRock(version), checkChart(version), checkChanges(version))
	case "notes":
		notes, err := readChanges(version)
		fmt.Print(notes)
		return err
	case "tags":
		return printTags(version)
	}
	return fmt.Errorf("%q is none of set, check, notes, tags", args[0])
}

// eachModule gives the go.mod of each folder to a function, the root's first,
// and writes the file if it has been changed.
func eachModule(do func(dir string, file *modfile.File) error) error {
	var paths []string
	for _, pattern := range []string{"go.mod", "*/go.mod", "*/*/go.mod"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		paths = append(paths, found...)
	}
	var errs []error
	for _, path := range paths {
		before, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := modfile.Parse(path, before, nil)
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		errs = append(errs, do(filepath.ToSlash(filepath.Dir(path)), file))
		after, err := file.Format()
		if err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
		if string(after) != string(before) {
			errs = append(errs, os.WriteFile(path, after, 0o644))
		}
	}
	return errors.Join(errs...)
}

const root = "github.com/kubevitals/kubevitals"

func ours(path string) bool { return path == root || strings.HasPrefix(path, root+"/") }

func setModules(version string) error {
	return eachModule(func(_ string, file *modfile.File) error {
		var errs []error
		for _, r := range file.Require {
			if ours(r.Mod.Path) {
				errs = append(errs, file.AddRequire(r.Mod.Path, version))
			}
		}
		return errors.Join(errs...)
	})
}

func checkModules(version string) error {
	return eachModule(func(_ string, file *modfile.File) error {
		var errs []error
		for _, r := range file.Require {
			if ours(r.Mod.Path) && r.Mod.Version != version {
				errs = append(errs, fmt.Errorf("%s needs %s %s, not %s: run make set-version VERSION=%s",
					file.Syntax.Name, r.Mod.Path, r.Mod.Version, version, version))
			}
		}
		return errors.Join(errs...)
	})
}

// unreleased are the folders whose modules nobody imports.
var unreleased = map[string]bool{"examples": true, "test": true, "test/promoperator": true, "tools": true, "tools/helm": true, "tools/release": true}

func printTags(version string) error {
	err := eachModule(func(dir string, _ *modfile.File) error {
		if dir != "." && !unreleased[dir] {
			fmt.Println(dir + "/" + version)
		}
		return nil
	})
	fmt.Println(version)
	return err
}
