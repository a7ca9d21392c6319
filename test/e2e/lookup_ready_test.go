package e2e

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevitals/kubevitals/test/program"
)

// TestLookupIsCompleteWhenReady delays the list of a kind that only objects
// name: neither a process that starts, nor rules that take over, may say less
// than there is.
func TestLookupIsCompleteWhenReady(t *testing.T) {
	const g lookupGroup = "ready.lookup.e2e.kubevitals.io"
	install(t, control, g.kind("Referrer"), g.kind("Zone"), g.kind("Target"))
	apply(t, control, []*unstructured.Unstructured{
		g.referrer("r1", string(g)+"/v1", "Target", "t1"), g.kind("Target").object("lookup", "t1", map[string]any{"size": int64(3)}),
	})
	want := `e2e_dynamic{kind="Target",name="r1"} 3`
	proxy := newFaultProxy(t, control)
	var refused atomic.Int32
	later := func(w http.ResponseWriter, r *http.Request) {
		refused.Add(1)
		status(http.StatusServiceUnavailable, "ServiceUnavailable")(w, r)
	}
	delay := func() {
		proxy.set(fault{resource: "targets", times: 2, answer: later}, fault{resource: "targets", watch: true, times: 2, answer: later})
	}
	delay()
	rules := g.rules(t)
	p := start(t, "state", "--kubeconfig", proxy.kubeconfig, "--rules", rules)
	p.WaitReady(t)
	if err := has(scrape(t, p), want); err != nil {
		t.Errorf("ready after %d refusals: %v", refused.Load(), err)
	}
	served(t, p, "the target", "e2e_dynamic{", want)

	delay()
	rewrite(t, rules, strings.NewReplacer("GROUP", string(g), "e2e_fixed", "e2e_fixed2").Replace(lookupRules))
	scrapes := 0
	program.Poll(t, "the other rules", func() error {
		text := scrape(t, p)
		scrapes++
		if err := has(text, want); err != nil {
			t.Fatalf("scrape %d of rules that change, after %d refusals: %v", scrapes, refused.Load(), err)
		}
		if n := len(lines(text, "e2e_fixed2{")); n == 0 {
			return errors.New("none")
		}
		return nil
	})
}
