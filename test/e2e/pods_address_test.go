package e2e

import (
	"context"
	"net"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/kubevitals/kubevitals/test/podtest"
)

func addrPort(ip string, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(ip), port)
}

// port declares the port of a server in a container.
func port(name string, of *podtest.Pod) []corev1.ContainerPort {
	return []corev1.ContainerPort{{Name: name, ContainerPort: int32(of.Addr.Port())}}
}

// startV6 starts a pod at ::1, or returns nil where there is no IPv6.
func startV6(t *testing.T) *podtest.Pod {
	t.Helper()
	probe, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "[::1]:0")
	if err != nil {
		t.Logf("without IPv6: %v", err)
		return nil
	}
	if err := probe.Close(); err != nil {
		t.Fatal(err)
	}
	return podtest.StartAt(t, netip.MustParseAddrPort("[::1]:0"), podtest.Body("a 1\n"))
}

// setStatus writes the status of a pod that is there.
func setStatus(t *testing.T, space string, p pod) {
	t.Helper()
	client := clientset(t, control).CoreV1().Pods(space)
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		o, err := client.Get(t.Context(), p.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		o.Status = p.status()
		_, err = client.UpdateStatus(t.Context(), o, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
