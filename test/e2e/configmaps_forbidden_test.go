package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/test/program"
)

// TestConfigMapsForbidden may not read ConfigMaps: it says so, is not ready, and
// serves what else it has. With the permission it goes on by itself.
func TestConfigMapsForbidden(t *testing.T) {
	a, _ := twoTeams(t, "unreadable")
	a.rules(namespaceRules("e2e_a", "gauge", a.namespace))
	own := writeFile(t, "own.yaml", namespaceRules("e2e_own", "gauge", a.namespace))
	mark, err := control.Mark()
	skipNotOwned(t, err)
	p := start(t, "state", "--kubeconfig", coreReader(t, "unreadable", "namespaces, events"), "--rules", own, "--rules-configmaps", "team=rules",
		"--rules-configmaps-namespaces", a.namespace)
	program.Poll(t, "what else there is, and the reason", func() error {
		code, body := p.Get(t, "/readyz?verbose", nil)
		if code != http.StatusServiceUnavailable || !strings.Contains(string(body), "forbidden") || !strings.Contains(string(body), "onfig") {
			return fmt.Errorf("/readyz is %d %s", code, body)
		}
		return has(scrape(t, p), `e2e_own{name="unreadable-a"} 1`)
	})
	if code, body := p.Get(t, "/livez", nil); code != http.StatusOK {
		t.Errorf("/livez is %d %s", code, body)
	}
	program.Poll(t, "some attempts", func() error {
		n := 0
		for _, r := range requests(t, control, mark) {
			if r.Resource == "configmaps" && r.Verb == "list" && strings.HasPrefix(r.URI, "/api/v1/namespaces/unreadable-a/") {
				n++
			}
		}
		if n < 3 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	if got := lines(p.Output.String(), "msg=\"ConfigMaps with rules cannot be read\""); len(got) > 2 { // of the watch and of the list
		t.Errorf("%d lines about ConfigMaps:\n%s", len(got), strings.Join(got, "\n"))
	}
	coreReader(t, "unreadable", "namespaces, configmaps")
	p.WaitReady(t)
	if err := errors.Join(has(scrape(t, p), `e2e_own{name="unreadable-a"} 1`), has(scrape(t, p), `e2e_a{name="unreadable-a"} 1`)); err != nil {
		t.Error(err)
	}
}
