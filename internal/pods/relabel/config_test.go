package relabel_test

import (
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods/relabel"
)

func TestParseConfigs(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "null", "[]"} {
		if got, err := relabel.ParseConfigs([]byte(text)); err != nil || len(got) > 0 {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	got, err := relabel.ParseConfigs([]byte(`
- source_labels: [__name__, code]
  separator: "@"
  regex: a@5..
  action: drop
- &drop {action: labeldrop, regex: "pod_ip|uid"}
- *drop
- {source_labels: [a], modulus: 4, target_label: shard, action: HashMod}
`))
	if err != nil || len(got) != 4 || got[0].Separator != "@" || got[2].Regex.String() != "pod_ip|uid" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestParseConfigErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a: b", "line 1: expected a list of rules"},
		{"- [", "relabelling: yaml:"},
		{"- action: keep\n- 5", "rule 2 (line 2): expected fields"},
		{"- null", "rule 1 (line 1): expected fields"},
		{"- {action: kep}", `unknown relabel action "kep"`},
		{"- {target: a}", `there is no field "target": known are source_labels, separator, regex`},
		{"- {regex: '('}", "missing closing )"},
		{"- {action: replace}", "requires 'target_label'"},
		{"- {action: hashmod, target_label: a}", "requires non-zero modulus"},
		{"- {action: ''}", "unknown relabel action"},
		{"- {modulus: x}", "cannot unmarshal"},
	} {
		_, err := relabel.ParseConfigs([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
	_, err := relabel.ParseConfigs([]byte("- {action: kep}\n- {action: drop}\n- {regex: '('}"))
	if err == nil || !strings.Contains(err.Error(), "rule 1 ") || !strings.Contains(err.Error(), "rule 3 ") {
		t.Errorf("not all errors: %v", err)
	}
}

func FuzzParseConfigs(f *testing.F) {
	f.Add([]byte("- {action: labeldrop, regex: a}"))
	f.Add([]byte("- source_labels: [a]\n  target_label: b\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		configs, err := relabel.ParseConfigs(text)
		if err != nil {
			return
		}
		r := relabel.Relabeler{Configs: configs}
		if _, err := r.Apply(scanned(t, body, 0), nil, nil); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}
