package rbac

import (
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// builtIn are groups whose kinds are called in URLs as plural says: those of
// Kubernetes and of the catalogs. Of each, the kinds outside of namespaces; all
// others are in namespaces.
var builtIn = map[string][]string{
	"":                             {"ComponentStatus", "Namespace", "Node", "PersistentVolume"},
	"admissionregistration.k8s.io": {"*"},
	"apiextensions.k8s.io":         {"*"},
	"apiregistration.k8s.io":       {"*"},
	"apps":                         nil,
	"autoscaling":                  nil,
	"batch":                        nil,
	"certificates.k8s.io":          {"CertificateSigningRequest", "ClusterTrustBundle"},
	"coordination.k8s.io":          nil,
	"discovery.k8s.io":             nil,
	"events.k8s.io":                nil,
	"flowcontrol.apiserver.k8s.io": {"*"},
	"internal.apiserver.k8s.io":    {"*"},
	"metrics.k8s.io":               {"NodeMetrics"},
	"networking.k8s.io":            {"IPAddress", "IngressClass", "ServiceCIDR"},
	"node.k8s.io":                  {"*"},
	"policy":                       nil,
	"rbac.authorization.k8s.io":    {"ClusterRole", "ClusterRoleBinding"},
	"resource.k8s.io":              {"DeviceClass", "DeviceTaintRule", "ResourcePoolStatusRequest", "ResourceSlice"},
	"scheduling.k8s.io":            {"PriorityClass"},
	"storage.k8s.io":               {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"},
	"storagemigration.k8s.io":      {"*"},

	"gateway.networking.k8s.io":   {"GatewayClass"},
	"gateway.networking.x-k8s.io": {"XMesh"},
	"kuadrant.io":                 nil,
	"extensions.kuadrant.io":      nil,
}

// odd are kinds with another name in URLs than plural says.
var odd = map[rule.GVK]string{
	{Kind: "Endpoints"}:                            "endpoints",
	{Group: "metrics.k8s.io", Kind: "NodeMetrics"}: "nodes",
	{Group: "metrics.k8s.io", Kind: "PodMetrics"}:  "pods",
}

// unwatchable reports whether a kind can be listed only.
func unwatchable(k rule.GVK) bool {
	return k.Group == "metrics.k8s.io" || k == rule.GVK{Kind: "ComponentStatus"}
}

// offline returns a kind as far as it is known without a cluster. sure is false
// for a guess.
func offline(group, kind string) (k Kind, sure bool) {
	k.GVK, k.Best = rule.GVK{Group: group, Kind: kind}, true
	k.Watchable = !unwatchable(k.GVK)
	outside, sure := builtIn[group]
	k.Namespaced = !slices.Contains(outside, kind) && !slices.Contains(outside, "*")
	k.Resource = odd[k.GVK]
	if k.Resource == "" {
		k.Resource = plural(kind)
	}
	return k, sure
}

// plural is how the tools that write CustomResourceDefinitions call a kind in
// URLs: its English plural. The guess of k8s.io/apimachinery is another, which
// makes gatewaies of Gateway.
func plural(kind string) string {
	s := strings.ToLower(kind)
	if stem, ok := strings.CutSuffix(s, "y"); ok && stem != "" && !strings.ContainsRune("aeiou", rune(stem[len(stem)-1])) {
		return stem + "ies"
	}
	for _, end := range []string{"s", "x", "z", "ch", "sh"} {
		if strings.HasSuffix(s, end) {
			return s + "es"
		}
	}
	return s + "s"
}
