package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	release "helm.sh/helm/v4/pkg/release/v1/util"

	"github.com/kubevitals/kubevitals/catalog"
	"github.com/kubevitals/kubevitals/deploy"
)

// Release is an installation of the chart.
type Release struct {
	// Name is what objects are named after, and Namespace where they are.
	Name, Namespace string
	// Version is that of the image, the chart's own if it is empty.
	Version string
	// Values go before those of the chart.
	Values map[string]any
}

// Object is an object of Kubernetes as YAML.
type Object struct {
	Kind, Name string
	YAML       string
}

// Render returns the objects of a release, in the order in which Helm creates them.
// It is an error if the values are not as the chart's schema has them, or lack
// something.
func Render(r Release) ([]Object, error) {
	c, err := load(r.Version)
	if err != nil {
		return nil, err
	}
	values, err := util.ToRenderValues(c, r.Values, common.ReleaseOptions{Name: r.Name, Namespace: r.Namespace, Revision: 1, IsInstall: true}, nil)
	if err != nil {
		return nil, fmt.Errorf("values of the chart: %w", err)
	}
	files, err := engine.Render(c, values)
	if err != nil {
		return nil, reason(err)
	}
	maps.DeleteFunc(files, func(name, _ string) bool {
		return strings.HasPrefix(path.Base(name), "_") || !strings.HasSuffix(name, ".yaml")
	})
	_, sorted, err := release.SortManifests(files, nil, release.InstallOrder)
	if err != nil {
		return nil, fmt.Errorf("the chart: %w", err)
	}
	out := make([]Object, len(sorted))
	for i, m := range sorted {
		out[i] = Object{Kind: m.Head.Kind, YAML: strings.TrimSpace(m.Content) + "\n"}
		if m.Head.Metadata != nil {
			out[i].Name = m.Head.Metadata.Name
		}
	}
	slices.SortStableFunc(out, func(a, b Object) int {
		if a.Kind != b.Kind {
			return 0 // as Helm has them
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return out, nil
}

// load returns the chart, with what it has of the catalogs.
func load(version string) (*chart.Chart, error) {
	var files []*archive.BufferedFile
	tree := deploy.Chart()
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(tree, name)
		files = append(files, &archive.BufferedFile{Name: name, Data: data})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the chart: %w", err)
	}
	for _, family := range catalog.Families() {
		if name, data, err := catalog.Alerts(family); err == nil {
			files = append(files, &archive.BufferedFile{Name: "files/" + name, Data: data})
		}
		dashboards, err := catalog.Dashboards(family)
		if err != nil {
			continue // not each family has some
		}
		for _, d := range dashboards {
			files = append(files, &archive.BufferedFile{Name: "files/" + d.File, Data: d.Data})
		}
	}
	slices.SortFunc(files, func(a, b *archive.BufferedFile) int { return cmp.Compare(a.Name, b.Name) })
	c, err := loader.LoadFiles(files)
	if err != nil {
		return nil, fmt.Errorf("the chart: %w", err)
	}
	c.Metadata.AppVersion = cmp.Or(version, c.Metadata.AppVersion)
	return c, nil
}

// told is what a template says that fails on purpose.
var told = regexp.MustCompile(`(?s)error calling (?:fail|required|include): (.*)$`)

// reason is why a template fails, without where it does.
func reason(err error) error {
	text := err.Error()
	if i := strings.LastIndex(text, "execution error at ("); i >= 0 {
		if _, why, found := strings.Cut(text[i:], "): "); found {
			return errors.New(why)
		}
	}
	if m := told.FindStringSubmatch(text); m != nil {
		return errors.New(m[1])
	}
	return err
}
