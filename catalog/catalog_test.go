package catalog_test

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/catalog"
)

// TestFamilies checks the embedded files against the folders.
func TestFamilies(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var folders, withRules []string
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		folders = append(folders, e.Name())
		if _, err := os.Stat(e.Name() + "/rules.yaml"); err == nil {
			withRules = append(withRules, e.Name())
		}
	}
	if diff := cmp.Diff(folders, catalog.Families()); diff != "" {
		t.Errorf("families (-folders +got):\n%s", diff)
	}
	if diff := cmp.Diff(withRules, catalog.Names()); diff != "" {
		t.Errorf("catalogs (-folders +got):\n%s", diff)
	}
	if len(withRules) == len(folders) {
		t.Error("there is no family without rules: what tells Names from Families is not tested")
	}
}

func TestAlerts(t *testing.T) {
	for _, family := range catalog.Families() {
		file, data, err := catalog.Alerts(family)
		if err != nil {
			t.Error(err)
			continue
		}
		if want := "catalog/" + family + "/alerts.yaml"; file != want {
			t.Errorf("the alerts of %s are called %q, want %q", family, file, want)
		}
		if !bytes.Contains(data, []byte("\ngroups:\n")) {
			t.Errorf("%s has no groups", file)
		}
	}
	for _, family := range []string{"", "nosuch", "../catalog/kyma", "kyma/testdata"} {
		if file, data, err := catalog.Alerts(family); err == nil {
			t.Errorf("Alerts(%q) = %q, %d bytes, want an error", family, file, len(data))
		}
	}
	_, _, err := catalog.Alerts("nosuch")
	if want := `there are no alerts of "nosuch": there are those of conditions, gateway-api, kuadrant, kubevitals, kyma, pods`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestRules(t *testing.T) {
	if _, _, err := catalog.Rules("kyma"); err != nil {
		t.Error(err)
	}
	if slices.Contains(catalog.Names(), "pods") {
		t.Error("pods has no rules, and is listed as a catalog")
	}
	_, _, err := catalog.Rules("pods")
	if want := `there is no catalog "pods": there are conditions, gateway-api, kuadrant, kyma`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
