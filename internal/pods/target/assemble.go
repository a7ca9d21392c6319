package target

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Assemble returns the targets of all pods, sorted by namespace, pod, port and
// path. The same pods in any order give the same targets.
//
// Of two pods that claim the same address, port and path one is asked: the one
// that is ready and not being deleted, else the older one, else the first by name.
// Of too many targets those of the oldest pods are. The others are listed with
// their problem.
func (o *Options) Assemble(pods []*corev1.Pod) []Target {
	own := *o
	own.SelfAddrs = slices.Concat(o.SelfAddrs, o.selfAddrs(pods))
	all := make([]candidate, 0, len(pods))
	shard := make(map[string]bool)
	for _, pod := range sorted(pods) {
		of := own.of(pod)
		if len(of) > 0 && own.Shard.Has(identity(pod)) {
			shard[identity(pod)] = true
		}
		all = append(all, of...)
	}
	resolve(all)
	if o.Shard.Divided() {
		all = slices.DeleteFunc(all, func(t candidate) bool { return !shard[t.identity] })
	}
	o.limit(all)
	return targets(all)
}

// sorted returns the pods by namespace and name, without those that another one
// has replaced under the same name.
func sorted(pods []*corev1.Pod) []*corev1.Pod {
	out := slices.DeleteFunc(slices.Clone(pods), func(p *corev1.Pod) bool { return p == nil })
	slices.SortFunc(out, func(a, b *corev1.Pod) int {
		return cmp.Or(
			strings.Compare(a.Namespace, b.Namespace),
			strings.Compare(a.Name, b.Name),
			b.CreationTimestamp.Compare(a.CreationTimestamp.Time), // the newest first
			strings.Compare(string(b.UID), string(a.UID)),
		)
	})
	return slices.CompactFunc(out, func(a, b *corev1.Pod) bool { return a.Namespace == b.Namespace && a.Name == b.Name })
}

// selfAddrs returns the addresses of the pod that this process is in.
func (o *Options) selfAddrs(pods []*corev1.Pod) []netip.Addr {
	var out []netip.Addr
	for _, pod := range pods {
		if pod == nil || o.SelfUID == "" || string(pod.UID) != o.SelfUID {
			continue
		}
		for _, s := range o.addresses(pod) {
			if ip, err := netip.ParseAddr(s); err == nil {
				out = append(out, ip.Unmap())
			}
		}
	}
	return out
}

// resolve leaves each endpoint to one of the pods that claim it.
func resolve(targets []candidate) {
	type endpoint struct {
		netip.AddrPort
		path string
	}
	owners := make(map[endpoint]int, len(targets))
	for i := range targets {
		t := &targets[i]
		if t.Problem != "" {
			continue
		}
		key := endpoint{netip.AddrPortFrom(t.IP, t.Port), t.Path}
		j, claimed := owners[key]
		if !claimed {
			owners[key] = i
			continue
		}
		winner, loser := &targets[j], t
		if before(t, winner) {
			winner, loser = t, winner
			owners[key] = i
		}
		loser.Problem = DuplicateEndpoint
		loser.Detail = fmt.Sprintf("pod %s/%s has the same address, port and path", winner.Namespace, winner.Pod)
	}
}

// before reports whether a is the likelier owner of an endpoint than b, which
// comes before it by name.
func before(a, b *candidate) bool {
	if a.fading != b.fading {
		return b.fading
	}
	return a.created < b.created
}

// limit marks what is beyond the limit of targets.
func (o *Options) limit(targets []candidate) {
	if o.MaxTargets == 0 || len(targets) <= o.MaxTargets {
		return
	}
	var good []*candidate
	for i := range targets {
		if targets[i].Problem == "" {
			good = append(good, &targets[i])
		}
	}
	slices.SortStableFunc(good, func(a, b *candidate) int { return cmp.Compare(a.created, b.created) })
	for _, t := range good[min(o.MaxTargets, len(good)):] {
		t.Problem, t.Detail = TargetLimit, fmt.Sprintf("there are %d targets; the limit is %d", len(good), o.MaxTargets)
	}
}
