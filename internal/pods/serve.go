package pods

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/kubevitals/kubevitals/internal/pods/fetch"
	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// group is a group of targets in Prometheus' HTTP service discovery.
type group struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// Discovery serves the targets to Prometheus' http_sd_configs, so that it scrapes
// each of them through [Pods.Single]. Targets that are not asked are there too, and
// have up 0 as on /metrics; but for those without a valid port and path, which
// cannot be named.
func (p *Pods) Discovery() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		groups := []group{}
		for _, t := range p.opts.Targets() {
			if t.Port == 0 || t.Path == "" {
				continue
			}
			g := group{Targets: []string{r.Host}, Labels: map[string]string{
				"__metrics_path__": singlePath(&t), "__param_path": t.Path,
				"instance": hostPort(&t),
			}}
			if r.TLS != nil {
				g.Labels["__scheme__"] = "https"
			}
			for _, l := range t.Labels {
				g.Labels[l.Name] = l.Value
			}
			groups = append(groups, g)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(groups)
	})
}

func singlePath(t *target.Target) string {
	return "/pods/" + t.Namespace + "/" + t.Pod + "/" + strconv.Itoa(int(t.Port))
}

// hostPort returns what is asked, or would be. The pod stands for an address that
// is none.
func hostPort(t *target.Target) string {
	host := t.Pod
	if t.IP.IsValid() {
		host = t.IP.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(t.Port)))
}

// Single serves what one target answers, as it answers it, if that is valid. The
// path has the namespace, the pod and the port; the query "path" tells targets
// of one port apart. The limits are those of a scrape.
func (p *Pods) Single() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, ok := p.find(r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("port"), r.URL.Query().Get("path"))
		if !ok {
			http.Error(w, "no such target: /sd lists them", http.StatusNotFound)
			return
		}
		if t.Problem != "" {
			http.Error(w, t.Problem+": "+t.Detail, http.StatusBadGateway)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), remaining(r, p.opts.Timeout))
		defer cancel()
		one := &result{target: &t, state: new(state), single: true, accept: r.Header.Get("Accept")}
		defer func() { p.release([]*result{one}) }()
		p.scrape(ctx, exposition.Text, one)
		if one.err != nil {
			code := http.StatusBadGateway
			var failed *fetch.Error
			if errors.As(one.err, &failed) && failed.Reason == fetch.ReasonTimeout {
				code = http.StatusGatewayTimeout
			}
			http.Error(w, fmt.Sprintf("%s: %v", one.reason, one.err), code)
			return
		}
		w.Header().Set("Content-Type", one.body.Format.ContentType(exposition.AllowUTF8))
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(one.body.Body)
	})
}

// find returns the target of a pod and port.
func (p *Pods) find(namespace, pod, port, path string) (t target.Target, ok bool) {
	for _, t := range p.opts.Targets() {
		if t.Namespace == namespace && t.Pod == pod && strconv.Itoa(int(t.Port)) == port && (path == "" || t.Path == path) {
			return t, true
		}
	}
	return t, false
}

// RefuseLoops answers 508 to requests that another proxy sends for a scrape of its
// own: pods are scraped once, not through each other.
func RefuseLoops(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(fetch.HopHeader) != "" {
			http.Error(w, "this is a proxy of pods, and another proxy asks it: exclude the pod of this proxy by the other's label selector", http.StatusLoopDetected)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// timeoutHeader says how long the scraper waits.
const timeoutHeader = "X-Prometheus-Scrape-Timeout-Seconds"

// remaining returns how long a request may take.
func remaining(r *http.Request, most time.Duration) time.Duration {
	seconds, err := strconv.ParseFloat(r.Header.Get(timeoutHeader), 64)
	if err != nil || !(seconds > 0) || seconds > most.Seconds() {
		return most
	}
	d := time.Duration(seconds * float64(time.Second))
	return d - min(d/10, 500*time.Millisecond)
}
