package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// Pods is what the pages about pods show.
type Pods struct {
	// Version is the version of the program.
	Version string
	// Source says which pods are scraped, in one line.
	Source string
	// Err is why pods are not known, or empty.
	Err string
	// Targets are in the order in which they are shown: those of a namespace
	// follow each other.
	Targets []Target
	// Links lead to the other routes.
	Links []Link

	// only is the state of the targets that are shown; empty for all.
	only string
}

// Target is one endpoint of a pod. Its texts may be anything that a pod says.
type Target struct {
	Namespace, Pod, URL string
	// Container and PortName are empty where they are not known.
	Container, PortName string
	// Link leads to what the target answers; empty for one that is not asked.
	Link string
	// Scraped is when the last scrape ended; zero if there was none yet.
	Scraped time.Time
	// Duration, Samples and Bytes are those of the last scrape. Bytes are -1 for
	// a body beyond the limit.
	Duration time.Duration
	Samples  int
	Bytes    int64
	// Reason is why the target gives nothing; empty if it does. Detail explains
	// it.
	Reason, Detail string
	// Labels are names and values in turn.
	Labels []string
}

// State is "up", "down", or "waiting" for a target that was not scraped yet.
func (t Target) State() string {
	switch {
	case t.Reason != "":
		return "down"
	case t.Scraped.IsZero():
		return "waiting"
	}
	return "up"
}

// Pairs returns the labels as they stand in an exposition.
func (t Target) Pairs() []string {
	out := make([]string, 0, len(t.Labels)/2)
	for i := 1; i < len(t.Labels); i += 2 {
		out = append(out, t.Labels[i-1]+"="+strconv.Quote(t.Labels[i]))
	}
	return out
}

// Group is the targets of one namespace.
type Group struct {
	Namespace string
	Targets   []Target
}

// Groups returns the targets that are to be shown, by namespace.
func (p Pods) Groups() []Group {
	var out []Group
	for _, t := range p.Targets {
		if p.only != "" && t.State() != p.only {
			continue
		}
		if n := len(out); n == 0 || out[n-1].Namespace != t.Namespace {
			out = append(out, Group{Namespace: t.Namespace})
		}
		g := &out[len(out)-1]
		g.Targets = append(g.Targets, t)
	}
	return out
}

// Only returns the state of the targets that are shown; empty for all.
func (p Pods) Only() string { return p.only }

// States are the states that a target can have.
func (Pods) States() []string { return []string{"up", "down", "waiting"} }

// Count returns how many targets have a state.
func (p Pods) Count(state string) (n int) {
	for _, t := range p.Targets {
		if t.State() == state {
			n++
		}
	}
	return n
}

// Count returns how many targets of the namespace have a state.
func (g Group) Count(state string) int { return Pods{Targets: g.Targets}.Count(state) }

// Samples returns how many samples the targets gave.
func (p Pods) Samples() (n int) {
	for _, t := range p.Targets {
		n += t.Samples
	}
	return n
}

// PodsIndex serves the landing page of the command pods; page is called for each
// request.
func PodsIndex(log *slog.Logger, page func() Pods) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { render(w, log, "pods.html", page()) })
}

// PodsTargets serves the page of all targets; page is called for each request.
// The query "state" leaves out all but those of one state.
func PodsTargets(log *slog.Logger, page func() Pods) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := page()
		for _, state := range p.States() {
			if r.URL.Query().Get("state") == state {
				p.only = state
			}
		}
		render(w, log, "targets.html", p)
	})
}

// size says how many bytes something has.
func size(n int64) string {
	switch {
	case n < 0:
		return "too large"
	case n < 1<<10:
		return strconv.FormatInt(n, 10) + " B"
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// took says how long something took.
func took(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
