package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/mod/semver"
	"helm.sh/helm/v4/pkg/strvals"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/kubevitals/kubevitals/internal/manifest"
	"github.com/kubevitals/kubevitals/internal/rbac"
	"github.com/kubevitals/kubevitals/internal/rulebook"
)

// manifestFlags are the flags of the commands manifests that are not those of the
// command whose installation is printed.
type manifestFlags struct {
	values, set []string
	only        []string
	noNamespace bool
}

// add adds the flags to those of an account.
func (f *manifestFlags) add(cmd *cobra.Command, account *accountFlags) {
	flags := cmd.Flags()
	account.name = "kubevitals"
	flag := flags.Lookup("name")
	flag.DefValue, flag.Usage = account.name, "what all objects are named after"
	flags.Lookup("namespace").Usage = "namespace of the objects"
	flags.StringArrayVar(&f.values, "values", nil, "file with values of the Helm chart (repeatable)")
	flags.StringArrayVar(&f.set, "set", nil, "value of the Helm chart, PATH=VALUE, as Helm reads it (repeatable)")
	flags.StringSliceVar(&f.only, "only", nil, "kinds of objects to print, such as Deployment,ServiceMonitor (default all)")
	flags.BoolVar(&f.noNamespace, "no-namespace", false, "do not print the namespace")
}

func newManifests() *cobra.Command {
	f := &manifestFlags{}
	r := &rbacFlags{state: &stateFlags{}}
	cmd := &cobra.Command{
		Use:   "manifests",
		Short: "Print the objects that install Kubevitals with the flags in use",
		Long: `Print the objects that install "kubevitals state" with the flags in use, for
kubectl apply: those of the Helm chart, with exactly the permissions that
"kubevitals rbac" prints. Rule files become a ConfigMap.

The values of the chart (deploy/chart/values.yaml) that no flag is about are set
by --set and --values: monitors, alerts and dashboards, resources, and so on.
"kubevitals manifests pods" is for the command pods.`,
		Example: `  # the catalogs of this cluster, for readers that RBAC allows, with what
  # Prometheus Operator and Grafana take
  kubevitals manifests --auth=kubernetes --set serviceMonitor.enabled=true \
    --set prometheusRule.enabled=true --set dashboards.enabled=true | kubectl apply -f -

  # alerts alone
  kubevitals manifests --offline --set prometheusRule.enabled=true --only PrometheusRule`,
		Args:    cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error { return r.state.ksm.readOptions() },
		RunE: func(cmd *cobra.Command, _ []string) error {
			permissions, _, err := r.permissions(cmd)
			if err != nil {
				return err
			}
			part := map[string]any{"rbac": rolesOf(permissions), "catalogs": anyOf(r.state.catalogs()), "metricPipelines": r.state.pipelines.any()}
			values := map[string]any{"state": part}
			given := []string{"rules", "custom-resource-state-config-file"}
			if err := r.state.files(part, values); err != nil {
				return err
			}
			part["args"] = anyOf(append(installed(cmd, given...), r.state.filed()...))
			return f.print(cmd, &r.account, &r.state.serve.secure, part, values)
		},
	}
	r.state.add(cmd)
	cmd.Flags().VisitAll(func(flag *pflag.Flag) { flag.Hidden = flag.Hidden || !slices.Contains(rbacListed, flag.Name) })
	r.add(cmd)
	f.add(cmd, &r.account)
	cmd.AddCommand(newManifestsPods())
	return cmd
}

func newManifestsPods() *cobra.Command {
	f := &manifestFlags{}
	r := &rbacPodsFlags{pods: new(podsFlags)}
	cmd := &cobra.Command{
		Use:   "pods",
		Short: "Print the objects that install the command pods with the flags in use",
		Long: `Print the objects that install "kubevitals pods" with the flags in use, for
kubectl apply: those of the Helm chart, with exactly the permissions that
"kubevitals rbac pods" prints. No cluster is asked.`,
		Example: `  # pods of an application, scraped by Prometheus Operator
  kubevitals manifests pods --selector app=web --set serviceMonitor.enabled=true | kubectl apply -f -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			permissions, _, err := r.permissions(cmd)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("selector") {
				return errors.New("--selector: which pods are to be asked? Give a label selector, such as app=web")
			}
			args := installed(cmd)
			if !cmd.Flags().Changed("budget") {
				args = append(args, "--budget="+chartBudget)
			}
			part := map[string]any{"enabled": true, "rbac": rolesOf(permissions), "args": anyOf(args)}
			values := map[string]any{"pods": part, "state": map[string]any{"enabled": false}}
			return f.print(cmd, &r.account, &r.pods.serve.secure, part, values)
		},
	}
	r.pods.add(cmd)
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		flag.Hidden = !slices.Contains(append(rbacPodsListed, "selector"), flag.Name)
	})
	r.account.add(cmd, "", "")
	f.add(cmd, &r.account)
	return cmd
}

// chartBudget is the budget of pods for the memory that the chart gives them.
const chartBudget = "256Mi"

// print renders the chart with values, among which are those of a part, and those of
// the flags.
func (f *manifestFlags) print(cmd *cobra.Command, account *accountFlags, secure *secureFlags, part, values map[string]any) error {
	if account.account != "" {
		part["serviceAccount"] = map[string]any{"create": false, "name": account.account}
	}
	if err := secure.chart(values); err != nil {
		return err
	}
	if err := onlyHere(cmd); err != nil {
		return err
	}
	values["fullnameOverride"] = account.name
	values["managedBy"] = "kubevitals"
	values["namespace"] = map[string]any{"create": !f.noNamespace}
	values, err := f.merge(values)
	if err != nil {
		return err
	}
	if err := f.decided(cmd, values); err != nil {
		return err
	}
	objects, err := manifest.Render(manifest.Release{Name: account.name, Namespace: account.namespace, Version: releasedVersion(), Values: values})
	if err != nil {
		return err
	}
	missing := slices.Clone(f.only)
	out := cmd.OutOrStdout()
	if _, err := fmt.Fprintf(out, "# Printed by: %s\n", commandLine(cmd)); err != nil {
		return err
	}
	before := ""
	for _, o := range objects {
		if len(f.only) > 0 && !slices.Contains(f.only, o.Kind) {
			continue
		}
		missing = slices.DeleteFunc(missing, func(kind string) bool { return kind == o.Kind })
		if _, err := fmt.Fprintf(out, "%s%s", before, o.YAML); err != nil {
			return err
		}
		before = "---\n"
	}
	if len(missing) > 0 {
		return fmt.Errorf("--only: there is no %s among the objects: is it switched on, as by --set serviceMonitor.enabled=true?", strings.Join(missing, ", "))
	}
	return nil
}

// merge puts the values of flags over others.
func (f *manifestFlags) merge(values map[string]any) (map[string]any, error) {
	for _, file := range f.values {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--values: %w", err)
		}
		var over map[string]any
		if err := yaml.UnmarshalStrict(data, &over); err != nil {
			return nil, fmt.Errorf("--values: %s: %w", file, err)
		}
		overlay(values, over)
	}
	for _, set := range f.set {
		if err := strvals.ParseInto(set, values); err != nil {
			return nil, fmt.Errorf("--set %s: %w", set, err)
		}
	}
	return values, nil
}

// decided refuses values of a part that flags decide on: arguments and permissions are
// those of the flags.
func (f *manifestFlags) decided(cmd *cobra.Command, values map[string]any) error {
	given, err := f.merge(make(map[string]any))
	if err != nil {
		return err
	}
	for _, part := range []string{"state", "pods"} {
		ours, _ := values[part].(map[string]any)
		if _, printed := ours["rbac"]; !printed {
			continue // it is on by --set alone, and the chart decides
		}
		theirs, _ := given[part].(map[string]any)
		for key := range theirs {
			if !slices.Contains(beside, key) {
				return fmt.Errorf("%s.%s: that is said by flags of \"kubevitals %s\", which the permissions go by as well", part, key, part)
			}
		}
		shares := slices.ContainsFunc([]string{"shard", "pod", "node-name"}, cmd.Flags().Changed)
		if kind := theirs["kind"]; kind != nil && kind != "Deployment" && !shares {
			return fmt.Errorf("%s.kind: the pods of a %v share the work by a flag: --pod='$(POD_NAME)' and --pod-namespace='$(POD_NAMESPACE)' of state, --shard=auto/COUNT or --node-name='$(NODE_NAME)' of pods", part, kind)
		}
	}
	return nil
}

// beside are the values of a part that no flag is about.
var beside = []string{
	"enabled", "kind", "replicas", "appName", "extraArgs", "extraEnv", "serviceAccount", "resources", "podLabels", "podAnnotations", "nodeSelector",
	"tolerations", "affinity", "topologySpreadConstraints", "priorityClassName", "extraVolumes", "extraVolumeMounts",
}

// overlay puts values over others, key by key.
func overlay(values, over map[string]any) {
	for key, value := range over {
		below, isMap := values[key].(map[string]any)
		if top, ok := value.(map[string]any); ok && isMap {
			overlay(below, top)
			continue
		}
		values[key] = value
	}
}

// chart says in values of the chart who may use the server.
func (f *secureFlags) chart(values map[string]any) error {
	for _, flag := range []string{"tls-cert", "tls-key", "tls-client-ca", "web.config.file", "auth-kubeconfig", "listen", "port"} {
		if f.set.Changed(flag) {
			return fmt.Errorf("--%s: the chart decides on ports and files of a server; --set tls.source=secret takes a certificate of yours", flag)
		}
	}
	if f.auth != "kubernetes" && (f.selfSigned || len(f.audiences) > 0) {
		return errors.New("--tls-self-signed, --auth-audience: the chart serves TLS for --auth=kubernetes only")
	}
	auth := map[string]any{"enabled": f.auth == "kubernetes"}
	if len(f.audiences) > 0 {
		auth["audiences"] = anyOf(f.audiences)
	}
	values["auth"] = auth
	if f.selfSigned {
		values["tls"] = map[string]any{"source": "selfSigned"}
	}
	return nil
}

// onlyHere refuses flags that name files of this machine, or have secrets that anybody
// could read who may read Deployments.
func onlyHere(cmd *cobra.Command) error {
	for _, name := range []string{"otlp-ca", "otlp-cert", "otlp-key", "pod-auth", "metric-relabel-configs", "from"} {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s names a file of this machine: mount it with --set STATE_OR_PODS.extraVolumes and extraVolumeMounts, and give the flag by extraArgs", name)
		}
	}
	if cmd.Flags().Changed("otlp-header") {
		return errors.New("--otlp-header: who may read the Deployment could read it: use OTEL_EXPORTER_OTLP_HEADERS of a Secret, by extraEnv")
	}
	return nil
}

// served are the flags that the chart sets itself, or that are about this process.
var served = []string{"auth", "auth-audience", "tls-self-signed", "tls-host", "kubeconfig", "values", "set", "only", "no-namespace"}

// installed returns the flags in use as the installation has them, without some.
func installed(cmd *cobra.Command, without ...string) (out []string) {
	skip := slices.Concat(without, served, rbacOwn)
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if slices.Contains(skip, flag.Name) {
			return
		}
		values := []string{flag.Value.String()}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			if values = list.GetSlice(); flag.Value.Type() != "stringArray" {
				values = []string{strings.Join(values, ",")}
			}
		}
		for _, value := range values {
			out = append(out, "--"+flag.Name+"="+value)
		}
	})
	return out
}

// catalogs are those in use.
func (f *stateFlags) catalogs() []string {
	if len(f.rules.Catalogs) > 0 || len(f.rules.Paths) > 0 || f.rules.Legacy != "" || f.rules.configMaps != "" || f.pipelines.any() {
		return f.rules.Catalogs
	}
	return rulebook.DefaultCatalogs
}

// files puts the rule files that flags name into values of the chart: into those
// of the part, and of the chart itself.
func (f *stateFlags) files(part, values map[string]any) error {
	if f.pipelines.file != "" {
		return errors.New("--metric-pipeline names a file of this machine: use --metric-pipelines, or --set with extraVolumes")
	}
	rules := make(map[string]any)
	for _, name := range f.rules.Paths {
		for _, file := range rulebook.FilesIn(name) {
			key := filepath.Base(file)
			data, err := rulebook.Read("", file)
			switch _, twice := rules[key]; {
			case err != nil:
				return err
			case twice:
				return fmt.Errorf("--rules: %s: there is another file of this name, and a ConfigMap has one of each", file)
			case !rulebook.IsRuleFile(key) || len(validation.IsConfigMapKey(key)) > 0:
				return fmt.Errorf("--rules: %s: a ConfigMap cannot have a rule file of this name: call it something like my-rules.yaml", file)
			}
			rules[key] = string(data)
		}
	}
	if len(rules) > 0 {
		part["rules"] = rules
	}
	if f.rules.Legacy != "" {
		data, err := os.ReadFile(f.rules.Legacy)
		if err != nil {
			return fmt.Errorf("--custom-resource-state-config-file: %w", err)
		}
		values["customResourceState"] = map[string]any{"enabled": true, "config": string(data)}
	}
	return nil
}

// filed are the flags that name the files of an installation.
func (f *stateFlags) filed() (out []string) {
	if len(f.rules.Paths) > 0 {
		out = append(out, "--rules=/etc/kubevitals/rules")
	}
	if f.rules.Legacy != "" {
		out = append(out, "--custom-resource-state-config-file=/etc/customresourcestate/config.yaml")
	}
	return out
}

// rolesOf returns permissions as the chart's values have them.
func rolesOf(p *rbac.Permissions) map[string]any {
	roles := []any{}
	for _, place := range p.Places() {
		rules := []any{}
		for _, r := range p.Rules(place) {
			var resources []any
			for _, x := range r.Permissions {
				resources = append(resources, x.Resource)
			}
			rule := map[string]any{"apiGroups": []any{r.Group}, "resources": resources, "verbs": anyOf(r.Verbs)}
			if r.Name != "" {
				rule["resourceNames"] = []any{r.Name}
			}
			rules = append(rules, rule)
		}
		roles = append(roles, map[string]any{"namespace": place, "rules": rules})
	}
	return map[string]any{"roles": roles, "create": len(roles) > 0}
}

func anyOf(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// releasedVersion is the version of this program if it is that of a release.
func releasedVersion() string {
	version := currentVersion()
	if !semver.IsValid("v"+strings.TrimPrefix(version, "v")) || semver.Prerelease("v"+strings.TrimPrefix(version, "v")) != "" {
		return ""
	}
	return strings.TrimPrefix(version, "v")
}
