package alerts

import (
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
)

// testFile is as much of a test file of promtool as is looked at here.
type testFile struct {
	Tests []struct {
		Name        string `json:"name"`
		InputSeries []struct {
			Series string `json:"series"`
			Values string `json:"values"`
		} `json:"input_series"`
		AlertRuleTest []alertCase `json:"alert_rule_test"`
	} `json:"tests"`
}

// alertCase says which alerts of a name fire at some time.
type alertCase struct {
	AlertName string           `json:"alertname"`
	ExpAlerts []map[string]any `json:"exp_alerts"`
}

// readTests reads the tests of a family.
func readTests(t *testing.T, family string) testFile {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, family, "testdata", "alerts_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file testFile
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestCases checks that each alert is tested in both directions: there is a test in
// which it fires at one time, and with the same series does not at another.
func TestCases(t *testing.T) {
	for _, r := range readRules(t) {
		both := make(map[string]bool)
		for _, test := range readTests(t, r.family).Tests {
			if test.Name == "" {
				t.Errorf("%s: a test has no name", r.family)
			}
			fires, rests := make(map[string]bool), make(map[string]bool)
			for _, c := range test.AlertRuleTest {
				fires[c.AlertName] = fires[c.AlertName] || len(c.ExpAlerts) > 0
				rests[c.AlertName] = rests[c.AlertName] || len(c.ExpAlerts) == 0
			}
			for name := range fires {
				both[name] = both[name] || fires[name] && rests[name]
			}
		}
		for _, a := range r.alerts {
			if !both[a.Alert] {
				t.Errorf("%s/%s: no test in which it fires at one time, and does not at another", r.family, a.Alert)
			}
			delete(both, a.Alert)
		}
		for name := range both {
			t.Errorf("%s: a test of the alert %q, which does not exist", r.family, name)
		}
	}
}
