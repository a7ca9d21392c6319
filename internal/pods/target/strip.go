package target

import (
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Matters reports whether a pod can make a difference to any target: it asks to be
// scraped, or it is the pod of this process.
func (o *Options) Matters(pod *corev1.Pod) bool {
	return pod.Annotations[AnnotationScrape] == "true" || o.SelfUID != "" && string(pod.UID) == o.SelfUID
}

// Strip returns a pod that has what makes its targets and nothing else: Of and
// Assemble say the same of it, with the same options. A pod that does not ask to be
// scraped keeps little more than its name. What is kept is shared with the pod,
// which does not change.
func (o *Options) Strip(pod *corev1.Pod) *corev1.Pod {
	out := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
		CreationTimestamp: pod.CreationTimestamp, DeletionTimestamp: pod.DeletionTimestamp,
	}}
	if o.Matters(pod) {
		out.Status.PodIP, out.Status.PodIPs = pod.Status.PodIP, pod.Status.PodIPs
	}
	if pod.Annotations[AnnotationScrape] != "true" {
		return out
	}
	o.stripMeta(pod, out)
	out.Spec = corev1.PodSpec{
		NodeName: pod.Spec.NodeName, HostNetwork: pod.Spec.HostNetwork,
		Containers: stripContainers(pod.Spec.Containers), InitContainers: stripContainers(pod.Spec.InitContainers),
	}
	out.Status.Phase, out.Status.HostIP, out.Status.HostIPs = pod.Status.Phase, pod.Status.HostIP, pod.Status.HostIPs
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			out.Status.Conditions = []corev1.PodCondition{{Type: c.Type, Status: c.Status}}
			break
		}
	}
	return out
}

// stripMeta keeps the annotations and labels that are read.
func (o *Options) stripMeta(pod, out *corev1.Pod) {
	out.Annotations = make(map[string]string, 4)
	keep := func(to, from map[string]string, key string) {
		if v, ok := from[key]; ok {
			to[key] = v
		}
	}
	for _, key := range []string{
		AnnotationScrape, AnnotationPort, AnnotationPath, AnnotationScheme,
		AnnotationFormat, AnnotationSampleLimit, AnnotationBodySizeLimit, AnnotationScrapeTimeout,
	} {
		keep(out.Annotations, pod.Annotations, key)
	}
	if o.KeepPodLabels {
		out.Labels = maps.Clone(pod.Labels)
	}
	for _, l := range o.Labels {
		if key, ok := strings.CutPrefix(l.From, "annotation:"); ok {
			keep(out.Annotations, pod.Annotations, key)
			continue
		}
		key, isLabel := strings.CutPrefix(l.From, "label:")
		if strings.HasPrefix(l.From, "owner_") {
			key, isLabel = templateHash, true
			if ref := metav1.GetControllerOfNoCopy(pod); ref != nil {
				out.OwnerReferences = []metav1.OwnerReference{{Kind: ref.Kind, Name: ref.Name, Controller: ref.Controller}}
			}
		}
		if isLabel {
			if out.Labels == nil {
				out.Labels = make(map[string]string, 2)
			}
			keep(out.Labels, pod.Labels, key)
		}
	}
}

// stripContainers keeps the containers that declare ports.
func stripContainers(all []corev1.Container) []corev1.Container {
	var out []corev1.Container
	for i := range all {
		if c := &all[i]; len(c.Ports) > 0 {
			out = append(out, corev1.Container{Name: c.Name, Ports: c.Ports, RestartPolicy: c.RestartPolicy})
		}
	}
	return out
}
