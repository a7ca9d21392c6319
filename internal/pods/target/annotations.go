package target

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// endpoint is one entry of the annotation prometheus.io/port.
type endpoint struct {
	text                string // as it tells bad entries apart
	port                uint16
	container, portName string
	path                string
	problem, detail     string
}

// surplus stands for all entries beyond the limit.
const surplus = "#more"

// endpoints reads which ports and paths of a pod are asked. Entries that say the
// same are one.
func (o *Options) endpoints(pod *corev1.Pod) []endpoint {
	list := annotation(pod, AnnotationPort, DefaultPort)
	entries := strings.SplitN(list, ",", o.maxPorts()+1)
	out := make([]endpoint, 0, len(entries))
	for i, entry := range entries {
		entry = strings.TrimSpace(entry)
		if i == o.maxPorts() {
			out = append(out, endpoint{text: surplus, problem: TargetLimit, detail: fmt.Sprintf(
				"annotation %s has %d entries; those beyond the first %d are not scraped", AnnotationPort, 1+strings.Count(list, ","), i)})
			break
		}
		e, err := o.endpoint(pod, entry)
		if err != nil {
			e.problem, e.detail = BadAnnotation, err.Error()
		}
		if e.port == 0 {
			e.text = name(entry, i)
		}
		if !slices.ContainsFunc(out, func(x endpoint) bool { return x.port == e.port && x.path == e.path && x.text == e.text }) {
			out = append(out, e)
		}
	}
	return out
}

// endpoint reads PORT or PORT:PATH. Beside an error it says what is known.
func (o *Options) endpoint(pod *corev1.Pod, entry string) (endpoint, error) {
	port, path, own := strings.Cut(entry, ":")
	source := AnnotationPort
	if !own {
		source, path = AnnotationPath, annotation(pod, AnnotationPath, DefaultPath)
	}
	e, err := portOf(pod, port)
	if err != nil {
		return endpoint{}, fmt.Errorf("annotation %s: %w", AnnotationPort, err)
	}
	e.path, err = ParsePath(path)
	if err == nil && o.PathAllow != nil && !o.PathAllow.MatchString(e.path) {
		err = fmt.Errorf("path %s does not match --path-allow", quote(path))
	}
	switch {
	case err == nil:
		return e, nil
	case own:
		return endpoint{}, fmt.Errorf("annotation %s: entry %s: %w", source, quote(entry), err)
	default:
		e.path = ""
		return e, fmt.Errorf("annotation %s: %w", source, err)
	}
}

// portOf reads a number or the name of a declared port.
func portOf(pod *corev1.Pod, s string) (endpoint, error) {
	if s == "" {
		return endpoint{}, errors.New(`"" is no port; write a number or the name of a container's port`)
	}
	if strings.Trim(s, "0123456789") == "" {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil || n == 0 || s[0] == '0' {
			return endpoint{}, fmt.Errorf("%s is no port; write a number from 1 to 65535, without leading zeros", quote(s))
		}
		e := endpoint{port: uint16(n)}
		if c, p := declares(pod, func(p *corev1.ContainerPort) bool { return p.ContainerPort == int32(n) }); p != nil {
			e.container, e.portName = c, p.Name
		}
		return e, nil
	}
	c, p := declares(pod, func(p *corev1.ContainerPort) bool { return p.Name == s })
	if p == nil || p.ContainerPort < 1 || p.ContainerPort > 65535 {
		return endpoint{}, fmt.Errorf("%s is no number, and no container declares a TCP port of that name", quote(s))
	}
	return endpoint{port: uint16(p.ContainerPort), container: c, portName: p.Name}, nil
}

// declares looks for a TCP port in the containers of a pod, and then in the init
// containers that go on running. If several match it is the first.
func declares(pod *corev1.Pod, match func(*corev1.ContainerPort) bool) (container string, port *corev1.ContainerPort) {
	find := func(c *corev1.Container) bool {
		for i := range c.Ports {
			p := &c.Ports[i]
			if (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP) && match(p) {
				container, port = c.Name, p
				return true
			}
		}
		return false
	}
	for i := range pod.Spec.Containers {
		if find(&pod.Spec.Containers[i]) {
			return container, port
		}
	}
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways && find(c) {
			break
		}
	}
	return container, port
}

// name tells a bad entry from the others of its pod, in the label port: by its
// text if that is harmless, else by its number from 1.
func name(entry string, i int) string {
	const harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/"
	if entry == "" || len(entry) > 63 || strings.Trim(entry, harmless) != "" {
		return "#" + strconv.Itoa(i+1)
	}
	return entry
}

// wishes are what annotations say of all targets of a pod.
type wishes struct {
	scheme, format string
	samples        int
	bytes          int64
	timeout        time.Duration
}

func wishesOf(pod *corev1.Pod) (w wishes, err error) {
	var errs []error
	w.scheme = annotation(pod, AnnotationScheme, DefaultScheme)
	switch scheme := strings.ToLower(w.scheme); scheme {
	case "http", "https":
		w.scheme = scheme
	default:
		errs = append(errs, fmt.Errorf("annotation %s: %s is neither http nor https", AnnotationScheme, quote(w.scheme)))
		w.scheme = DefaultScheme
	}
	w.format = pod.Annotations[AnnotationFormat]
	if w.format != "" && w.format != FormatKopfProbe {
		errs = append(errs, fmt.Errorf("annotation %s: %s is not %s", AnnotationFormat, quote(w.format), FormatKopfProbe))
		w.format = ""
	}
	if s := pod.Annotations[AnnotationSampleLimit]; s != "" {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil || n == 0 {
			errs = append(errs, fmt.Errorf("annotation %s: %s is no number of samples", AnnotationSampleLimit, quote(s)))
		}
		w.samples = int(n)
	}
	if s := pod.Annotations[AnnotationBodySizeLimit]; s != "" {
		w.bytes = bytesOf(s)
		if w.bytes == 0 {
			errs = append(errs, fmt.Errorf("annotation %s: %s is no number of bytes such as 4Mi", AnnotationBodySizeLimit, quote(s)))
		}
	}
	if s := pod.Annotations[AnnotationScrapeTimeout]; s != "" {
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			errs = append(errs, fmt.Errorf("annotation %s: %s is no duration such as 5s", AnnotationScrapeTimeout, quote(s)))
		}
		w.timeout = max(d, 0)
	}
	return w, errors.Join(errs...)
}

// bytesOf reads a quantity of Kubernetes; 0 is none.
func bytesOf(s string) int64 {
	if len(s) > 20 {
		return 0
	}
	if _, exponent, ok := strings.Cut(strings.ToLower(s), "e"); ok && len(strings.TrimLeft(exponent, "+0")) > 2 {
		return 0
	}
	q, err := resource.ParseQuantity(s)
	if err != nil || q.Sign() <= 0 {
		return 0
	}
	return q.Value()
}

// annotation returns an annotation, or what an absent or empty one means.
func annotation(pod *corev1.Pod, key, absent string) string {
	if v := pod.Annotations[key]; v != "" {
		return v
	}
	return absent
}
