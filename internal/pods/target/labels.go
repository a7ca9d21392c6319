package target

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// LabelSource is a label of targets, and where its value comes from. A target for
// which the value is empty does not get the label.
type LabelSource struct {
	// Name is the name of the label. The names container, port and path belong to
	// the sources that are called so.
	Name string
	// From is one of
	//
	//	node, pod, namespace, phase, pod_ip, pod_uid
	//	container, port, port_name, path  of the target
	//	owner_kind, owner_name            of the pod's controller
	//	label:KEY, annotation:KEY         of the pod
	//	=TEXT                             the text itself
	//
	// A ReplicaSet that a Deployment has made counts as that Deployment: if its
	// name ends in the pod's label pod-template-hash, the kind is Deployment and
	// the name is what stands in front of the hash.
	From string
}

// sources are all values of [LabelSource.From] without a parameter.
var sources = []string{
	"node", "pod", "namespace", "phase", "pod_ip", "pod_uid",
	containerLabel, portLabel, "port_name", pathLabel, "owner_kind", "owner_name",
}

// Sources says in a line what [LabelSource.From] can be.
func Sources() string { return strings.Join(sources, ", ") + ", label:KEY, annotation:KEY or =TEXT" }

// ParseLabelSource reads NAME=SOURCE, such as team=label:app.kubernetes.io/team
// or, for a fixed text, env==production.
func ParseLabelSource(s string) (LabelSource, error) {
	name, from, ok := strings.Cut(s, "=")
	if !ok {
		return LabelSource{}, fmt.Errorf("target label %q: write NAME=SOURCE, such as team=label:app.kubernetes.io/team", s)
	}
	l := LabelSource{Name: name, From: from}
	return l, l.Validate()
}

// Validate reports what is wrong with the name or the source.
func (l LabelSource) Validate() error {
	if !isLabelName(l.Name) {
		return fmt.Errorf("target label %q: a name has letters, digits and underscores, does not start with a digit or two underscores, and is not le or quantile", l.Name)
	}
	if slices.Contains([]string{containerLabel, portLabel, pathLabel}, l.Name) && l.From != l.Name {
		return fmt.Errorf("target label %q: the name belongs to the source %s, as it tells targets of one pod apart; call it otherwise", l.Name, l.Name)
	}
	key, isKey := strings.CutPrefix(l.From, "label:")
	if !isKey {
		key, isKey = strings.CutPrefix(l.From, "annotation:")
	}
	switch {
	case isKey && key == "":
		return fmt.Errorf("target label %q: source %q has no key", l.Name, l.From)
	case isKey, strings.HasPrefix(l.From, "="), slices.Contains(sources, l.From):
		return nil
	}
	return fmt.Errorf("target label %q: source %q is none of %s", l.Name, l.From, Sources())
}

// value returns the value of a label for a target that is complete but for its
// labels.
func (l LabelSource) value(pod *corev1.Pod, t *Target) string {
	if key, ok := strings.CutPrefix(l.From, "label:"); ok {
		return pod.Labels[key]
	}
	if key, ok := strings.CutPrefix(l.From, "annotation:"); ok {
		return pod.Annotations[key]
	}
	if text, ok := strings.CutPrefix(l.From, "="); ok {
		return text
	}
	switch l.From {
	case "node":
		return t.Node
	case "pod":
		return t.Pod
	case "namespace":
		return t.Namespace
	case "phase":
		return string(pod.Status.Phase)
	case "pod_ip":
		if !t.IP.IsValid() {
			return ""
		}
		return t.IP.String()
	case "pod_uid":
		return t.UID
	case containerLabel:
		return t.Container
	case portLabel:
		if t.Port == 0 {
			return ""
		}
		return strconv.Itoa(int(t.Port))
	case "port_name":
		return t.PortName
	case pathLabel:
		return t.Path
	case "owner_kind":
		kind, _ := owner(pod)
		return kind
	case "owner_name":
		_, name := owner(pod)
		return name
	}
	return ""
}

// templateHash is the label by which a Deployment tells its ReplicaSets apart.
const templateHash = "pod-template-hash"

// owner returns the pod's controller, and for a Deployment's ReplicaSet the
// Deployment.
func owner(pod *corev1.Pod) (kind, name string) {
	ref := metav1.GetControllerOfNoCopy(pod)
	if ref == nil {
		return "", ""
	}
	if hash := pod.Labels[templateHash]; ref.Kind == "ReplicaSet" && hash != "" {
		if deployment, ok := strings.CutSuffix(ref.Name, "-"+hash); ok && deployment != "" {
			return "Deployment", deployment
		}
	}
	return ref.Kind, ref.Name
}

// maxValue is how long a label's value can be. Annotations can be far longer, and
// every sample repeats them.
const maxValue = 1024

// clean makes any text a value: valid UTF-8 without NUL, and not too long.
func clean(s string) string {
	if len(s) > maxValue {
		s = s[:maxValue]
		for i := 1; i < utf8.UTFMax && i < len(s); i++ {
			if utf8.RuneStart(s[len(s)-i]) {
				if !utf8.FullRuneInString(s[len(s)-i:]) {
					s = s[:len(s)-i]
				}
				break
			}
		}
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// label gives the targets of one pod their labels.
func (o *Options) label(pod *corev1.Pod, targets []candidate) {
	ports := make(map[uint16]int)
	for _, t := range targets {
		ports[t.Port]++
	}
	for i := range targets {
		t := &targets[i]
		labels := make([]metric.Label, 0, 5+len(o.Labels))
		add := func(name, value string) {
			if value == "" || slices.ContainsFunc(labels, func(l metric.Label) bool { return l.Name == name }) {
				return
			}
			labels = append(labels, metric.Label{Name: name, Value: clean(value)})
		}
		add(o.podLabel(), t.Pod)
		add(o.namespaceLabel(), t.Namespace)
		if len(targets) > 1 {
			add(containerLabel, t.Container)
			if t.Port == 0 {
				add(portLabel, t.text)
			} else {
				add(portLabel, strconv.Itoa(int(t.Port)))
			}
			if t.Port != 0 && ports[t.Port] > 1 {
				add(pathLabel, t.Path)
			}
		}
		for _, l := range o.Labels {
			add(l.Name, l.value(pod, &t.Target))
		}
		t.Labels = labels
	}
}
