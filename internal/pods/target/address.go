package target

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// reserved are the ports of a node that no annotation leads to: those of the
// kubelet, of etcd and of the control plane.
var reserved = []uint16{2379, 2380, 6443, 10249, 10250, 10255, 10257, 10259}

// addresses returns what the pod's status says, the preferred family first. As in
// the API server the first of podIPs is podIP; if they differ, podIP is right.
func (o *Options) addresses(pod *corev1.Pod) []string {
	var all []string
	for _, ip := range pod.Status.PodIPs {
		all = append(all, ip.IP)
	}
	if ip := pod.Status.PodIP; ip != "" && (len(all) == 0 || all[0] != ip) {
		all = []string{ip}
	}
	if o.Family == "" || len(all) < 2 {
		return all
	}
	slices.SortStableFunc(all, func(a, b string) int { return o.rank(a) - o.rank(b) })
	return all
}

// rank is 0 for addresses of the preferred family.
func (o *Options) rank(s string) int {
	ip, err := netip.ParseAddr(s)
	if err == nil && ip.Unmap().Is4() == (o.Family == IPv4) {
		return 0
	}
	return 1
}

// address returns the first address of the pod that may be asked. If there is
// none, it says what is wrong with the first.
func (o *Options) address(pod *corev1.Pod) (ip netip.Addr, detail string) {
	for _, s := range o.addresses(pod) {
		a, err := netip.ParseAddr(s)
		var why string
		switch {
		case err != nil:
			why = fmt.Sprintf("the pod's IP %s is none", quote(s))
		case a.Zone() != "":
			a, why = netip.Addr{}, fmt.Sprintf("the pod's IP %s has a zone", quote(s))
		default:
			a = a.Unmap()
			why = o.refuses(pod, a)
		}
		if why == "" {
			return a, ""
		}
		if detail == "" {
			ip, detail = a, why
		}
	}
	return ip, detail
}

// refuses says why an address may not be asked, or "".
func (o *Options) refuses(pod *corev1.Pod, ip netip.Addr) string {
	if len(o.PodCIDRs) > 0 {
		if slices.ContainsFunc(o.PodCIDRs, func(p netip.Prefix) bool { return p.Contains(ip) }) {
			return ""
		}
		return fmt.Sprintf("the pod's IP %s lies in none of the pod CIDRs %s", ip, o.PodCIDRs)
	}
	if !ip.IsGlobalUnicast() || ip.Is4() && ip.As4()[0] == 0 {
		return fmt.Sprintf("the pod's IP %s is a loopback, link-local, multicast or unspecified address", ip)
	}
	if pod.Spec.HostNetwork {
		return ""
	}
	hosts := append([]corev1.HostIP{{IP: pod.Status.HostIP}}, pod.Status.HostIPs...)
	for _, h := range hosts {
		if host, err := netip.ParseAddr(h.IP); err == nil && host.Unmap() == ip {
			return fmt.Sprintf("the pod's IP %s is that of its node, whose network it does not use", ip)
		}
	}
	return ""
}

// check says what is wrong with asking a port at an address, or "", "".
func (o *Options) check(t *Target, declared bool) (problem, detail string) {
	own := slices.Contains(o.SelfAddrs, t.IP)
	switch {
	case own && o.SelfPort != 0 && t.Port == o.SelfPort:
		return Loop, "this is where this process itself serves"
	case !own && !t.Host:
		return "", ""
	case slices.Contains(reserved, t.Port) || slices.Contains(o.ReservedPorts, t.Port):
		return BadPort, fmt.Sprintf("port %d of a node is reserved", t.Port)
	case !t.Host || o.HostPorts == HostPortsAny:
		return "", ""
	case o.HostPorts == HostPortsNone:
		return BadPort, "the pod uses the network of its node; such pods are not scraped"
	case !declared:
		return BadPort, fmt.Sprintf("the pod uses the network of its node, and no container declares port %d", t.Port)
	}
	return "", ""
}
