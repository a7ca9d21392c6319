package pipeline

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/otlp/client"
)

const head = "apiVersion: telemetry.kyma-project.io/v1alpha1\nkind: MetricPipeline\nmetadata: {name: p}\n"

// someSecrets has Secrets of one namespace, as name/key.
func someSecrets(values map[string]string) SecretFunc {
	return func(namespace, name, key string) ([]byte, error) {
		if v, ok := values[name+"/"+key]; ok && namespace == "ns" {
			return []byte(v), nil
		}
		return nil, errors.New("there is no such Secret")
	}
}

// pair returns a certificate and its key.
func pair(t testing.TB) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

// one parses a file of one pipeline.
func one(t testing.TB, text string, secrets SecretFunc) Pipeline {
	t.Helper()
	all, err := Parse([]byte(text), "p.yaml", secrets)
	if err != nil || len(all) != 1 {
		t.Fatalf("%s\n%d pipelines: %v", text, len(all), err)
	}
	return all[0]
}

// TestIssue parses the document that Kyma's issue shows.
func TestIssue(t *testing.T) {
	got := one(t, `apiVersion: telemetry.kyma-project.io/v1alpha1
kind: MetricPipeline
metadata:
  name: sample
spec:
  input:
    kyma:
      enabled: true
      modules:
        - telemetry
`, nil)
	if diff := cmp.Diff(Pipeline{Name: "sample", Kyma: true, Modules: []string{"telemetry"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestOutput(t *testing.T) {
	cert, key := pair(t)
	secrets := someSecrets(map[string]string{
		"s/endpoint": "https://collector.example:4318\n", "s/user": "u", "s/password": "p w", "s/ca": strings.ReplaceAll(cert, "\n", `\n`), "s/cert": cert, "s/key": key, "s/token": "secret\n",
	})
	ref := func(key string) string {
		return `valueFrom: {secretKeyRef: {namespace: ns, name: s, key: ` + key + `}}`
	}
	for name, x := range map[string]struct {
		otlp string
		want client.Config
	}{
		"least":             {`{endpoint: {value: "collector:4317"}}`, client.Config{Endpoint: "collector:4317", Protocol: client.GRPC}},
		"insecure":          {`{endpoint: {value: "collector:4317"}, tls: {insecure: true}}`, client.Config{Endpoint: "collector:4317", Protocol: client.GRPC, Insecure: true}},
		"a URL for gRPC":    {`{endpoint: {value: "http://collector:4317"}, protocol: grpc}`, client.Config{Endpoint: "http://collector:4317", Protocol: client.GRPC}},
		"HTTP":              {`{endpoint: {` + ref("endpoint") + `}, protocol: http}`, client.Config{Endpoint: "https://collector.example:4318", Protocol: client.HTTP, AllSignals: true}},
		"path":              {`{endpoint: {value: "https://h/a"}, protocol: http, path: /api/v1/otlp/v1/metrics}`, client.Config{Endpoint: "https://h/a/api/v1/otlp/v1/metrics", Protocol: client.HTTP}},
		"path without URL":  {`{endpoint: {value: "h:1"}, protocol: http, path: x, tls: {insecureSkipVerify: true}}`, client.Config{Endpoint: "h:1/x", Protocol: client.HTTP, SkipVerify: true}},
		"headers":           {`{endpoint: {value: h}, headers: [{name: x-a, value: v}, {name: Authorization, prefix: Bearer, ` + ref("token") + `}]}`, client.Config{Endpoint: "h", Protocol: client.GRPC, Headers: map[string]string{"X-A": "v", "Authorization": "Bearer secret"}}},
		"basic":             {`{endpoint: {value: h}, authentication: {basic: {user: {` + ref("user") + `}, password: {` + ref("password") + `}}}}`, client.Config{Endpoint: "h", Protocol: client.GRPC, Headers: map[string]string{"Authorization": "Basic dTpwIHc="}}},
		"TLS":               {`{endpoint: {value: h}, tls: {ca: {` + ref("ca") + `}, cert: {` + ref("cert") + `}, key: {` + ref("key") + `}}}`, client.Config{Endpoint: "h", Protocol: client.GRPC, CA: []byte(strings.TrimSuffix(cert, "\n") + "\n"), Cert: []byte(strings.TrimSuffix(cert, "\n")), Key: []byte(strings.TrimSuffix(key, "\n"))}},
		"nulls are nothing": {`{endpoint: {value: h, valueFrom: null}, headers: null, tls: null}`, client.Config{Endpoint: "h", Protocol: client.GRPC}},
	} {
		t.Run(name, func(t *testing.T) {
			p := one(t, head+"spec:\n  output:\n    otlp: "+x.otlp+"\n", secrets)
			if p.Err != nil || p.Output == nil {
				t.Fatalf("output %v: %v", p.Output, p.Err)
			}
			if x.want.Headers == nil {
				x.want.Headers = map[string]string{}
			}
			if diff := cmp.Diff(x.want, p.Output.Client); diff != "" {
				t.Error(diff)
			}
			c, err := client.New(p.Output.Client)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestOutputErrors: a pipeline that cannot be used says why and where, and does not
// show what is secret.
func TestOutputErrors(t *testing.T) {
	cert, key := pair(t)
	secrets := someSecrets(map[string]string{"s/bad": "hunter2 :/\x00/", "s/empty": "\n", "s/cert": cert, "s/key": key, "s/lines": "hunter2\nX: y"})
	ref := func(key string) string {
		return `valueFrom: {secretKeyRef: {namespace: ns, name: s, key: ` + key + `}}`
	}
	f := func(otlp, want string) {
		t.Helper()
		p := one(t, head+"spec:\n  input: {kyma: {enabled: true}}\n  output:\n    otlp: "+otlp+"\n", secrets)
		if !p.Kyma || p.Output != nil {
			t.Errorf("%s: pipeline %+v", otlp, p)
		}
		if p.Err == nil || !strings.Contains(p.Err.Error(), "p.yaml:7:"+want) || strings.Contains(p.Err.Error(), "hunter2") {
			t.Errorf("%s:\n%v, want %s", otlp, p.Err, want)
		}
	}
	f(`{}`, `11: spec.output.otlp: there is no endpoint`)
	f(`x`, `11: spec.output.otlp: expected a map, found the str "x"`)
	f(`{endpoint: h}`, `22: spec.output.otlp.endpoint: expected a map`)
	f(`{endpoint: {}}`, `22: spec.output.otlp.endpoint: there is neither a value nor`)
	f(`{endpoint: {value: a, `+ref("key")+`}}`, `22: spec.output.otlp.endpoint: give either value or valueFrom`)
	f(`{endpoint: {value: "ftp://h"}}`, `22: spec.output.otlp.endpoint: neither a URL with http or https`)
	f(`{endpoint: {value: "a b"}}`, `22: spec.output.otlp.endpoint: OTLP endpoint "a b": neither`)
	f(`{endpoint: {`+ref("bad")+`}}`, `22: spec.output.otlp.endpoint: what the Secret has cannot be used`)
	f(`{endpoint: {`+ref("empty")+`}}`, `49: spec.output.otlp.endpoint: Secret ns/s, key "empty": it is empty`)
	f(`{endpoint: {`+ref("none")+`}}`, `49: spec.output.otlp.endpoint: Secret ns/s, key "none": there is no such Secret`)
	f(`{endpoint: {valueFrom: {secretKeyRef: {name: s, key: k}}}}`, `49: spec.output.otlp.endpoint: a secretKeyRef needs name, namespace and key`)
	f(`{endpoint: {value: "https://h"}, tls: {insecure: true}}`, `22: spec.output.otlp.endpoint: it says https, and tls.insecure says no TLS`)
	f(`{endpoint: {value: h}, protocol: udp}`, `44: spec.output.otlp: protocol "udp": expected grpc or http`)
	f(`{endpoint: {value: h}, path: /x}`, `11: spec.output.otlp: path is for the protocol http`)
	f(`{endpoint: {value: h}, header: []}`, `34: spec.output.otlp: unknown field "header", did you mean "headers"?`)
	f(`{endpoint: {value: h}, headers: [{value: x}]}`, `44: spec.output.otlp.headers: a header has no name`)
	f(`{endpoint: {value: h}, headers: [{name: a b, value: x}]}`, `22: spec.output.otlp.endpoint: OTLP header "a b": the name has characters`)
	f(`{endpoint: {value: h}, headers: [{name: a, value: x}, {name: A, value: y}]}`, `65: spec.output.otlp.headers: header "A" is there twice`)
	f(`{endpoint: {value: h}, headers: [{name: a, `+ref("lines")+`}]}`, `44: spec.output.otlp.headers: header "A": the value has characters`)
	f(`{endpoint: {value: h}, authentication: {oauth2: {}}}`, `59: spec.output.otlp.authentication: oauth2 is not supported`)
	f(`{endpoint: {value: h}, authentication: {basic: {user: {value: u}}}}`, `58: spec.output.otlp.authentication: basic: give both user and password`)
	f(`{endpoint: {value: h}, tls: {cert: {value: x}}}`, `39: spec.output.otlp.tls: give both cert and key`)
	f(`{endpoint: {value: h}, tls: {ca: {value: x}}}`, `39: spec.output.otlp.tls: ca has no certificate in PEM`)
	f(`{endpoint: {value: h}, tls: {cert: {`+ref("key")+`}, key: {`+ref("cert")+`}}}`, `39: spec.output.otlp.tls: cert and key cannot be used`)
	f(`{endpoint: {value: h}, tls: {insecure: "maybe"}}`, `50: spec.output.otlp.tls: expected true or false`)

	p := one(t, head+"spec: {output: {otlp: {endpoint: {"+ref("key")+"}}}}\n", nil)
	if p.Err == nil || !strings.Contains(p.Err.Error(), "Secrets cannot be read without a cluster") {
		t.Errorf("without Secrets: %v", p.Err)
	}
}

func TestInput(t *testing.T) {
	f := func(text string, want Pipeline, errs string) {
		t.Helper()
		p := one(t, text, nil)
		if (p.Err != nil) != (errs != "") || p.Err != nil && !strings.Contains(p.Err.Error(), errs) {
			t.Errorf("%s\nerror %v, want %q", text, p.Err, errs)
		}
		p.Err = nil
		want.Name = "p"
		if diff := cmp.Diff(want, p); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
	}
	f(head, Pipeline{}, "")
	f(head+"spec: {}\n", Pipeline{}, "")
	f(head+"spec: {input: {kyma: {}}, output: {}}\n", Pipeline{}, "")
	f(head+"spec: {input: {kyma: {enabled: false, modules: [a]}}}\n", Pipeline{Modules: []string{"a"}}, "")
	f(head+"spec: {input: {kyma: {enabled: true, modules: []}}}\n", Pipeline{Kyma: true}, "")
	f(head+"spec: {input: {kyma: {enabled: true, modules: [b, a, b]}}}\n", Pipeline{Kyma: true, Modules: []string{"a", "b"}}, "")
	f(head+"spec: {input: {kyma: {enabled: true, modules: ['']}}}\n", Pipeline{}, "p.yaml:4:47: spec.input.kyma: modules: the name of a module is empty")
	f(head+"spec: {input: {kyma: {enabled: true, module: [a]}}}\n", Pipeline{}, `unknown field "module", did you mean "modules"?`)
	f(head+"spec: {input: {kyma: {enabled: 1}}}\n", Pipeline{}, `p.yaml:4:32: spec.input.kyma: expected true or false`)
	f(head+"spec: {input: {kyma: {enabled: true}}, output: {otpl: {}}}\n", Pipeline{Kyma: true}, `spec.output: unknown field "otpl", did you mean "otlp"?`)
	f(strings.Replace(head, "v1alpha1", "v1beta1", 1)+"spec: {input: {kyma: {enabled: true}, runtime: {enabled: true}}, transform: []}\n", Pipeline{Kyma: true, Warnings: []string{
		"p.yaml:4:48: warning: spec.input: runtime has no effect here: Kubevitals reads no such input",
		"p.yaml:4:77: warning: spec: transform has no effect here: what is sent is as the rules say",
	}}, "")

	annotated := func(annotations, spec string) string {
		return strings.Replace(head, "{name: p}", "{name: p, annotations: {"+annotations+"}}", 1) + "spec: " + spec + "\n"
	}
	const on = "telemetry.kyma-project.io/experimental-kyma-input: 'true'"
	f(annotated(on, "{}"), Pipeline{Kyma: true}, "")
	f(annotated(on+", kubevitals.io/kyma-modules: 'b, a,'", "{}"), Pipeline{Kyma: true, Modules: []string{"a", "b"}}, "")
	f(annotated(on, "{input: {kyma: {enabled: false}}}"), Pipeline{}, "")
	f(annotated("telemetry.kyma-project.io/experimental-kyma-input: maybe", "{}"), Pipeline{}, "annotation telemetry.kyma-project.io/experimental-kyma-input: expected true or false")
}

func TestFileErrors(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if all, err := Parse([]byte(text), "p.yaml", nil); err == nil || !strings.HasPrefix(err.Error(), want) || all != nil {
			t.Errorf("%s\n%v, %v, want %s", text, all, err, want)
		}
	}
	f("", "p.yaml: there is no MetricPipeline in it")
	f("# nothing\n---\n", "p.yaml: there is no MetricPipeline in it")
	f("- a\n", "p.yaml:1:1: expected a MetricPipeline of telemetry.kyma-project.io")
	f("a: [\n", "p.yaml:1: not valid YAML")
	f("apiVersion: v1\nkind: Secret\n", `p.yaml:2:7: kind "Secret": expected MetricPipeline`)
	f(strings.Replace(head, "v1alpha1", "v2", 1), `p.yaml:1:13: apiVersion "telemetry.kyma-project.io/v2": expected telemetry.kyma-project.io/v1alpha1 or telemetry.kyma-project.io/v1beta1`)
	f(strings.Replace(head, "name: p", "", 1), "p.yaml:3:11: the MetricPipeline has no metadata.name")
	f(head+"---\n"+head, `p.yaml:5:1: MetricPipeline "p" is there twice`)
	f(head+"---\nkind: x\n", `p.yaml:5:7: kind "x": expected MetricPipeline`)
}

// TestDocumented parses the MetricPipelines that the documentation shows.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "metric-pipeline.md"))
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := pair(t)
	secrets := func(_, _, key string) ([]byte, error) {
		if key == "ca.crt" {
			return []byte(cert), nil
		}
		return []byte("token"), nil
	}
	n := 0
	for _, m := range regexp.MustCompile("(?ms)^```yaml[^\\n]*\\n(apiVersion: "+group+"/.*?)^```$").FindAllSubmatch(page, -1) {
		n++
		if p := one(t, string(m[1]), secrets); p.Err != nil || len(p.Warnings) > 0 || p.Output == nil || strings.Join(p.Modules, " ") != "istio telemetry" {
			t.Errorf("%s\n%+v", m[1], p)
		}
	}
	if n != 2 {
		t.Errorf("%d examples", n)
	}
}

func TestModules(t *testing.T) {
	f := func(all []Pipeline, on bool, want ...string) {
		t.Helper()
		got, modules := Modules(all)
		if got != on || !cmp.Equal(modules, want) {
			t.Errorf("%v: %t %q, want %t %q", all, got, modules, on, want)
		}
	}
	a, b := Pipeline{Kyma: true, Modules: []string{"a", "c"}}, Pipeline{Kyma: true, Modules: []string{"b", "a"}}
	f(nil, false)
	f([]Pipeline{{Modules: []string{"a"}}}, false)
	f([]Pipeline{a, {}}, true, "a", "c")
	f([]Pipeline{a, b}, true, "a", "b", "c")
	f([]Pipeline{a, {Kyma: true}, b}, true)
}

// FuzzParse: whatever is in a file, there is an error, or pipelines that can be
// used or say why not.
func FuzzParse(f *testing.F) {
	f.Add([]byte(head))
	f.Add([]byte(strings.Replace(head, "{name: p}", "0", 1)))
	f.Add([]byte(head + "spec: {input: {kyma: {enabled: true, modules: [a]}}, output: {otlp: {endpoint: {value: h}, headers: [{name: a, value: b}], tls: {ca: {value: x}}}}}\n---\n" + strings.Replace(head, "name: p", "name: q", 1)))
	f.Add([]byte(head + "spec: &a\n  input: *a\n  output: {otlp: {endpoint: {valueFrom: {secretKeyRef: {name: s, namespace: ns, key: k}}}, protocol: http, path: /x}}\n"))
	f.Add([]byte(head + "spec: {<<: [{output: {otlp: {}}}], input: {runtime: {}}}\n"))
	secrets := someSecrets(map[string]string{"s/k": "http://h"})
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := Parse(data, "p.yaml", secrets)
		if (err == nil) != (len(all) > 0) {
			t.Fatalf("%d pipelines and error %v", len(all), err)
		}
		for _, p := range all {
			if p.Name == "" {
				t.Error("a pipeline has no name")
			}
			if p.Output == nil {
				continue
			}
			c, err := client.New(p.Output.Client)
			if err != nil {
				t.Errorf("an output that cannot be used: %v", err)
				continue
			}
			_ = c.Close()
		}
	})
}
