package target

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"github.com/kubevitals/kubevitals/internal/shard"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// The labels that a target has unless [Options] names others.
const (
	DefaultPodLabel       = "k8s_pod_name"
	DefaultNamespaceLabel = "k8s_namespace"
)

// The labels that tell the targets of one pod apart: container and port where it
// has several targets, and path where several have one port.
const (
	containerLabel = "container"
	portLabel      = "port"
	pathLabel      = "path"
)

// HostPorts says which ports of pods that use the network of their node may be
// asked. Reserved ports never are.
type HostPorts string

// The policies for ports of the node's network.
const (
	// HostPortsDeclared allows the ports that a container declares. It is what
	// the empty policy means.
	HostPortsDeclared HostPorts = "declared"
	// HostPortsAny allows all ports.
	HostPortsAny HostPorts = "any"
	// HostPortsNone allows none.
	HostPortsNone HostPorts = "none"
)

// Terminating says what becomes of the targets of a pod that is being deleted.
type Terminating string

// The policies for pods that are being deleted.
const (
	// TerminatingGrace scrapes the pod until its grace period is over. It is
	// what the empty policy means.
	TerminatingGrace Terminating = "grace"
	// TerminatingScrape scrapes the pod as long as it runs.
	TerminatingScrape Terminating = "scrape"
	// TerminatingDrop drops the targets at once.
	TerminatingDrop Terminating = "drop"
)

// Family is a preference for addresses of pods that have both.
type Family string

// The preferences. The empty one takes the pod's first address, which is of the
// cluster's primary family.
const (
	IPv4 Family = "ipv4"
	IPv6 Family = "ipv6"
)

// DefaultMaxPortsPerPod is how many targets a pod can have unless [Options] says
// otherwise.
const DefaultMaxPortsPerPod = 16

// Options decide which pods are targets. The zero value is ready to use, and is
// what a pod without special wishes needs. Options are not changed while they are
// used, and are then safe for concurrent use.
type Options struct {
	// PodLabel and NamespaceLabel are the names of the labels that each target
	// has, by default k8s_pod_name and k8s_namespace.
	PodLabel, NamespaceLabel string
	// Labels are further ones.
	Labels []LabelSource
	// KeepPodLabels gives targets the labels of their pod.
	KeepPodLabels bool
	// Family is the address that is taken of a pod with several. A pod without
	// one of that family is asked at the one it has.
	Family Family
	// PodCIDRs, if there are any, are where addresses of pods must lie. They then
	// are all that matters: loopback addresses, too, can be allowed so. Without
	// them loopback, link-local, multicast and unspecified addresses are refused.
	PodCIDRs []netip.Prefix
	// SelfUID is the UID of the pod that this process is in, if it is known.
	SelfUID string
	// SelfAddrs are addresses of this process, if they are known. Those of the
	// pod with SelfUID are added by Assemble.
	SelfAddrs []netip.Addr
	// SelfPort is where this process serves.
	SelfPort uint16
	// ReservedPorts are never asked at addresses of nodes and at our own, beside
	// those of the kubelet and the control plane.
	ReservedPorts []uint16
	// HostPorts is the policy for pods that use the network of their node.
	HostPorts HostPorts
	// PathAllow, if not nil, must match the path with its query. Make it with
	// ParsePathAllow, or anchor it.
	PathAllow *regexp.Regexp
	// ReadyOnly leaves out pods that are not ready.
	ReadyOnly bool
	// Terminating is the policy for pods that are being deleted.
	Terminating Terminating
	// MaxTargets is how many targets are scraped at most; 0 is no limit. The
	// oldest pods stay.
	MaxTargets int
	// MaxPortsPerPod is how many entries the list of a pod can have; 0 is
	// DefaultMaxPortsPerPod.
	MaxPortsPerPod int
	// Shard is the part of the pods that is listed.
	Shard shard.Shard
	// Now is the clock for TerminatingGrace, nil for the real one.
	Now func() time.Time
}

// Validate reports everything that is wrong with the options.
func (o *Options) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !slices.Contains([]HostPorts{"", HostPortsDeclared, HostPortsAny, HostPortsNone}, o.HostPorts) {
		bad("host ports: %q is none of declared, any, none", string(o.HostPorts))
	}
	if !slices.Contains([]Terminating{"", TerminatingGrace, TerminatingScrape, TerminatingDrop}, o.Terminating) {
		bad("terminating pods: %q is none of grace, scrape, drop", string(o.Terminating))
	}
	if !slices.Contains([]Family{"", IPv4, IPv6}, o.Family) {
		bad("IP family: %q is none of ipv4, ipv6", string(o.Family))
	}
	if o.MaxTargets < 0 || o.MaxPortsPerPod < 0 {
		bad("target limit: %d targets, %d ports per pod: use 0 for the default", o.MaxTargets, o.MaxPortsPerPod)
	}
	errs = append(errs, o.Shard.Check())
	for _, p := range o.PodCIDRs {
		if !p.IsValid() || p.Addr().Is4In6() {
			bad("pod CIDR %q: write an address and a length, such as 10.244.0.0/16", p.String())
		}
	}
	return errors.Join(append(errs, o.validateLabels())...)
}

func (o *Options) validateLabels() error {
	var errs []error
	seen := make(map[string]bool)
	for _, l := range slices.Concat([]LabelSource{{o.podLabel(), "pod"}, {o.namespaceLabel(), "namespace"}}, o.Labels) {
		err := l.Validate()
		if err == nil && seen[l.Name] {
			err = fmt.Errorf("target label %q is there twice", l.Name)
		}
		seen[l.Name] = true
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (o *Options) podLabel() string {
	if o.PodLabel == "" {
		return DefaultPodLabel
	}
	return o.PodLabel
}

func (o *Options) namespaceLabel() string {
	if o.NamespaceLabel == "" {
		return DefaultNamespaceLabel
	}
	return o.NamespaceLabel
}

func (o *Options) maxPorts() int {
	if o.MaxPortsPerPod == 0 {
		return DefaultMaxPortsPerPod
	}
	return o.MaxPortsPerPod
}

func (o *Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// ParsePathAllow compiles a regular expression for [Options.PathAllow] that must
// match the whole path and query. The empty string allows all: it gives nil.
func ParsePathAllow(expr string) (*regexp.Regexp, error) {
	if expr == "" {
		return nil, nil
	}
	if _, err := regexp.Compile(expr); err != nil {
		return nil, fmt.Errorf("path allow-list: %w", err)
	}
	return regexp.Compile("^(?:" + expr + ")$")
}

// isLabelName reports whether a target can have a label of that name.
func isLabelName(name string) bool {
	return metric.IsLabelName(name) && name != "le" && name != "quantile"
}
