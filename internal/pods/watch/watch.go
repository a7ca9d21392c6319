// Package watch keeps the targets of the pods of a cluster up to date, by watching
// what the API server says of them. Targets are always made of everything that is
// known, never of single changes, so that a missed event costs nothing for longer
// than until the next list. An API server that is down or says no costs nothing of
// what is known either; how old that is shows in the metrics and in readiness.
package watch

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/pods/target"
)

// Options say which pods are watched. The zero value is all of the cluster.
type Options struct {
	// Selector selects pods by their labels, as kubectl's --selector does.
	Selector string
	// FieldSelector selects pods by what the API server supports, such as
	// metadata.name!=x. Only running pods are asked for in any case.
	FieldSelector string
	// Namespaces are the only ones that are watched, each by itself so that a Role
	// there is enough; none is all, for which a ClusterRole is needed.
	Namespaces []string
	// NamespaceSelector, if not empty, selects namespaces by their labels, out of
	// Namespaces. Namespaces must be readable then.
	NamespaceSelector string
	// NodeName, if not empty, leaves out the pods of other nodes.
	NodeName string
	// Target says what of the pods is scraped.
	Target target.Options
	// StaleAfter is how long the API server may be out of reach until readiness
	// fails; 0 is 5 minutes.
	StaleAfter time.Duration
	// Log gets what goes wrong, at most once per minute and watch; nil is nowhere.
	Log *slog.Logger
}

// defaultStaleAfter is for [Options.StaleAfter].
const defaultStaleAfter = 5 * time.Minute

// Watcher has the targets of the pods that it watches. All methods are safe for
// concurrent use; [Watcher.Run] must not run twice at a time.
type Watcher struct {
	target     target.Options
	stale      time.Duration
	retry      time.Duration // after the first failure
	coalesce   time.Duration // of changes
	log        *slog.Logger
	pods       []*feed
	namespaces *feed // nil without a selector
	dirty      chan struct{}
	snapshot   atomic.Pointer[snapshot]
}

// snapshot is what was known at one time. It is not changed.
type snapshot struct {
	targets []target.Target
	// complete says that everything had been listed.
	complete bool
}

// New makes a watcher that asks the API server of config, which is copied. No
// request is made before Run. What is wrong in the options is an error that says
// what to write.
func New(config *rest.Config, o Options) (*Watcher, error) {
	q, err := o.queries()
	if err != nil {
		return nil, err
	}
	client, err := newClient(config)
	if err != nil {
		return nil, err
	}
	w := &Watcher{
		target: o.Target, stale: o.StaleAfter, retry: 500 * time.Millisecond, coalesce: 100 * time.Millisecond,
		log: o.Log, dirty: make(chan struct{}, 1),
	}
	if w.stale == 0 {
		w.stale = defaultStaleAfter
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	for _, query := range q {
		f := newFeed(w, client, query)
		if query.resource == "namespaces" {
			w.namespaces = f
		} else {
			w.pods = append(w.pods, f)
		}
	}
	w.snapshot.Store(&snapshot{})
	return w, nil
}

// query is what is listed and watched at one place.
type query struct {
	resource  string // pods or namespaces
	namespace string // empty for all
	labels    string
	fields    string
}

// queries returns what is asked for, and reports all that is wrong in the options.
func (o *Options) queries() ([]query, error) {
	errs := []error{o.Target.Validate()}
	pods, err := labels.Parse(o.Selector)
	if err != nil {
		errs = append(errs, fmt.Errorf("pod selector %q: %w; write requirements such as app=web,tier in (a,b),!canary", o.Selector, err))
	}
	fields, err := o.fields()
	errs = append(errs, err)
	namespaces, err := labels.Parse(o.NamespaceSelector)
	if err != nil {
		errs = append(errs, fmt.Errorf("namespace selector %q: %w; write requirements such as team=blue,env in (a,b)", o.NamespaceSelector, err))
	}
	for _, n := range o.Namespaces {
		if problems := validation.IsDNS1123Label(n); len(problems) > 0 {
			errs = append(errs, fmt.Errorf("namespace %q: %s", n, strings.Join(problems, "; ")))
		}
	}
	if o.StaleAfter < 0 {
		errs = append(errs, fmt.Errorf("age of data that are too old: %s is negative", o.StaleAfter))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	places := slices.Compact(slices.Sorted(slices.Values(o.Namespaces)))
	if len(places) == 0 {
		places = []string{""}
	}
	var out []query
	for _, namespace := range places {
		out = append(out, query{resource: "pods", namespace: namespace, labels: pods.String(), fields: fields})
	}
	if strings.TrimSpace(o.NamespaceSelector) != "" {
		out = append(out, query{resource: "namespaces", labels: namespaces.String()})
	}
	return out, nil
}

// fields returns the field selector with all that the API server can sort out.
func (o *Options) fields() (string, error) {
	own, err := fields.ParseSelector(o.FieldSelector)
	if err != nil {
		return "", fmt.Errorf("field selector %q: %w; write terms such as metadata.name!=x,spec.nodeName=y", o.FieldSelector, err)
	}
	all := []fields.Selector{own, fields.OneTermEqualSelector("status.phase", string(corev1.PodRunning))}
	if o.NodeName != "" {
		all = append(all, fields.OneTermEqualSelector("spec.nodeName", o.NodeName))
	}
	all = slices.DeleteFunc(all, fields.Selector.Empty)
	return fields.AndSelectors(all...).String(), nil
}

// Targets returns all targets as they were at one time, sorted by namespace, pod,
// port and path. The slice is shared: it must not be changed. The call costs
// nothing.
func (w *Watcher) Targets() []target.Target {
	return w.snapshot.Load().targets
}

// LastContact returns when the API server was last heard of, about what it was
// heard of least; zero if some of it never was.
func (w *Watcher) LastContact() time.Time {
	var oldest time.Time
	for i, f := range w.feeds() {
		if t := f.state().contact; i == 0 || t.Before(oldest) {
			oldest = t
		}
	}
	return oldest
}

// feeds returns all that is watched.
func (w *Watcher) feeds() []*feed {
	if w.namespaces == nil {
		return w.pods
	}
	return append(slices.Clip(w.pods), w.namespaces)
}
