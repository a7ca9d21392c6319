package pods

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods/target"
)

// TestDiscoveryOfProblems lists targets that are not asked, if they can be named.
func TestDiscoveryOfProblems(t *testing.T) {
	list := func() []target.Target {
		return []target.Target{
			{ID: "1", Namespace: "shop", Pod: "bad", Problem: target.BadAnnotation, Detail: "no port"},
			{ID: "2", Namespace: "shop", Pod: "pathless", Port: 80, Problem: target.BadAnnotation, Detail: "no path"},
			{ID: "3", Namespace: "shop", Pod: "nowhere", Port: 80, Path: "/metrics", Problem: target.BadAddress, Detail: "no IP"},
			{ID: "4", Namespace: "shop", Pod: "twin", IP: netip.MustParseAddr("fd00::1"), Port: 80, Path: "/metrics", Problem: target.DuplicateEndpoint, Detail: "as another"},
		}
	}
	_, h := proxy(t, func(o *Options) { o.Targets = list })
	var groups []group
	if err := json.Unmarshal(get(t, h, "/sd").Body.Bytes(), &groups); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range groups {
		w := get(t, h, g.Labels["__metrics_path__"]+"?path="+g.Labels["__param_path"])
		got = append(got, fmt.Sprint(g.Labels["instance"], " ", w.Code, " ", w.Body))
	}
	if want := []string{"nowhere:80 502 address: no IP\n", "[fd00::1]:80 502 duplicate_endpoint: as another\n"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
