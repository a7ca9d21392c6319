package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const countRules = `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: example.com, kind: Foo}
    labels: {name: object.metadata.name}
    metrics: [{name: METRIC, value: object.status.v}]
`

// TestReload changes rules while they are served.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	objects := filepath.Join(dir, "foo.yaml")
	rules := filepath.Join(dir, "rules")
	if err := os.Mkdir(rules, 0o700); err != nil {
		t.Fatal(err)
	}
	put := func(file, metric string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(countRules, "METRIC", metric)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(objects, []byte("apiVersion: example.com/v1\nkind: Foo\nmetadata: {name: f}\nstatus: {v: 7}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	put(filepath.Join(rules, "a.yaml"), "one")
	s := serve(t, "state", "--rules", rules, "--from", objects)
	has := func(wants ...string) func() bool {
		return func() bool {
			code, body := s.get(t, "/metrics")
			if code != 200 {
				t.Fatalf("status %d\n%s", code, body)
			}
			for _, want := range wants {
				if !strings.Contains(body, want+"\n") {
					return false
				}
			}
			return true
		}
	}
	poll(t, "the first rules", has(`one{name="f"} 7`, "kubevitals_rules_last_reload_successful 1"))

	put(filepath.Join(rules, "b.yaml"), "two")
	poll(t, "a further file", has(`one{name="f"} 7`, `two{name="f"} 7`, `kubevitals_rules_reloads_total{result="accepted"} 1`))

	put(filepath.Join(rules, "b.yaml"), "3")
	poll(t, "a bad change to be refused", has(
		`one{name="f"} 7`, `two{name="f"} 7`, "kubevitals_rules_last_reload_successful 0",
		`kubevitals_rules_reloads_total{result="refused"} 1`, `kubevitals_rules_valid{rules="files"} 0`,
	))
	code, body := s.get(t, "/readyz?verbose")
	if want := `b.yaml:7:15: metric "3": metric name "3" does not match`; code != 200 || !strings.Contains(body, "[+]rules ok, with a warning: files: the rules from before stay in use: ") || !strings.Contains(body, want) {
		t.Errorf("/readyz?verbose: %d\n%s", code, body)
	}
	if _, page := s.get(t, "/"); !strings.Contains(page, "rules are refused") {
		t.Error("the landing page does not say that rules are refused")
	}
	if !strings.Contains(s.output.String(), "Rules are refused, those from before stay in use") {
		t.Errorf("the log does not say it:\n%s", s.output)
	}

	put(filepath.Join(rules, "b.yaml"), "four")
	poll(t, "a good change", has(`one{name="f"} 7`, `four{name="f"} 7`, "kubevitals_rules_last_reload_successful 1"))
	if err := os.Remove(filepath.Join(rules, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	poll(t, "a file to be gone", func() bool {
		_, body := s.get(t, "/metrics")
		return !strings.Contains(body, "one{") && strings.Contains(body, "four{")
	})
	if code := s.stop(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, s.output)
	}
}
