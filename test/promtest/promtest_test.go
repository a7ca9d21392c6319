package promtest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/test/podtest"
	"github.com/kubevitals/kubevitals/test/promtest"
)

func TestScrape(t *testing.T) {
	pod := podtest.Start(t, podtest.Body("a{b=\"c\"} 1\nd 2\n"))
	s := promtest.New(t)
	s.Scrape(t, "http://"+pod.Addr.String()+"/metrics", promtest.Text)
	got := s.Series(t)
	want := promtest.Series{"up": 1, `a{b="c"}`: 1, "d": 2}
	for _, series := range []string{"scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added"} {
		delete(got, series)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	pod.Answer(podtest.Body("# TYPE a nonsense\n"))
	s = promtest.New(t)
	s.Scrape(t, "http://"+pod.Addr.String()+"/metrics", promtest.Text)
	if got := s.Series(t); got["up"] != 0 || len(got) > 5 {
		t.Errorf("after a bad answer: %v", got)
	}
}

func TestScrapeNative(t *testing.T) {
	pod := podtest.Start(t, podtest.Negotiating())
	s := promtest.New(t)
	s.Scrape(t, "http://"+pod.Addr.String()+"/metrics", promtest.Protobuf)
	const key = `app_part000_request_duration_seconds{handler="/api/v1/resource/00", method="POST"}`
	got := s.Series(t)
	if got["up"] != 1 || got[key+"(native)"] != 20 {
		t.Errorf("up is %v, %s is %v", got["up"], key, got[key+"(native)"])
	}
}
