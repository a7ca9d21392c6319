package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kubevitals/kubevitals/internal/pods"
	"github.com/kubevitals/kubevitals/internal/web"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// register hangs everything on the servers.
//
// What pods call go_* and process_* is theirs on /metrics: a part owns whole
// families. What this process says under these names is on /metrics/self.
func (p *podsServer) register(to *servers) {
	op := to.op
	op.AddPart(podsPart, p.part, operator.Native())
	op.Collect(aboutPods, together([]operator.CollectorFunc{p.part.Collect, p.watcher.Collect}))
	op.Daemon(podsPart, p.run)
	op.Check(operator.Ready, podsPart, p.watcher.Ready)
	if p.auth != nil {
		p.auth.register(op)
	}
	// Handle protects it, and counts that.
	metrics := op.Exposition(exposition.Prometheus{}, operator.Except(processPart), operator.Public())
	op.Handle("GET /metrics", pods.RefuseLoops(metrics))
	op.Expose("/metrics/self", exposition.Prometheus{}, operator.Except(podsPart))
	op.Handle("GET /pods/{namespace}/{pod}/{port}", pods.RefuseLoops(p.part.Single()))
	op.Handle("GET /sd", p.known(p.part.Discovery()))
	op.Handle("GET /targets", web.PodsTargets(p.log, p.page))
	op.Handle("GET /{$}", web.PodsIndex(p.log, p.page))
}

// known answers 503 as long as pods are not known: to Prometheus an empty list is
// that there are none any more, and an error that what it had is still right.
func (p *podsServer) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := p.watcher.Ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// page is what the pages show.
func (p *podsServer) page() web.Pods {
	statuses := p.part.Statuses()
	page := web.Pods{
		Version: currentVersion(), Source: p.source, Targets: make([]web.Target, len(statuses)),
		Links: []web.Link{
			{Path: "/metrics", Text: "the metrics of all pods, what Prometheus scrapes"},
			{Path: "/metrics/self", Text: "the metrics of this process"},
			{Path: "/targets", Text: "each target, and what became of it"},
			{Path: "/sd", Text: "the targets for Prometheus' http_sd_configs"},
			{Path: "/readyz?verbose", Text: "whether the pods are known"},
			{Path: "/livez?verbose", Text: "whether the process works"},
		},
	}
	if err := p.watcher.Ready(context.Background()); err != nil {
		page.Err = err.Error()
	}
	for i := range statuses {
		page.Targets[i] = shown(&statuses[i])
	}
	return page
}

// shown returns a target as the pages show it.
func shown(s *pods.Status) web.Target {
	t := &s.Target
	out := web.Target{
		Namespace: t.Namespace, Pod: t.Pod, URL: t.URL(), Container: t.Container, PortName: t.PortName,
		Scraped: s.At, Duration: s.Duration, Samples: s.Samples, Bytes: s.Bytes, Reason: s.Reason,
		// What stands beside it is not said twice.
		Detail: strings.TrimPrefix(s.Detail, fmt.Sprintf("fetching %q: %s: ", t.URL(), s.Reason)),
	}
	for _, l := range t.Labels {
		if l.Value != t.Pod && l.Value != t.Namespace {
			out.Labels = append(out.Labels, l.Name, l.Value)
		}
	}
	if t.Problem != "" { // it was not asked, so that nothing took any time
		out.Scraped, out.Duration, out.Samples, out.Bytes = time.Time{}, 0, 0, 0
	} else {
		out.Link = "/pods/" + url.PathEscape(t.Namespace) + "/" + url.PathEscape(t.Pod) + "/" + strconv.Itoa(int(t.Port)) + "?path=" + url.QueryEscape(t.Path)
	}
	return out
}

// title says in one line which pods are scraped.
func (f *podsFlags) title(s *podsSettings, host string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Pods of %s with the labels %s", host, s.selector)
	if len(s.namespaces) > 0 {
		fmt.Fprintf(&b, " in %s", strings.Join(s.namespaces, ", "))
	}
	if f.choose.namespaceSelector != "" {
		fmt.Fprintf(&b, " in namespaces with the labels %s", f.choose.namespaceSelector)
	}
	if f.choose.fieldSelector != "" {
		fmt.Fprintf(&b, " with the fields %s", f.choose.fieldSelector)
	}
	if f.choose.node != "" {
		fmt.Fprintf(&b, " on the node %s", f.choose.node)
	}
	if shard := s.chosen.options.Shard; shard.Count > 1 {
		fmt.Fprintf(&b, ", share %d of %d, counted from 0", shard.Index, shard.Count)
	}
	return b.String()
}
