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
	if pod == nil || !o.Shard.Has(identity(pod)) {
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
