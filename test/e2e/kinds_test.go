package e2e

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// One test for each kind, as the RFC asks. The flipped condition is the only one
// of its type that is True in the object. A route that is accepted by one parent
// is detached from it with the condition.

func TestGatewayClass(t *testing.T) {
	testKind(t, "GatewayClass", flip("status.conditions.0", "Accepted"))
}

func TestGateway(t *testing.T) {
	testKind(t, "Gateway", flip("status.listeners.0.conditions.0", "Ready"))
}

func TestListenerSet(t *testing.T) {
	testKind(t, "ListenerSet", flip("status.listeners.1.conditions.0", "Conflicted"))
}

// TestHTTPRoute has the RFC's sample, which makes exactly six samples of
// gatewayapi_httproute_status_parents_conditions.
func TestHTTPRoute(t *testing.T) {
	testKind(t, "HTTPRoute", flip("status.parents.1.conditions.2", "Accepted").detaches())
}

func TestGRPCRoute(t *testing.T) {
	testKind(t, "GRPCRoute", flip("status.parents.0.conditions.0", "Accepted").detaches())
}

func TestTLSRoute(t *testing.T) {
	testKind(t, "TLSRoute", flip("status.parents.0.conditions.1", "ResolvedRefs"))
}

func TestTCPRoute(t *testing.T) {
	testKind(t, "TCPRoute", flip("status.parents.0.conditions.0", "Accepted").detaches())
}

func TestUDPRoute(t *testing.T) {
	testKind(t, "UDPRoute", flip("status.parents.1.conditions.1", "example.com/Custom"))
}

func TestBackendTLSPolicy(t *testing.T) {
	testKind(t, "BackendTLSPolicy", flip("status.ancestors.0.conditions.0", "Accepted"))
}

// TestReferenceGrant changes the spec: there is no status.
func TestReferenceGrant(t *testing.T) {
	testKind(t, "ReferenceGrant", change{"spec.to.1.name", "shop-example-com", []move{
		{"_to_info{", `to_name="pay-example-com"`, `to_name="shop-example-com"`},
	}})
}

func TestXBackendTrafficPolicy(t *testing.T) {
	testKind(t, "XBackendTrafficPolicy", flip("status.ancestors.0.conditions.0", "Accepted"))
}

func TestXMesh(t *testing.T) {
	testKind(t, "XMesh", flip("status.conditions.0", "Accepted"))
}

func TestXBackend(t *testing.T) {
	testKind(t, "XBackend", flip("status.parents.0.conditions.0", "Accepted"))
}

func TestTLSPolicy(t *testing.T) {
	testKind(t, "TLSPolicy", flip("status.conditions.0", "Accepted"))
}

func TestDNSPolicy(t *testing.T) {
	testKind(t, "DNSPolicy", flip("status.conditions.1", "Enforced"))
}

func TestRateLimitPolicy(t *testing.T) {
	testKind(t, "RateLimitPolicy", flip("status.conditions.0", "Accepted"))
}

func TestAuthPolicy(t *testing.T) {
	testKind(t, "AuthPolicy", flip("status.conditions.0", "Accepted"))
}

func TestTokenRateLimitPolicy(t *testing.T) {
	testKind(t, "TokenRateLimitPolicy", flip("status.conditions.0", "Accepted"))
}

func TestPlanPolicy(t *testing.T) {
	testKind(t, "PlanPolicy", flip("status.conditions.2", "example.com/Custom"))
}

func TestOIDCPolicy(t *testing.T) {
	testKind(t, "OIDCPolicy", flip("status.conditions.0", "Accepted"))
}

func TestTelemetryPolicy(t *testing.T) {
	testKind(t, "TelemetryPolicy", flip("status.conditions.0", "Accepted"))
}

func TestThreatPolicy(t *testing.T) {
	testKind(t, "ThreatPolicy", flip("status.conditions.0", "Accepted"))
}

func TestDNSRecord(t *testing.T) {
	testKind(t, "DNSRecord", flip("status.conditions.0", "Ready"))
}

func TestDNSHealthCheckProbe(t *testing.T) {
	testKind(t, "DNSHealthCheckProbe", change{"status.healthy", false, []move{{"_healthy_status{", "} 1", "} 0"}}})
}

// A change gives a field of an object another value, which moves samples of the
// object.
type change struct {
	field string // such as status.conditions.0.status
	value any
	moves []move
}

// move is a sample of a family that a change moves.
type move struct {
	family  string // the end of its name
	was, is string // the part of the sample that moves
}

// flip changes a condition that is True to False.
func flip(condition, typ string) change {
	return change{condition + ".status", "False", []move{{"{", `type="` + typ + `"} 1`, `type="` + typ + `"} 0`}}}
}

// detaches adds that the route is not attached to one of its parents any more.
func (c change) detaches() change {
	c.moves = append(c.moves, move{"_parent_attached{", "} 1", "} 0"})
	return c
}

// testKind puts the objects of testdata/kinds/<kind>.yaml into the cluster while
// kubevitals is running. All that is served of them has to be what the .prom
// file beside says, then the same with a change of the first object, then the
// same without that object.
func testKind(t *testing.T, kind string, c change) {
	t.Helper()
	objects, want := readKind(t, kind)
	first := objects[0]
	p := state(t)

	apply(t, control, objects)
	created := creationTimes(t, first)
	served := func(want string) {
		t.Helper()
		program.Poll(t, "the samples of "+kind, func() error {
			text := exposition(scrape(t, p), func(sample string) bool { return isOf(first, sample) })
			if diff := cmp.Diff(lines(want), lines(hideCreated(text, created))); diff != "" {
				return fmt.Errorf("-want +got:\n%s", diff)
			}
			return nil
		})
	}
	served(want)

	if err := setField(first.Object, c.field, c.value); err != nil {
		t.Fatal(err)
	}
	apply(t, control, objects[:1])
	want = changed(t, want, first.GetName(), c)
	served(want)

	if _, err := control.Kubectl(t.Context(), "delete", resource(first), "--namespace", first.GetNamespace(), first.GetName(), "--wait=false"); err != nil {
		t.Fatal(err)
	}
	served(exposition(want, func(sample string) bool { return !hasName(sample, first.GetName()) }))
}

// readKind reads the objects of a kind and the exposition they have to make.
func readKind(t *testing.T, kind string) (objects []*unstructured.Unstructured, want string) {
	t.Helper()
	file := "testdata/kinds/" + strings.ToLower(kind)
	manifests, err := os.ReadFile(file + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	objects, err = controlplane.ParseManifests(manifests)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GetKind() != kind {
			t.Fatalf("%s.yaml has a %s", file, object.GetKind())
		}
	}
	samples, err := os.ReadFile(file + ".prom")
	if err != nil {
		t.Fatal(err)
	}
	return objects, string(samples)
}

// exposition returns the samples of a text that are to be kept, each family
// below its type. The help texts are the catalogs' own concern.
func exposition(text string, keep func(sample string) bool) string {
	var out strings.Builder
	header := ""
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "# TYPE "):
			header = line
		case !strings.HasPrefix(line, "#") && keep(line):
			out.WriteString(header + line)
			header = ""
		}
	}
	return out.String()
}

// isOf tells whether a sample is of the kind and the namespace of an object; of
// the kind and the names of its test if it has no namespace.
func isOf(object *unstructured.Unstructured, sample string) bool {
	kind := strings.ToLower(object.GetKind())
	identity := `,namespace="kind-` + kind + `"`
	if object.GetNamespace() == "" {
		identity = `,name="kind-` + kind + `-`
	}
	family := strings.HasPrefix(sample, "gatewayapi_"+kind+"_") || strings.HasPrefix(sample, "kuadrant_"+kind+"_")
	return family && strings.Contains(sample, identity)
}

// hasName tells whether a sample is of the object of a name. The label is never
// the first one.
func hasName(sample, name string) bool {
	return strings.Contains(sample, `,name="`+name+`"`)
}

// resource returns what kubectl calls the kind of an object.
func resource(object *unstructured.Unstructured) string {
	kind := object.GroupVersionKind()
	return strings.ToLower(kind.Kind) + "." + kind.Group
}

// creationTimes asks the server when the objects of a kind and a namespace have
// been made, by their names, in Unix seconds.
func creationTimes(t *testing.T, object *unstructured.Unstructured) map[string]int64 {
	t.Helper()
	dump, err := control.Kubectl(t.Context(), "get", resource(object), "--namespace", object.GetNamespace(), "--output", "json")
	if err != nil {
		t.Fatal(err)
	}
	objects, err := controlplane.ParseManifests([]byte(dump))
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int64{}
	for _, object := range objects {
		times[object.GetName()] = object.GetCreationTimestamp().Unix()
	}
	return times
}

// hideCreated replaces the value of those samples of creation times that are
// right by "<created>", since the .prom files cannot know it.
func hideCreated(text string, created map[string]int64) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		sample, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "} ")
		for name, unix := range created {
			got, err := strconv.ParseFloat(value, 64)
			if err == nil && got == float64(unix) && hasName(sample, name) && strings.Contains(sample, "_created{") {
				line = sample + "} <created>\n"
			}
		}
		out.WriteString(line)
	}
	return out.String()
}

// changed returns an exposition after a change of one object, each move of which
// moves exactly one sample.
func changed(t *testing.T, text, name string, c change) string {
	t.Helper()
	for _, m := range c.moves {
		var out strings.Builder
		moved := 0
		for line := range strings.Lines(text) {
			if hasName(line, name) && strings.Contains(line, m.family) && strings.Contains(line, m.was) {
				line = strings.Replace(line, m.was, m.is, 1)
				moved++
			}
			out.WriteString(line)
		}
		if moved != 1 {
			t.Fatalf("the change of %s moves %d samples of %q, want one:\n%s", c.field, moved, m.family, text)
		}
		text = out.String()
	}
	return text
}

// setField sets a field that is there. Its path has names of fields and numbers
// of elements, with dots between them.
func setField(value any, path string, to any) error {
	step, rest, more := strings.Cut(path, ".")
	switch value := value.(type) {
	case map[string]any:
		child, ok := value[step]
		if !ok {
			return fmt.Errorf("no field %s", step)
		}
		if more {
			return setField(child, rest, to)
		}
		value[step] = to
		return nil
	case []any:
		i, err := strconv.Atoi(step)
		if err != nil || i >= len(value) || !more {
			return fmt.Errorf("no field of element %s", step)
		}
		return setField(value[i], rest, to)
	default:
		return errors.New("neither an object nor a list has " + step)
	}
}
