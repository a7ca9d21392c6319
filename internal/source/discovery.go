package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// served is what a cluster serves: for each group and kind its versions, best
// first.
type served map[groupKind][]servedKind

type groupKind struct {
	group, kind string
}

type servedKind struct {
	version    string
	resource   string
	namespaced bool
	watchable  bool
	categories []string
}

// aggregated asks for all groups in one response. Kubernetes gives it since
// 1.27.
const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList," +
	"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"

// discoverer asks a cluster what it serves. It is not safe for concurrent use.
type discoverer struct {
	client *http.Client
	host   *url.URL
	etags  map[string]string
	lists  map[string]*apidiscoveryv2.APIGroupDiscoveryList
}

func newDiscoverer(config *rest.Config, client *http.Client) (*discoverer, error) {
	host, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, err
	}
	return &discoverer{
		client: client, host: host,
		etags: make(map[string]string), lists: make(map[string]*apidiscoveryv2.APIGroupDiscoveryList),
	}, nil
}

// clone returns a discoverer of the same cluster that has not asked yet.
func (d *discoverer) clone() *discoverer {
	return &discoverer{client: d.client, host: d.host, etags: make(map[string]string), lists: make(map[string]*apidiscoveryv2.APIGroupDiscoveryList)}
}

// discover returns what is served, with one conditional GET. changed is false
// when the server says that nothing is new. The core group, which stands apart,
// costs a second GET and is asked for only when wanted.
func (d *discoverer) discover(ctx context.Context, core bool) (s served, changed bool, err error) {
	paths := []string{"/apis"}
	if core {
		paths = append(paths, "/api")
	}
	for _, path := range paths {
		fresh, err := d.get(ctx, path)
		if err != nil {
			return nil, false, fmt.Errorf("discovering %s: %w", path, err)
		}
		changed = changed || fresh
	}
	s = make(served)
	for _, path := range paths {
		s.add(d.lists[path])
	}
	return s, changed, nil
}

func (d *discoverer) get(ctx context.Context, path string) (changed bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.host.JoinPath(path).String(), nil)
	if err != nil {
		return false, err
	}
	req.Header.Set("Accept", aggregated)
	if etag := d.etags[path]; etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return false, err
	case resp.StatusCode == http.StatusNotModified && d.lists[path] != nil:
		return false, nil
	case resp.StatusCode == http.StatusNotAcceptable:
		return false, errors.New("the API server has no aggregated discovery: Kubernetes 1.27 or newer is needed")
	case resp.StatusCode != http.StatusOK:
		return false, apierrors.NewGenericServerResponse(resp.StatusCode, "get", apiResource, path, string(body), 0, true)
	}
	var list apidiscoveryv2.APIGroupDiscoveryList
	if err := json.Unmarshal(body, &list); err != nil {
		return false, fmt.Errorf("not a discovery document: %w", err)
	}
	d.lists[path], d.etags[path] = &list, resp.Header.Get("ETag")
	return true, nil
}

// add reads a discovery document. Versions come in the server's order of
// preference.
func (s served) add(list *apidiscoveryv2.APIGroupDiscoveryList) {
	for _, group := range list.Items {
		for _, version := range group.Versions {
			for _, r := range version.Resources {
				if r.ResponseKind == nil || !slices.Contains(r.Verbs, "list") {
					continue
				}
				key := groupKind{group.Name, r.ResponseKind.Kind}
				s[key] = append(s[key], servedKind{
					version: version.Version, resource: r.Resource, namespaced: r.Scope == apidiscoveryv2.ScopeNamespace,
					watchable: slices.Contains(r.Verbs, "watch"), categories: r.Categories,
				})
			}
		}
	}
}

// has reports whether a version of a kind is served: if it is collected no more,
// the rules do not ask for it any more.
func (s served) has(k rule.GVK) bool {
	return slices.ContainsFunc(s[groupKind{k.Group, k.Kind}], func(v servedKind) bool { return v.version == k.Version })
}

// missingLimit is how long a kind may be missing in discovery before it counts
// as gone without further proof.
const missingLimit = time.Minute

// gone reports whether a kind that discovery does not name any more is really
// gone. An API server that has just started names kinds before it knows all
// CustomResourceDefinitions, and then answers their requests with 503, not 404.
func (c *Cluster) gone(ctx context.Context, t target, missing time.Time) bool {
	if time.Since(missing) > missingLimit {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := t.client(c.objects).List(ctx, metav1.ListOptions{Limit: 1})
	return apierrors.IsNotFound(err)
}

// superseded reports whether a target that is missing is collected under another
// slot by now: its version has become the best one.
func superseded(t target, targets map[slot]target) bool {
	for _, other := range targets {
		if other.gvk == t.gvk && other.slot.selection == t.slot.selection && other.slot.namespace == t.slot.namespace {
			return true
		}
	}
	return false
}
