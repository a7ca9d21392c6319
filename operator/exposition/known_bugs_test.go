//go:build knownbugs

package exposition_test

import (
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

// RFC 9110 section 12.5.1: the most specific media range gives a type its
// weight, so that */* says nothing about text/plain here.
func TestBugNegotiateSpecificity(t *testing.T) {
	f := func(accept string, want exposition.Format) {
		t.Helper()
		if got := exposition.Negotiate(accept); got != want {
			t.Errorf("Negotiate(%q) = %s", accept, got.ContentType())
		}
	}
	f("*/*, text/plain;q=0.2, application/openmetrics-text;q=0.5", exposition.OpenMetrics)
	f("text/*, text/plain;q=0.2, application/openmetrics-text;q=0.5", exposition.OpenMetrics)
	f("text/plain;q=0, */*;q=1, application/openmetrics-text;q=0.5", exposition.OpenMetrics)
}

// The weight of an element without a valid q is 1; 2 is not valid.
func TestBugNegotiateWeightAboveOne(t *testing.T) {
	if got := exposition.Negotiate("text/plain, application/openmetrics-text;q=2"); got != exposition.Text {
		t.Errorf("got %s, want the first of equals", got.ContentType())
	}
}

// A negative length never ends: n>>1 of -1 is -1.
func TestBugCombineCRCNegativeLength(t *testing.T) {
	done := make(chan struct{})
	go func() {
		exposition.CombineCRC(1, 2, -1)
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Error("does not return")
	}
}
