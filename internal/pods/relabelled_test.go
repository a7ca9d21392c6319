package pods_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/internal/pods"
	"github.com/kubevitals/kubevitals/internal/pods/fetch"
	"github.com/kubevitals/kubevitals/internal/pods/relabel"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// withRules relabels with little memory.
func withRules(t *testing.T, budget int64, rules string) func(*pods.Options) {
	t.Helper()
	client, err := fetch.New(fetch.Options{BodyLimit: budget / 4, WireLimit: budget / 4, Budget: budget})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	configs, err := relabel.ParseConfigs([]byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	return func(o *pods.Options) {
		o.Client, o.Relabel = client, &relabel.Relabeler{Configs: configs}
	}
}

// manySeries is a body of one family.
func manySeries(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a{x=\"%d\"} 1\n", i)
	}
	return b.String()
}

// TestRelabelledBodiesCount: what relabelling makes is held until the scrape is
// written, and then no more.
func TestRelabelledBodiesCount(t *testing.T) {
	const rules = "- {source_labels: [x], regex: (.*), target_label: y, replacement: long-$1-$1-$1-$1-$1-$1}"
	var opts pods.Options
	change := withRules(t, 64<<20, rules)
	p, _ := part(t, answers(t, always(manySeries(10_000)), always("b 1\n")), func(o *pods.Options) {
		change(o)
		opts = *o
	})
	ctx, done := operator.WithCleanup(t.Context())
	families, err := p.Gather(ctx, exposition.Text)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, f := range families {
		if f.Name == "a" || f.Name == "b" {
			if err := f.Runs(func(b []byte) error { out.Write(b); return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	held := opts.Client.Stats().Held
	if size := int64(out.Len()); held < size || held > size+size/4 {
		t.Errorf("%d bytes are held for %d", held, size)
	}
	done()
	if held := opts.Client.Stats().Held; held != 0 {
		t.Errorf("%d bytes are held after all", held)
	}
}

// TestRelabellingBeyondTheBudget costs the targets for which there is no memory.
func TestRelabellingBeyondTheBudget(t *testing.T) {
	const rules = "- {source_labels: [x], regex: (.+), target_label: y, replacement: '" // a text of 1000 bytes
	var opts pods.Options
	change := withRules(t, 4<<20, rules+strings.Repeat("x", 1000)+"'}")
	p, _ := part(t, answers(t, always(manySeries(50_000)), always("b 1\n")), func(o *pods.Options) {
		change(o)
		opts = *o
	})
	for range 2 {
		wants(t, scrape(t, p, exposition.Text), `up{pod="p0"} 0`, `scrape_error{pod="p0",reason="budget"} 1`, `up{pod="p1"} 1`, `b{pod="p1"} 1`)
		if held := opts.Client.Stats().Held; held != 0 {
			t.Errorf("%d bytes are held after all", held)
		}
	}
}

// TestRelabellingWaits: a target for which there is no memory waits until others give
// theirs back, and leaves its turn to compute to them, of which there is one here.
func TestRelabellingWaits(t *testing.T) {
	const size = 3 << 20
	end := make(chan struct{})
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = io.WriteString(w, strings.Repeat("<", size-1))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-end:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "<")
	}))
	t.Cleanup(bad.Close)
	targets := answers(t, always(manySeries(5000)), always(""))
	targets[1].Port = netip.MustParseAddrPort(bad.Listener.Addr().String()).Port()

	rules := "- {source_labels: [x], regex: (.+), target_label: y, replacement: '" + strings.Repeat("x", 300) + "'}"
	var client *fetch.Client
	change := withRules(t, 16<<20, rules)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	p, _ := part(t, targets, func(o *pods.Options) {
		change(o)
		client = o.Client
	})
	others := client.Claim(nil)
	if err := others.Grow(10 << 20); err != nil {
		t.Fatal(err)
	}
	defer others.Release()
	go func() {
		defer close(end)
		// The target has made its lines, and needs as much again for the body.
		deadline := time.Now().Add(5 * time.Second)
		for client.Stats().Held < 10<<20+size+3<<19 && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond) // between two looks
		}
	}()
	wants(t, scrape(t, p, exposition.Text), `up{pod="p0"} 1`, `up{pod="p1"} 0`, `scrape_error{pod="p1",reason="parse"} 1`)
}

// TestRelabellingMakesFamilies: their number is bounded as that of what pods send.
func TestRelabellingMakesFamilies(t *testing.T) {
	change := withRules(t, 64<<20, "- {source_labels: [x], regex: (.+), target_label: __name__, replacement: m$1}")
	p, _ := part(t, answers(t, always(manySeries(11)), always(manySeries(10))), func(o *pods.Options) {
		change(o)
		o.Limits.Families = 10
	})
	wants(t, scrape(t, p, exposition.Text), `up{pod="p0"} 0`, `scrape_error{pod="p0",reason="family_limit"} 1`, `up{pod="p1"} 1`, `m9{pod="p1",x="9"} 1`)
}

// TestRelabellingFails: a target that cannot be relabelled as a whole, since it answers
// in protobuf though it was asked for text, or since it becomes too large, gives nothing
// instead of samples that the rules have not seen.
func TestRelabellingFails(t *testing.T) {
	targets := answers(t, always(""), always("secret{x=\"1\"} 1\n"+manySeries(100)), always("secret 1\nb 1\n"))
	answersRecords(t, &targets[0], metric.Family{Desc: metric.Desc{Name: "secret", Type: metric.Gauge}, Samples: []metric.Sample{{Value: 1}}})

	change := withRules(t, 64<<20, "- {source_labels: [__name__], regex: secret, action: drop}")
	var opts pods.Options
	p, _ := part(t, targets, func(o *pods.Options) {
		change(o)
		o.Relabel.MaxBytes = 1000
		opts = *o
	})
	for range 2 {
		out := scrape(t, p, exposition.Text)
		wants(t, out, `up{pod="p0"} 0`, `scrape_error{pod="p0",reason="relabel"} 1`, `up{pod="p1"} 0`, `scrape_error{pod="p1",reason="relabel"} 1`,
			`up{pod="p2"} 1`, `b{pod="p2"} 1`)
		if strings.Contains(out, "secret") || strings.Contains(out, "\na{") {
			t.Errorf("a target that failed has samples:\n%s", out)
		}
		if held := opts.Client.Stats().Held; held != 0 {
			t.Errorf("%d bytes are held after all", held)
		}
	}
}
