package watch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

// newClient makes a client for the core API alone, which costs a fraction of the
// memory of one for all of Kubernetes.
func newClient(config *rest.Config) (rest.Interface, error) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	c := rest.CopyConfig(config)
	c.APIPath, c.GroupVersion = "/api", &corev1.SchemeGroupVersion
	c.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	c.ContentType = runtime.ContentTypeProtobuf
	c.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	c.Timeout = 0 // it would end watches
	if c.QPS == 0 && c.RateLimiter == nil {
		c.QPS, c.Burst = 50, 100 // each namespace is asked about by itself
	}
	client, err := rest.RESTClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("making a client for the API server: %w", err)
	}
	return client, nil
}

// maxList is how long a list may take.
const maxList = 2 * time.Minute

// list asks for all objects at once.
func (f *feed) list(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, maxList)
	defer cancel()
	out := f.empty()
	err := f.request(&o).Do(ctx).Into(out)
	f.note(ctx, err)
	return out, err
}

// noAnswer is what client-go makes of a connection that breaks instead of an
// answer: a watch without events.
var noAnswer = reflect.TypeOf(watch.NewEmptyWatch())

// watch asks for changes. The request is over well before what is known counts as
// too old, so that a server without bookmarks gives a sign of life in time; and
// also if the server does not end it.
func (f *feed) watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	period := max(time.Second, time.Duration((0.4+0.4*rand.Float64())*float64(f.watcher.stale)))
	seconds := int64(period / time.Second)
	o.TimeoutSeconds, o.Watch = &seconds, true

	bounded, cancel := context.WithTimeout(ctx, period+30*time.Second)
	events, err := f.request(&o).Watch(bounded)
	if err == nil && reflect.TypeOf(events) == noAnswer {
		err = errors.New("the connection broke before the API server answered")
	}
	streaming := o.SendInitialEvents != nil
	switch {
	case err == nil:
		f.note(ctx, nil)
		return &bound{Interface: events, cancel: cancel}, nil
	case streaming:
		// Most servers before Kubernetes 1.34 refuse to stream a list. The
		// reflector asks for a plain one then, and that says whether anything is
		// wrong. It would wait without an end for some errors if it knew them.
		err = fmt.Errorf("streaming a list: %s", err.Error())
	default:
		f.note(ctx, err)
	}
	cancel()
	return nil, err
}

// request makes a request about what the feed is about. It is not repeated: run
// does that, and a failure is to be known at once.
func (f *feed) request(o *metav1.ListOptions) *rest.Request {
	o.LabelSelector, o.FieldSelector = f.labels, f.fields
	return f.client.Get().NamespaceIfScoped(f.namespace, f.namespace != "").Resource(f.resource).
		VersionedParams(o, metav1.ParameterCodec).MaxRetries(0)
}

// bound is a watch whose request ends with it.
type bound struct {
	watch.Interface
	cancel context.CancelFunc
}

// Stop ends the watch.
func (b *bound) Stop() {
	b.cancel()
	b.Interface.Stop()
}
