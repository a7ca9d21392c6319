package e2e

import (
	"errors"
	"fmt"
	"testing"

	"github.com/kubevitals/kubevitals/test/program"
)

// TestGroups switches all opt-in groups of the catalogs on, one of which reads
// CustomResourceDefinitions, by watch and by scrape.
func TestGroups(t *testing.T) {
	if err := control.Apply(t.Context(), demoObjects(t)); err != nil {
		t.Fatal(err)
	}
	const groups = "reasons,transitions,generations,routes,backends,matches,gateways,tls,dns,crds"
	for _, mode := range []string{"watch", "scrape"} {
		p := state(t, "--enable", groups, "--collect", mode)
		program.Poll(t, mode+": the families of all groups", func() error {
			text := scrape(t, p)
			err := errors.Join(has(text, "gateway_metrics_up 1"),
				has(text, `kubevitals_state_kind_up{group="apiextensions.k8s.io",kind="CustomResourceDefinition",version="v1"} 1`))
			for _, sample := range [][]string{
				{"gatewayapi_httproute_status_parents_conditions_reason_info{", `name="partner-api"`, `reason="NotAllowedByListeners"`, `status="False"`},
				{"gatewayapi_httproute_status_parents_conditions_last_transition_timestamp_seconds{", `name="partner-api"`, `type="Accepted"} 1.773`},
				{"gatewayapi_httproute_metadata_generation{", `name="partner-api"`},
				{"gatewayapi_httproute_parent_status_reported{", `name="summer-sale"`, "} 0"},
				{"gatewayapi_httproute_backend_ref_weight{", `name="partner-api"`, `backend_name="partner-api"`, `backend_kind="Service"`, "} 1"},
				{"gatewayapi_httproute_rule_match_info{", `name="partner-api"`, `path="/partners"`, `path_type="PathPrefix"`},
				{"gatewayapi_gateway_listener_certificate_ref_info{", `name="shop-public"`, `ref_kind="Secret"`},
				{"gatewayapi_gateway_status_listener_supported_kind_info{", `name="shop-public"`, `route_kind="HTTPRoute"`},
				{"gatewayapi_dnspolicy_status_total_records{", `name="shop-public"`, "} 2"},
				{"kuadrant_dnshealthcheckprobe_consecutive_failures{", "} 412"},
				{"gatewayapi_crd_info{", `bundle_version="v1.6.`, `channel="experimental"`, `kind="HTTPRoute"`, `served="true"`, `storage="true"`, `version="v1"`},
			} {
				if len(lines(text, sample...)) == 0 {
					err = errors.Join(err, fmt.Errorf("no line has %q", sample))
				}
			}
			if n := len(lines(text, "gatewayapi_crd_info{", "kuadrant.io")); n > 0 {
				err = errors.Join(err, fmt.Errorf("%d versions of CRDs that are not of the Gateway API", n))
			}
			return err
		})
	}
}
