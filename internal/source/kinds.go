package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// kinds is what rules ask about kinds beyond their names: the labels of
// CustomResourceDefinitions, and the fields that schemas have. It is not safe
// for concurrent use.
type kinds struct {
	labels    map[string]map[string]string // by the definition's name, plural.group
	documents map[string]document          // OpenAPI, by group/version
}

type document struct {
	hash  string
	kinds map[rule.GVK]hasField
}

type hasField func(path []string) bool

// describe adds what is known of a kind.
func (k *kinds) describe(s *rule.Served, resource string) {
	s.Labels = k.labels[resource+"."+s.Group]
	if has := k.documents[groupVersion(s.GVK)].kinds[s.GVK]; has != nil {
		s.Has = has
	}
}

func groupVersion(k rule.GVK) string { return strings.TrimPrefix(k.Group+"/"+k.Version, "/") }

// learn brings what the rules ask for up to date, as far as it can be read, and
// reports whether it has changed.
func (c *Cluster) learn(ctx context.Context, s served) (changed bool, err error) {
	var errs []error
	if c.needs.Labels {
		learned, err := c.learnLabels(ctx)
		changed = changed || learned
		if err != nil {
			errs = append(errs, fmt.Errorf("reading the labels of CustomResourceDefinitions, which rules ask for: %w", err))
		}
	}
	if c.needs.Fields {
		learned, err := c.learnFields(ctx, s)
		changed = changed || learned
		if err != nil {
			errs = append(errs, fmt.Errorf("reading the schemas of kinds, which rules ask for: %w", err))
		}
	}
	return changed, errors.Join(errs...)
}

func (c *Cluster) learnLabels(ctx context.Context) (changed bool, err error) {
	list, err := c.metadata.Resource(crdResource).List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	found := make(map[string]map[string]string, len(list.Items))
	for i := range list.Items {
		found[list.Items[i].Name] = list.Items[i].Labels
	}
	before, err := json.Marshal(c.kinds.labels)
	if err != nil {
		return false, err
	}
	after, err := json.Marshal(found)
	if err != nil {
		return false, err
	}
	c.kinds.labels = found
	return string(before) != string(after), nil
}

// learnFields reads the OpenAPI documents of the groups and versions that are
// served, as far as they are new.
func (c *Cluster) learnFields(ctx context.Context, s served) (changed bool, err error) {
	data, err := c.openAPI(ctx, "/openapi/v3")
	if err != nil {
		return false, err
	}
	var index struct {
		Paths map[string]struct {
			URL string `json:"serverRelativeURL"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return false, fmt.Errorf("/openapi/v3: %w", err)
	}
	var errs []error
	for gv := range s.groupVersions() {
		entry, ok := index.Paths[apiPath(gv)]
		if !ok || c.kinds.documents[gv].hash == entry.URL {
			continue
		}
		data, err := c.openAPI(ctx, entry.URL)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found, err := readSchemas(data)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", entry.URL, err))
			continue
		}
		c.kinds.documents[gv] = document{entry.URL, found}
		changed = true
	}
	return changed, errors.Join(errs...)
}

// groupVersions returns the groups and versions that have a kind, as in an
// apiVersion.
func (s served) groupVersions() map[string]bool {
	out := make(map[string]bool)
	for key, versions := range s {
		for _, v := range versions {
			out[groupVersion(rule.GVK{Group: key.group, Version: v.version})] = true
		}
	}
	return out
}

// apiPath is how the OpenAPI index names a group and version.
func apiPath(groupVersion string) string {
	if strings.Contains(groupVersion, "/") {
		return "apis/" + groupVersion
	}
	return "api/" + groupVersion
}

// openAPI gets a document; the URL is relative to the server.
func (c *Cluster) openAPI(ctx context.Context, relative string) ([]byte, error) {
	ref, err := url.Parse(relative)
	if err != nil {
		return nil, err
	}
	at := c.discoverer.host.JoinPath(ref.Path)
	at.RawQuery = ref.RawQuery
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.discoverer.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", ref.Path, resp.Status)
	}
	return io.ReadAll(resp.Body)
}
