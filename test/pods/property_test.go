package pods_test

import (
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods"
	"github.com/kubevitals/kubevitals/internal/pods/aggregate"
	"github.com/kubevitals/kubevitals/internal/pods/merge"
	"github.com/kubevitals/kubevitals/internal/pods/relabel"
	"github.com/kubevitals/kubevitals/test/podtest"
	"github.com/kubevitals/kubevitals/test/promtest"
)

// mix returns pods, healthy and not, that are always the same for a seed.
func mix(seed uint64) []body {
	random := rand.New(rand.NewPCG(seed, 5))
	bodies := make([]body, 2+random.IntN(5))
	for i := range bodies {
		if i == 0 || random.IntN(2) == 0 {
			bodies[i] = healthy(random, i)
		} else {
			bodies[i] = corrupt(random)
		}
	}
	return bodies
}

const cases = 600

// TestMix tests that any mix of valid, random and corrupt bodies gives an
// exposition that every parser accepts, in which the samples of all healthy pods
// are, each with the labels of its pod; and that it is the same again when the
// pods have not changed.
func TestMix(t *testing.T) {
	p := newProxy(t, nil)
	for seed := range uint64(cases) {
		bodies := mix(seed)
		if p.verify(t, bodies); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestMixOptions tests that with any option the exposition is accepted by every
// parser, and the same again.
func TestMixOptions(t *testing.T) {
	rules, err := aggregate.ParseRules([]string{"requests_total=sum", "latency=sum", "x=avg", "temperature=max", "build=count"})
	if err != nil {
		t.Fatal(err)
	}
	relabelling, err := relabel.ParseConfigs([]byte(`
- {source_labels: [code], target_label: path, replacement: "\"$1\""}
- {source_labels: [__name__], regex: "latency_(.*)", target_label: __name__, replacement: "renamed_$1"}
- {regex: "n|reason", action: labeldrop}
`))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*pods.Options){
		"drop invalid lines": func(o *pods.Options) { o.DropInvalidLines = true },
		"fallback":           func(o *pods.Options) { o.Fallback = "text" },
		"no timestamps":      func(o *pods.Options) { o.StripTimestamps = true },
		"limits": func(o *pods.Options) {
			o.Limits = pods.Limits{Samples: 20, Labels: 6, LabelNameLength: 20, LabelValueLength: 8}
		},
		"labels are dropped":  func(o *pods.Options) { o.Collision = merge.Drop },
		"labels are honoured": func(o *pods.Options) { o.Collision = merge.Honor },
		"filter":              func(o *pods.Options) { o.Filter = &relabel.Filter{Deny: []string{"latency*"}} },
		"relabelling":         func(o *pods.Options) { o.Relabel = &relabel.Relabeler{Configs: relabelling} },
		"aggregates":          func(o *pods.Options) { o.Aggregate = aggregate.New(aggregate.Options{Rules: rules}) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t, change)
			for seed := range uint64(60) {
				bodies := mix(2000 + seed)
				if p.accepted(t, bodies); t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

// TestMixConcurrent tests that scrapers of all formats do not get in each other's
// way, nor in that of pods that change meanwhile: the memory of bodies is used
// again.
func TestMixConcurrent(t *testing.T) {
	p := newProxy(t, nil)
	p.serve(mix(0))
	var changed atomic.Bool
	var group sync.WaitGroup
	for _, format := range slices.Concat(formats, formats) {
		group.Go(func() {
			for !changed.Load() && !t.Failed() {
				contentType, text := p.scrape(t, format)
				if _, err := parse(text, contentType, format); err != nil {
					t.Errorf("%s: %v\n%.3000s", format, err, text)
				}
			}
		})
	}
	for seed := range uint64(100) {
		p.serve(mix(3000 + seed))
		p.scrape(t, podtest.Text)
	}
	changed.Store(true)
	group.Wait()
}

// TestMixStored tests the same with the scrape manager and the database of
// Prometheus: it is up, and has stored what healthy pods have.
func TestMixStored(t *testing.T) {
	p := newProxy(t, nil)
	server := httptest.NewServer(p.handler)
	t.Cleanup(server.Close)
	for seed := range uint64(8) {
		bodies := mix(1000 + seed)
		p.serve(bodies)
		for _, protocol := range []string{promtest.Text, promtest.OpenMetrics, promtest.Protobuf} {
			s := promtest.New(t)
			s.Scrape(t, server.URL+"/metrics", protocol)
			got := s.Series(t)
			if got["up"] != 1 {
				t.Fatalf("seed %d, %s: the proxy is not up", seed, protocol)
			}
			for i, b := range bodies {
				up := got[`up{k8s_namespace="`+namespace+`", k8s_pod_name="`+podName(i)+`"}`]
				if b.want != nil && up != 1 {
					t.Errorf("seed %d, %s: %s is not up", seed, protocol, podName(i))
				}
			}
			stored := 0
			for _, b := range bodies {
				stored += len(b.want)
			}
			if len(got) < stored {
				t.Errorf("seed %d, %s: %d series are stored; healthy pods alone have %d", seed, protocol, len(got), stored)
			}
		}
	}
}

// FuzzProxy is TestMix with one body that is not made of a seed.
func FuzzProxy(f *testing.F) {
	for i, text := range nasty {
		f.Add(uint64(i), []byte(text), uint8(i))
	}
	for i, format := range formats {
		f.Add(uint64(i), podtest.Compact(format), uint8(i))
	}
	p := newProxy(f, nil)
	f.Fuzz(func(t *testing.T, seed uint64, text []byte, contentType uint8) {
		bodies := append(mix(seed), body{answer: podtest.Answer{
			ContentType: contentTypes[int(contentType)%len(contentTypes)], Body: text,
		}})
		p.verify(t, bodies)
	})
}
