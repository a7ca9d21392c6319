package target

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Of returns the targets of one pod, sorted by port and path. It returns nil if
// the pod is none to scrape: it has not the annotation, does not run, has no IP
// yet, or is another shard's. It sees this pod alone: the limit of targets and
// endpoints that two pods claim are Assemble's business.
func (o *Options) Of(pod *corev1.Pod) []Target {
	if pod == nil || !o.Shard.has(pod) {
		return nil
	}
	return targets(o.of(pod))
}

func (o *Options) of(pod *corev1.Pod) []candidate {
	if !o.wants(pod) {
		return nil
	}
	w, wrong := wishesOf(pod)
	ip, badAddress := o.address(pod)
	endpoints := o.endpoints(pod)
	out := make([]candidate, len(endpoints))
	for i, e := range endpoints {
		t := candidate{Target: Target{
			Namespace: pod.Namespace, Pod: pod.Name, UID: string(pod.UID), Node: pod.Spec.NodeName,
			Container: e.container, PortName: e.portName, IP: ip, Port: e.port, Path: e.path,
			Scheme: w.scheme, Format: w.format, Host: pod.Spec.HostNetwork,
			SampleLimit: w.samples, BodySizeLimit: w.bytes, Timeout: w.timeout,
			Problem: e.problem, Detail: e.detail,
		}, identity: identity(pod), text: e.text, created: pod.CreationTimestamp.Unix(), fading: pod.DeletionTimestamp != nil || !ready(pod)}
		if o.KeepPodLabels {
			t.PodLabels = pod.Labels
		}
		t.ID = t.identity + "/" + strconv.Itoa(int(t.Port)) + t.Path
		if e.port == 0 {
			t.ID = t.identity + "/0/" + e.text
		}
		switch {
		case o.SelfUID != "" && t.UID == o.SelfUID:
			t.Problem, t.Detail = Loop, "this is the pod of this process"
		case t.Problem != "":
		case wrong != nil:
			t.Problem, t.Detail = BadAnnotation, strings.ReplaceAll(wrong.Error(), "\n", "; ")
		case badAddress != "":
			t.Problem, t.Detail = BadAddress, badAddress
		default:
			t.Problem, t.Detail = o.check(&t.Target, e.container != "")
		}
		out[i] = t
	}
	slices.SortFunc(out, compare)
	o.label(pod, out)
	return out
}

// wants reports whether a pod is to be scraped at all.
func (o *Options) wants(pod *corev1.Pod) bool {
	switch {
	case pod.Status.Phase != corev1.PodRunning,
		pod.Annotations[AnnotationScrape] != "true",
		pod.Status.PodIP == "" && len(pod.Status.PodIPs) == 0,
		o.ReadyOnly && !ready(pod):
		return false
	case pod.DeletionTimestamp == nil, o.Terminating == TerminatingScrape:
		return true
	case o.Terminating == TerminatingDrop:
		return false
	}
	// It is set to when the pod should be gone.
	return o.now().Before(pod.DeletionTimestamp.Time)
}

func ready(pod *corev1.Pod) bool {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// identity returns what tells a pod from every other that ever was.
func identity(pod *corev1.Pod) string {
	if pod.UID != "" {
		return string(pod.UID)
	}
	return types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}.String()
}

// has reports whether the pod belongs to the shard: of all shards it is the one
// whose hash together with the pod's UID is highest, so that another shard takes
// its share of pods from all, and nothing else moves.
func (s Shard) has(pod *corev1.Pod) bool {
	if s.Count <= 1 {
		return true
	}
	id := uint64(14695981039346656037) // FNV-1a
	for _, c := range []byte(identity(pod)) {
		id = (id ^ uint64(c)) * 1099511628211
	}
	best, winner := uint64(0), 0
	for i := range s.Count {
		if h := mix(id ^ mix(uint64(i)+1)); h > best {
			best, winner = h, i
		}
	}
	return winner == s.Index
}

// mix is the finalizer of splitmix64: each bit of the argument changes each of
// the result with probability one half.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
