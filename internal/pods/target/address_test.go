package target_test

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubevitals/kubevitals/internal/pods/target"
)

func TestAddress(t *testing.T) {
	v4, v6 := target.Options{Family: target.IPv4}, target.Options{Family: target.IPv6}
	loopback := target.Options{PodCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fd00::/64")}}
	f := func(o target.Options, want string, ip string, ips ...string) {
		t.Helper()
		p := at(pod("a"), ip)
		for _, ip := range ips {
			p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: ip})
		}
		got := o.Of(p)
		checkInvariants(t, got)
		if s := got[0].IP.String(); s != want && got[0].Problem != want {
			t.Errorf("%s %v: got %s, problem %q %q; want %s", ip, ips, s, got[0].Problem, got[0].Detail, want)
		}
	}
	var any target.Options
	// What a pod can have.
	f(any, "10.1.2.3", "10.1.2.3")
	f(any, "8.8.8.8", "8.8.8.8")
	f(any, "100.64.0.1", "100.64.0.1")
	f(any, "fd00::1", "fd00::1")
	f(any, "2001:db8::1", "2001:DB8:0:0:0:0:0:1")
	f(any, "10.1.2.3", "::ffff:10.1.2.3")
	f(any, "10.1.2.3", "", "10.1.2.3", "fd00::1")
	// What it cannot.
	for _, bad := range []string{
		"127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "169.254.169.254", "::ffff:a9fe:a9fe", "fe80::1", "fe80::1%eth0", "fd00::1%1",
		"224.0.0.1", "ff02::1", "ff05::1", "0.0.0.0", "0.0.0.1", "::", "255.255.255.255",
		"10.0.0", "010.0.0.1", "10.0.0.1:80", "10.0.0.1/24", "host", "1", "0x7f000001", " 10.0.0.1", "[fd00::1]", "10.0.0.1\n",
	} {
		f(any, "address", bad)
	}
	// Dual stack.
	f(any, "10.0.0.1", "10.0.0.1", "10.0.0.1", "fd00::1")
	f(v4, "10.0.0.1", "fd00::1", "fd00::1", "10.0.0.1")
	f(v6, "fd00::1", "10.0.0.1", "10.0.0.1", "fd00::1")
	f(v6, "10.0.0.1", "10.0.0.1", "10.0.0.1")
	f(v6, "10.0.0.1", "10.0.0.1", "10.0.0.1", "fe80::1") // the preferred one is refused
	f(v4, "10.0.0.1", "fd00::1", "fd00::1", "::ffff:10.0.0.1")
	f(v6, "10.0.0.9", "10.0.0.9", "10.0.0.1", "fd00::1") // podIP is right
	// Where pods may lie.
	f(loopback, "127.0.0.5", "127.0.0.5")
	f(loopback, "127.0.0.5", "::ffff:127.0.0.5")
	f(loopback, "fd00::1", "fd00::1")
	f(loopback, "address", "fd01::1")
	f(loopback, "address", "10.0.0.1")
	f(loopback, "fd00::1", "10.0.0.1", "10.0.0.1", "fd00::1")
}

func TestAddressOfNode(t *testing.T) {
	p := pod("a")
	p.Status.HostIPs = []corev1.HostIP{{IP: "10.0.0.1"}}
	expect(t, new(target.Options).Of(p), "a address")
	o := target.Options{PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	expect(t, o.Of(p), "a http://10.0.0.1:80/metrics")
	expect(t, new(target.Options).Of(onHost(declaring(p, "a//80"))), "a http://10.0.0.1:80/metrics")
}

func TestHostNetwork(t *testing.T) {
	f := func(policy target.HostPorts, port, want string) {
		t.Helper()
		o := target.Options{HostPorts: policy, ReservedPorts: []uint16{9100}, SelfPort: 15090}
		p := onHost(declaring(pod("a", "prometheus.io/port", port), "app/http/8080", "app/kubelet/10250", "app/nodes/9100", "app/envoy/15090"))
		got := o.Of(p)
		checkInvariants(t, got)
		if got[0].Problem != want {
			t.Errorf("policy %q, port %s: %+v", policy, port, got[0])
		}
	}
	f("", "8080", "")
	f("", "http", "")
	f("", "15090", "") // ours is elsewhere
	f("", "8081", "port")
	f("", "10250", "port")
	f("", "kubelet", "port")
	f("", "9100", "port")
	f(target.HostPortsDeclared, "8081", "port")
	f(target.HostPortsAny, "8081", "")
	f(target.HostPortsAny, "10255", "port")
	f(target.HostPortsAny, "2379", "port")
	f(target.HostPortsAny, "9100", "port")
	f(target.HostPortsNone, "8080", "port")
}

// TestOrdinaryPorts asks an ordinary pod at ports that are reserved on nodes.
func TestOrdinaryPorts(t *testing.T) {
	o := target.Options{ReservedPorts: []uint16{15020}, SelfPort: 15090, SelfAddrs: []netip.Addr{netip.MustParseAddr("10.0.0.2")}, HostPorts: target.HostPortsNone}
	for _, port := range []string{"10250", "15020", "15090", "2379"} {
		expect(t, o.Of(pod("a", "prometheus.io/port", port)), "a http://10.0.0.1:"+port+"/metrics")
	}
}

// TestOwnAddress meets pods that have our address.
func TestOwnAddress(t *testing.T) {
	o := target.Options{ReservedPorts: []uint16{9100}, SelfPort: 15090, SelfAddrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}
	expect(t, o.Of(pod("a", "prometheus.io/port", "15090,8080,9100,10250")),
		"a http://10.0.0.1:8080/metrics port=8080", "a port port=9100", "a port port=10250", "a loop port=15090")
}
