package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/version"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/schema"
)

// KindSchema is a kind in one version that is served, with what its schema says.
type KindSchema struct {
	rule.Served
	Schema *schema.Schema
	// Resource is what the kind is called in URLs. [Cluster.Schemas] leaves it out.
	Resource string
}

// CRDSchemas reads the CustomResourceDefinitions in files and folders and returns
// the versions that they serve, in order. What cannot be read is told in the
// error, one line each, and does not keep the rest from being returned.
func CRDSchemas(paths []string) ([]KindSchema, error) {
	files, err := listFiles(paths)
	errs := []error{err}
	crds := make(map[schema.Kind]*schema.CRD)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found, err := schema.FromCRDs(data)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
		}
		maps.Copy(crds, found)
	}
	var out []KindSchema
	for kind, crd := range crds {
		if crd.Served {
			k := newKindSchema(kind, crd.Schema, rule.Served{
				Namespaced: crd.Namespaced, Categories: crd.Categories, Labels: crd.Labels,
			})
			k.Resource = crd.Plural
			out = append(out, k)
		}
	}
	sortKinds(out)
	for i := range out {
		out[i].Best = i == 0 || out[i].Group != out[i-1].Group || out[i].Kind != out[i-1].Kind
	}
	return out, errors.Join(errs...)
}

func newKindSchema(kind schema.Kind, s *schema.Schema, served rule.Served) KindSchema {
	served.GVK = rule.GVK{Group: kind.Group, Version: kind.Version, Kind: kind.Name}
	served.Has = fieldsOf(s)
	return KindSchema{Served: served, Schema: s}
}

// sortKinds brings the versions of a kind into the order in which an API server
// prefers them: the best first.
func sortKinds(kinds []KindSchema) {
	slices.SortFunc(kinds, func(a, b KindSchema) int {
		if a.Group != b.Group || a.Kind != b.Kind {
			return a.Compare(b.GVK)
		}
		return version.CompareKubeAwareVersionStrings(b.Version, a.Version)
	})
}

// Schemas asks the cluster for the kinds of some groups that it serves, and for
// their schemas. Labels of kinds are among what is known of them when a rule
// asks for labels.
func (c *Cluster) Schemas(ctx context.Context, group func(name string) bool) ([]KindSchema, error) {
	s, _, err := c.discoverer.discover(ctx, group(""))
	if err != nil {
		return nil, err
	}
	if c.needs.Labels {
		if _, err := c.learnLabels(ctx); err != nil {
			return nil, fmt.Errorf("reading the labels of CustomResourceDefinitions, which rules ask for: %w", err)
		}
	}
	schemas, err := c.schemas(ctx, s, group)
	if err != nil {
		return nil, fmt.Errorf("reading the schemas of kinds: %w", err)
	}
	var out []KindSchema
	for key, versions := range s {
		for i, v := range versions {
			kind := schema.Kind{Group: key.group, Version: v.version, Name: key.kind}
			if found := schemas[kind]; found != nil {
				out = append(out, newKindSchema(kind, found, rule.Served{
					Best: i == 0, Namespaced: v.namespaced, Categories: v.categories, Labels: c.kinds.labels[v.resource+"."+key.group],
				}))
			}
		}
	}
	sortKinds(out)
	return out, nil
}

// schemas reads the OpenAPI documents of some groups.
func (c *Cluster) schemas(ctx context.Context, s served, group func(name string) bool) (map[schema.Kind]*schema.Schema, error) {
	data, err := c.openAPI(ctx, "/openapi/v3")
	if err != nil {
		return nil, err
	}
	var index struct {
		Paths map[string]struct {
			URL string `json:"serverRelativeURL"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("/openapi/v3: %w", err)
	}
	out := make(map[schema.Kind]*schema.Schema)
	for gv := range s.groupVersions() {
		name, _, grouped := strings.Cut(gv, "/")
		if !grouped {
			name = ""
		}
		entry, ok := index.Paths[apiPath(gv)]
		if !ok || !group(name) {
			continue
		}
		document, err := c.openAPI(ctx, entry.URL)
		if err != nil {
			return nil, err
		}
		found, err := schema.FromOpenAPI(document)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.URL, err)
		}
		maps.Copy(out, found)
	}
	return out, nil
}
