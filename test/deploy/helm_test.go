package deploy_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// combinations are values that matter together. All of them must be taken by an API
// server that knows every field.
var combinations = map[string]string{
	"default":     `{}`,
	"everything":  `{serviceMonitor: {enabled: true}, podMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboards: {enabled: true}, networkPolicy: {enabled: true, from: [{namespaceSelector: {}}]}, podDisruptionBudget: {enabled: true}, pods: {enabled: true, selector: app=web}}`,
	"plain":       `{auth: {enabled: false}, serviceMonitor: {enabled: true}, podMonitor: {enabled: true}, pods: {enabled: true, selector: app=web}}`,
	"self-signed": `{tls: {source: selfSigned}, serviceMonitor: {enabled: true}, podMonitor: {enabled: true}}`,
	"own secret":  `{tls: {source: secret, secretName: mine}, serviceMonitor: {enabled: true}}`,
	"shards":      `{state: {kind: StatefulSet, replicas: 3}, serviceMonitor: {enabled: true}, podDisruptionBudget: {enabled: true}}`,
	"DaemonSet":   `{state: {enabled: false}, pods: {enabled: true, kind: DaemonSet, selector: app=web}, serviceMonitor: {enabled: true}, networkPolicy: {enabled: true}}`,
	"StatefulSet": `{state: {enabled: false}, pods: {enabled: true, kind: StatefulSet, replicas: 2, selector: app=web}}`,
	"namespaces":  `{state: {namespaces: [default]}, pods: {enabled: true, selector: app=web, namespaces: [default]}}`,
	"rules":       `{state: {catalogs: [], rules: {mine.yaml: {apiVersion: kubevitals.io/v1alpha1}}}, rbac: {extraRules: [{apiGroups: [myteam.io], resources: [foos], verbs: [list, watch]}]}}`,
	"kube-state-metrics": `{state: {catalogs: []}, customResourceState: {enabled: true, config: {kind: CustomResourceStateMetrics, spec: {resources: []}}},
		rbac: {extraRules: [{apiGroups: [myteam.io], resources: [foos], verbs: [list, watch]}]}}`,
	"kyma":       `{state: {catalogs: [kyma], metricPipelines: true, params: {kyma.modules: [telemetry]}}, prometheusRule: {enabled: true}, dashboards: {enabled: true}}`,
	"conditions": `{state: {catalogs: [conditions], params: {conditions.groups: [apps]}, rbac: {groups: [apps]}}, prometheusRule: {enabled: true}, dashboards: {enabled: true}}`,
	"push":       `{state: {replicas: 2, leaderElection: true, otlpEndpoint: "http://collector:4318", extraEnv: [{name: OTEL_EXPORTER_OTLP_HEADERS, value: a=b}]}}`,
	"placement": `{state: {nodeSelector: {a: b}, tolerations: [{operator: Exists}], priorityClassName: high, podLabels: {a: b}, podAnnotations: {a: b},
		topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}],
		extraVolumes: [{name: x, emptyDir: {}}], extraVolumeMounts: [{name: x, mountPath: /x}], serviceAccount: {annotations: {a: b}}},
		imagePullSecrets: [{name: pull}], commonLabels: {team: a}, image: {digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}}`,
}

// TestTemplates lints the chart with each combination of values, and has the API
// server take what it gives, without creating anything.
func TestTemplates(t *testing.T) {
	kubectl(t, "create", "namespace", "templates")
	for name, values := range combinations {
		t.Run(name, func(t *testing.T) {
			if out, err := helm(t, "lint", "--strict", chart, "--values", writeFile(t, values)); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			kubectl(t, "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", writeFile(t, template(t, "templates", values)))
		})
	}
}

// TestWrongValues: what is wrong with values is said in words.
func TestWrongValues(t *testing.T) {
	for values, want := range map[string]string{
		`{state: {kin: Deployment}}`:                                              "additional properties 'kin' not allowed",
		`{auth: {enabled: "yes"}}`:                                                "got string, want boolean",
		`{pods: {enabled: true}}`:                                                 "pods.selector: which pods are to be asked?",
		`{state: {catalogs: [gateway]}}`:                                          `there is no catalog "gateway": there are conditions, gateway-api, kuadrant, kyma`,
		`{tls: {source: certManager}}`:                                            "tls.certManager.issuerRef: which issuer is to sign the certificate?",
		`{image: {digest: "1234"}}`:                                               "does not match pattern",
		`{podDisruptionBudget: {maxUnavailable: some}}`:                           "maxUnavailable",
		`{tls: {secretName: x}, pods: {enabled: true, selector: a=b}}`:            "tls.secretName: both parts would have a certificate of this name",
		`{state: {appName: x}, pods: {enabled: true, selector: a=b, appName: x}}`: "each part would select the pods of the other",
		`{reader: {token: false}, serviceMonitor: {enabled: true}}`:               "reader: monitors need a token",
		`{auth: {audiences: [x]}, podMonitor: {enabled: true}}`:                   "auth.audiences: the token of the reader is for the API server",
		`{customResourceState: {enabled: true}}`:                                  "customResourceState.config: what is in the file?",
		`{customResourceState: {enabled: true, create: false}}`:                   "customResourceState.name: which ConfigMap has the file?",
		`{state: {leaderElection: true}}`:                                         "state.leaderElection: nothing is pushed",
		`{pods: {enabled: true, kind: DaemonSet, selector: a=b, leaderElection: true, otlpEndpoint: "http://c"}}`: "there is no leader among them",
		`{state: {namespaces: [a, a]}}`:                     "items at 0 and 1 are equal",
		`{fullnameOverride: A_b}`:                           "does not match pattern",
		`{state: {rbac: {extraRules: [{resource: pods}]}}}`: "additional properties 'resource' not allowed",
	} {
		_, err := helm(t, "template", "kubevitals", chart, "--values", writeFile(t, values))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", values, err, want)
		}
	}
}

// TestPackage packages the chart: what the catalogs have for it is inside, and
// nothing else of them.
func TestPackage(t *testing.T) {
	dir := t.TempDir()
	if _, err := helm(t, "package", chart, "--destination", dir); err != nil {
		t.Fatal(err)
	}
	archives, err := filepath.Glob(filepath.Join(dir, "kubevitals-*.tgz"))
	if err != nil || len(archives) != 1 {
		t.Fatalf("archives %v, %v", archives, err)
	}
	names := archived(t, archives[0])
	for _, want := range []string{"kubevitals/Chart.yaml", "kubevitals/values.schema.json", "kubevitals/files/rbac.yaml"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not inside", want)
		}
	}
	alerts, dashboards := 0, 0
	for _, name := range names {
		switch {
		case strings.HasSuffix(name, "/alerts.yaml"):
			alerts++
		case strings.Contains(name, "/dashboards/"):
			dashboards++
		case strings.Contains(name, "/catalog/"):
			t.Errorf("%s is inside", name)
		}
	}
	if alerts == 0 || dashboards == 0 {
		t.Errorf("%d files of alerts and %d dashboards are inside", alerts, dashboards)
	}
}

// archived returns the names of the files in an archive.
func archived(t *testing.T, file string) (names []string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(z); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
	}
}
