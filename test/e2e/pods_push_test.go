package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevitals/kubevitals/test/podtest"
	"github.com/kubevitals/kubevitals/test/program"
	"github.com/kubevitals/kubevitals/test/promtest"
)

// ofPods returns the series that are about pods and do not depend on time.
func ofPods(s promtest.Series) promtest.Series {
	out := s.Bounds()
	maps.DeleteFunc(out, func(key string, _ float64) bool {
		return !strings.Contains(key, "k8s_pod_name=") || strings.HasPrefix(key, "scrape_duration_seconds")
	})
	return out
}

// TestPodsPushed pushes the metrics of pods into the Prometheus that scrapes them
// as well: each pod's counters, histograms and summaries arrive with its labels,
// and end when the pod is deleted.
func TestPodsPushed(t *testing.T) {
	const space = "pods-pushed"
	s := promtest.New(t)
	server := httptest.NewServer(s.OTLP())
	t.Cleanup(server.Close)
	createPods(t, space,
		pod{name: "simple", server: podtest.Start(t, podtest.Body("# TYPE requests_total counter\nrequests_total{code=\"200\"} 7\nodd_count 3\n"))},
		pod{name: "real", server: podtest.Start(t, podtest.Answer{ContentType: podtest.Text, Body: podtest.Compact(podtest.Text)})},
		pod{name: "down", server: podtest.Start(t, podtest.Answer{Status: http.StatusServiceUnavailable, Body: []byte("not now")})})
	p := podProxy(t, space, "--otlp-endpoint", server.URL+promtest.OTLPPath, "--otlp-interval", "1s", "--otlp-min-interval", "1s")
	equal := func(what string, from *promtest.Server) {
		t.Helper()
		from.Scrape(t, p.URL+"/metrics", promtest.OpenMetrics)
		want := ofPods(from.SeriesOf(t, "proxy"))
		program.Poll(t, what, func() error {
			if diff := cmp.Diff(want, ofPods(s.SeriesOf(t, "kubevitals"))); diff != "" {
				return fmt.Errorf("series (-scraped +pushed):\n%s", diff)
			}
			return nil
		})
	}
	equal("the push to be as the scrape", s)
	got := s.SeriesOf(t, "kubevitals")
	want := promtest.Series{
		ofPod(t, space, "simple", `requests_total{code="200"}`): 7,
		ofPod(t, space, "simple", "odd_count"):                  3,
		ofPod(t, space, "simple", "up"):                         1,
		ofPod(t, space, "down", "up"):                           0,
	}
	for key, want := range want {
		if v, ok := got[key]; !ok || v != want {
			t.Errorf("%s is %v (there: %t), want %v", key, v, ok, want)
		}
	}
	err := clientset(t, control).CoreV1().Pods(space).Delete(t.Context(), "simple", *metav1.NewDeleteOptions(0))
	if err != nil {
		t.Fatal(err)
	}
	program.Poll(t, "the pod to be gone from a scrape", func() error {
		if _, body := p.Get(t, "/metrics", nil); strings.Contains(string(body), `k8s_pod_name="simple"`) {
			return fmt.Errorf("it is still there")
		}
		return nil
	})
	equal("the series of the pod to have ended", promtest.New(t))
}
