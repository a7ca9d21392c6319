package aggregate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods/aggregate"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

var requests = metric.Desc{Name: "requests_total", Type: metric.Counter}

func value(v float64, labels ...string) string {
	return string(exposition.AppendSample(nil, requests.Name, metric.Labels(labels...), v))
}

func TestCounterResetsAndChurn(t *testing.T) {
	w := newWorld(t, requests, aggregate.Options{}, "requests_total=sum")
	w.want("requests_total 30", pod{"a", value(10)}, pod{"b", value(20)})
	w.want("requests_total 35", pod{"a", value(15)}, pod{"b", value(20)})
	w.want("requests_total 37", pod{"a", value(2)}, pod{"b", value(20)})                  // a restarts
	w.want("requests_total 39", pod{"a", value(4)}, pod{"b", ""})                         // b does not answer
	w.want("requests_total 44", pod{"a", value(4)}, pod{"b", value(25)})                  // and is back
	w.want("requests_total 45", pod{"a", value(5)})                                       // b is gone
	w.want("requests_total 48", pod{"a", value(5)}, pod{"c", value(3)})                   // and followed by c
	w.want("requests_total 51", pod{"b", value(2)}, pod{"c", value(4)})                   // a is gone, b is back
	w.want("requests_total 51\nrequests_total{x=\"y\"} 1", pod{"b", value(1, "x", "y")})  // other series
	w.want("requests_total 51\nrequests_total{x=\"y\"} 1")                                // none left
	w.want("requests_total 52\nrequests_total{x=\"y\"} 1", pod{"d", value(1) + value(9)}) // the first of duplicates
}

func TestCreatedIsLeftOut(t *testing.T) {
	w := newWorld(t, requests, aggregate.Options{}, "requests_total=sum")
	w.want("requests_total 1", pod{"a", "requests_total 1\nrequests_created 1.5e9\n"})
}

// TestCounterNeverDecreases plays pods that come, restart, do not answer and go,
// and compares with what they have counted. Fractions make rounding visible.
func TestCounterNeverDecreases(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	w := newWorld(t, requests, aggregate.Options{}, "requests_total=sum")
	type live struct {
		id           string
		count, known float64 // known is what was scraped last, as far as one can know
	}
	var pods []*live
	var total, last float64
	for scrape := range 2000 {
		if len(pods) < 3 || rnd.IntN(10) == 0 {
			pods = append(pods, &live{id: fmt.Sprintf("p%d", scrape)})
		}
		if rnd.IntN(10) == 0 {
			pods = slices.Delete(pods, 0, 1)
		}
		var ids []string
		for _, p := range pods {
			ids = append(ids, p.id)
		}
		w.Begin(ids)
		for _, p := range pods {
			if rnd.IntN(20) == 0 {
				p.count = 0
			} else {
				p.count += rnd.Float64() * 1e-3
			}
			if rnd.IntN(5) > 0 {
				if p.count < p.known {
					p.known = 0
				}
				total += p.count - p.known
				p.known = p.count
				w.add(pod{p.id, value(p.count)}, requests)
			}
		}
		families := w.Families()
		if len(families) == 0 {
			continue
		}
		got := families[0].Samples[0].Value
		if got < last {
			t.Fatalf("scrape %d: %v after %v", scrape, got, last)
		}
		if got < total*0.999999 || got > total*1.000001 {
			t.Fatalf("scrape %d: %v, the pods have counted %v", scrape, got, total)
		}
		last = got
	}
}

func TestRefused(t *testing.T) {
	w := newWorld(t, requests, aggregate.Options{}, "requests_total=sum", "*=avg")
	for _, c := range []struct {
		lines string
		desc  metric.Desc
		want  aggregate.Reason
	}{
		{"requests_total 1", requests, ""},
		{"requests_total -1", requests, aggregate.BadValue},
		{"requests_total NaN", requests, aggregate.BadValue},
		{"requests_total +Inf", requests, aggregate.BadValue},
		{"requests_total x", requests, aggregate.BadLine},
		{"requests_total 1 2 3", requests, aggregate.BadLine},
		{"requests 1", requests, aggregate.BadLine},
		{"requests_total 1", metric.Desc{Name: "requests_total", Type: metric.Gauge}, aggregate.BadType},
		{"other 1", metric.Desc{Name: "other", Type: metric.Counter}, aggregate.BadOp},
		{"other 1", metric.Desc{Name: "other", Type: metric.GaugeHistogram}, aggregate.BadType},
	} {
		w.Begin([]string{"a", "b"})
		w.add(pod{"a", "requests_total 1"}, requests)
		before := w.Refused()
		if got := w.add(pod{"b", c.lines}, c.desc); got != c.want {
			t.Errorf("%s %s: refused because of %q, want %q", c.desc.Type, c.lines, got, c.want)
		}
		after := w.Refused()
		for _, r := range aggregate.Reasons {
			n := before[r]
			if r == c.want {
				n++
			}
			if after[r] != n {
				t.Errorf("%s %s: counted %d times %s", c.desc.Type, c.lines, after[r], r)
			}
		}
		if text := w.text(); !strings.HasPrefix(text, "requests_total ") {
			t.Errorf("the other pod is missing: %s", text)
		}
	}
	if err := w.Add(target("a"), requests, exposition.Protobuf, nil); err == nil {
		t.Error("protobuf is accepted")
	}
	if err := aggregate.New(aggregate.Options{}).Add(target("a"), requests, exposition.Text, []byte("x")); err != nil {
		t.Errorf("what no rule matches: %v", err)
	}
}

func TestPartlyRefused(t *testing.T) {
	w := newWorld(t, requests, aggregate.Options{}, "requests_total=sum")
	got, refused := w.scrape(pod{"a", "requests_total{x=\"1\"} 1\nrequests_total{x=\"2\"} -1\nrequests_total{x=\"3\"} 1\n"})
	if want := "requests_total{x=\"1\"} 1\nrequests_total{x=\"3\"} 1"; got != want || len(refused) != 1 {
		t.Errorf("refused %v:\n%s", refused, got)
	}
}

// TestTypeChanges has pods that agree on another type: when the last of the old
// ones is gone, theirs counts.
func TestTypeChanges(t *testing.T) {
	w := newWorld(t, requests, aggregate.Options{}, "requests_total=sum")
	w.want("requests_total 5", pod{"a", value(5)})
	w.desc.Type = metric.Gauge
	if got, refused := w.scrape(pod{"a", ""}, pod{"b", value(7)}); got != "requests_total 5" || len(refused) != 1 {
		t.Errorf("a does not answer: %s, %v", got, refused)
	}
	if got, refused := w.scrape(pod{"b", value(7)}); got != "" || len(refused) != 1 {
		t.Errorf("a is gone: %s, %v", got, refused)
	}
	w.want("requests_total 8", pod{"b", value(8)})
	w.desc.Type = metric.Counter
	w.scrape(pod{"b", value(8)})
	w.want("requests_total 0", pod{"b", value(9)}, pod{"c", ""})
	w.want("requests_total 11", pod{"b", value(10)}, pod{"c", value(10)})
}
