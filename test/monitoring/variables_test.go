package monitoring

// variableChoices are the values that a variable of a dashboard can have.
func variableChoices(w *world, uid, variable string) (out []string) {
	add := func(objects []object, value func(object) string) {
		for _, o := range objects {
			if v := value(o); v != "" {
				out = append(out, v)
			}
		}
	}
	switch {
	case uid == "kubevitals-pods":
		return []string{podNamespace}
	case uid == "kubevitals-self":
		for _, job := range w.jobs() {
			out = append(out, w.instance(job))
		}
	case uid == "kubevitals-kyma":
		for _, m := range w.modules() {
			if variable == "module" {
				out = append(out, m.name)
			} else if m.kyma != "" {
				out = append(out, m.kyma)
			}
		}
	case uid == "kubevitals-conditions":
		add(w.conditions, map[string]func(object) string{"group": object.group, "kind": object.kind, "namespace": object.namespace}[variable])
	case uid == "gatewayapipolicies" && variable == "namespace":
		add(append(w.kuadrant(), w.all("BackendTLSPolicy")...), object.namespace)
	case variable == "namespace":
		for _, k := range append(routeKinds[:len(routeKinds):len(routeKinds)], routeKind{"Gateway", "gateway"}) {
			if uid == "gatewayapi"+k.metric+"s" {
				add(w.all(k.kind), object.namespace)
			}
		}
	default:
		add(w.all(kindOf[variable]), object.name)
	}
	return out
}

// kindOf is the kind whose names are the values of a variable.
var kindOf = map[string]string{
	"gatewayclass": "GatewayClass", "gateway": "Gateway", "httproute": "HTTPRoute", "grpcroute": "GRPCRoute", "tlsroute": "TLSRoute",
	"tcproute": "TCPRoute", "udproute": "UDPRoute", "tlspolicy": "TLSPolicy", "dnspolicy": "DNSPolicy",
	"ratelimitpolicy": "RateLimitPolicy", "authpolicy": "AuthPolicy", "backendtlspolicy": "BackendTLSPolicy",
}
