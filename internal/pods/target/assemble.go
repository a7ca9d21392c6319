package target

import corev1 "k8s.io/api/core/v1"

// Of returns the targets of one pod, sorted by port and path.
func (o *Options) Of(pod *corev1.Pod) []Target { return nil }

// Assemble returns the targets of all pods.
func (o *Options) Assemble(pods []*corev1.Pod) []Target { return nil }
