// Package target says what of a pod is scraped, and under which labels: it reads
// the annotations, decides which address and port may be asked, and orders the
// targets of many pods. It makes no requests and keeps no state; what a pod says
// of itself is never trusted further than to choose a port and a path at its own
// address.
package target

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// The annotations that are read. The first three mean what they mean to
// Prometheus' well-known configuration; pods need the first to be exactly "true".
const (
	AnnotationScrape        = "prometheus.io/scrape"
	AnnotationPort          = "prometheus.io/port"
	AnnotationPath          = "prometheus.io/path"
	AnnotationScheme        = "prometheus.io/scheme"
	AnnotationFormat        = "kubevitals.io/format"
	AnnotationSampleLimit   = "kubevitals.io/sample-limit"
	AnnotationBodySizeLimit = "kubevitals.io/body-size-limit"
	AnnotationScrapeTimeout = "kubevitals.io/scrape-timeout"
)

// What is used where a pod has no annotation.
const (
	DefaultPort   = "80"
	DefaultPath   = "/metrics"
	DefaultScheme = "http"
)

// FormatKopfProbe is the format of a target whose answer is the JSON of a kopf
// probe.
const FormatKopfProbe = "kopf-probe"

// Why a target is listed and not scraped.
const (
	// BadAnnotation says that an annotation is not valid.
	BadAnnotation = "bad_annotation"
	// BadAddress says that the pod's IP is none that may be asked.
	BadAddress = "address"
	// BadPort says that the port is none that may be asked there.
	BadPort = "port"
	// TargetLimit says that there are more targets than allowed.
	TargetLimit = "target_limit"
	// DuplicateEndpoint says that another pod claims the same address, port and
	// path.
	DuplicateEndpoint = "duplicate_endpoint"
	// Loop says that the target is this process itself.
	Loop = "loop"
)

// Problems are all values of [Target.Problem] but "".
var Problems = []string{BadAnnotation, BadAddress, BadPort, TargetLimit, DuplicateEndpoint, Loop}

// Target is one endpoint of a pod. It is a value that nobody changes: copies share
// the labels.
type Target struct {
	// ID is the pod's UID, the port and the path. It stays the same as long as
	// the pod lives, and no two targets share it.
	ID string
	// Namespace, Pod, UID and Node are those of the pod.
	Namespace, Pod, UID, Node string
	// Container and PortName are those of the container that declares the port;
	// empty when none does, or the port has no name.
	Container, PortName string
	// IP is the address of the pod, the only one that may be dialled. It is the
	// zero Addr if the pod has none that parses. IPv4 is never mapped into IPv6.
	IP netip.Addr
	// Port is 0 if the annotation is not valid.
	Port uint16
	// Scheme is "http" or "https".
	Scheme string
	// Path starts with a slash, is escaped as in a request line, and has the
	// query if there is one. It is empty if the annotation is not valid.
	Path string
	// Format is empty for an exposition of metrics, or [FormatKopfProbe].
	Format string
	// Host says that the pod uses the network of its node.
	Host bool
	// SampleLimit, BodySizeLimit and Timeout are what the pod asks for; 0 is
	// nothing. They may only lower what the operator allows.
	SampleLimit   int
	BodySizeLimit int64
	Timeout       time.Duration
	// Labels are the labels of the target that every sample of it gets: pod and
	// namespace first, then what tells the targets of one pod apart, then those
	// that were configured. No name occurs twice, no value is empty.
	Labels []metric.Label
	// PodLabels are the labels of the pod, if Options.KeepPodLabels asks for them.
	// They are shared, and not changed.
	PodLabels map[string]string
	// Problem says why the target is not scraped; empty if it is. It is one of
	// [Problems].
	Problem string
	// Detail explains the problem in a sentence. What it has of the pod's text
	// is quoted and cut.
	Detail string
}

// URL returns the URL to ask, or "" if the target has no address, port or path.
// Its host is always the IP.
func (t *Target) URL() string {
	if !t.IP.IsValid() || t.Port == 0 || t.Path == "" {
		return ""
	}
	path, query, _ := strings.Cut(t.Path, "?")
	plain, err := url.PathUnescape(path)
	if err != nil {
		return ""
	}
	u := url.URL{
		Scheme: t.Scheme, Host: net.JoinHostPort(t.IP.String(), strconv.Itoa(int(t.Port))),
		Path: plain, RawPath: path, RawQuery: query,
	}
	return u.String()
}

// candidate is a target with what decides between it and others.
type candidate struct {
	Target
	identity string // of the pod
	text     string // tells apart what has no port
	created  int64  // the pod, in seconds since 1970
	fading   bool   // the pod is about to end, or not ready
}

// targets takes off what is not needed any more.
func targets(candidates []candidate) []Target {
	if len(candidates) == 0 {
		return nil
	}
	out := make([]Target, len(candidates))
	for i := range candidates {
		out[i] = candidates[i].Target
	}
	return out
}

// compare orders targets of one pod.
func compare(a, b candidate) int {
	return cmp.Or(
		cmp.Compare(a.Port, b.Port),
		strings.Compare(a.Path, b.Path),
		strings.Compare(a.ID, b.ID),
	)
}

// quote quotes text that a pod has chosen, and cuts it.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return strconv.Quote(strings.ToValidUTF8(s[:most], "")) + "..."
	}
	return strconv.Quote(s)
}
