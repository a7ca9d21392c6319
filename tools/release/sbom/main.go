// Command sbom writes the software bill of materials of a release archive:
// CycloneDX, as JSON, from what the Go toolchain has left in the binary. It needs
// no network and no clock, so that the same archive gives the same document.
//
//	sbom -version v1.2.3 kubevitals_1.2.3_linux_amd64.tar.gz bom.json
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("sbom", flag.ContinueOnError)
	version := flags.String("version", "", "version of the release; needed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *version == "" || flags.NArg() != 2 {
		return errors.New("usage: sbom -version VERSION ARCHIVE DOCUMENT")
	}
	archive, err := os.ReadFile(flags.Arg(0))
	if err != nil {
		return fmt.Errorf("reading the archive: %w", err)
	}
	info, err := readBuild(archive)
	if err != nil {
		return fmt.Errorf("%s: %w", flags.Arg(0), err)
	}
	var out bytes.Buffer
	encoder := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true)
	bom := describe(filepath.Base(flags.Arg(0)), sha256.Sum256(archive), info, *version)
	if err := encoder.EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return fmt.Errorf("encoding the document: %w", err)
	}
	return os.WriteFile(flags.Arg(1), out.Bytes(), 0o644)
}

// readBuild returns what is known of the build of the binary called kubevitals
// in an archive.
func readBuild(archive []byte) (*debug.BuildInfo, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("not compressed by gzip: %w", err)
	}
	files := tar.NewReader(unzipped)
	for {
		file, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("has no file kubevitals")
		}
		if err != nil {
			return nil, fmt.Errorf("reading the archive: %w", err)
		}
		if path.Base(file.Name) != "kubevitals" {
			continue
		}
		binary, err := io.ReadAll(files)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", file.Name, err)
		}
		return buildinfo.Read(bytes.NewReader(binary))
	}
}

// describe lists the standard library and the modules that the binary was built
// from. Modules of this repository are released together, with one version.
func describe(name string, sum [sha256.Size]byte, info *debug.BuildInfo, version string) *cdx.BOM {
	bom := cdx.NewBOM()
	bom.SerialNumber = uuid.NewHash(sha256.New(), uuid.NameSpaceURL, sum[:], 8).URN()
	root := module(info.Main.Path, version, "")
	root.Type = cdx.ComponentTypeApplication
	root.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}}
	root.Properties = &[]cdx.Property{{Name: "archive", Value: name}}
	bom.Metadata = &cdx.Metadata{Component: &root}

	components := []cdx.Component{module("stdlib", strings.TrimPrefix(info.GoVersion, "go"), "")}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		if own, ok := ownModule(info, dep); ok {
			components = append(components, module(own, version, ""))
			continue
		}
		components = append(components, module(dep.Path, dep.Version, dep.Sum))
	}
	bom.Components = &components
	return bom
}

// ownModule returns the path of a module that a folder of this repository has
// replaced.
func ownModule(info *debug.BuildInfo, replacement *debug.Module) (string, bool) {
	if !strings.HasPrefix(replacement.Path, "./") {
		return "", false
	}
	return path.Join(info.Main.Path, replacement.Path), true
}

func module(name, version, sum string) cdx.Component {
	url := "pkg:golang/" + name + "@" + version
	c := cdx.Component{BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: name, Version: version, PackageURL: url, Scope: cdx.ScopeRequired}
	if sum != "" {
		c.Properties = &[]cdx.Property{{Name: "go:sum", Value: sum}}
	}
	return c
}
