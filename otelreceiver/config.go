package otelreceiver

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/kubevitals/kubevitals/internal/otlp/points"
)

// The values of [Config.Collect] and [Config.Resource].
const (
	collectWatch, collectScrape  = "watch", "scrape"
	resourceNone, resourceObject = "none", "object"
)

// Config is the configuration of a receiver. Its zero value is not usable; that of
// the factory is.
type Config struct {
	// Catalogs are the names of built-in rules. Without any rules at all, those of
	// the Gateway API and Kuadrant are used.
	Catalogs []string `mapstructure:"catalogs"`
	// Rules are rule files, and folders of them. They are read when the receiver
	// starts.
	Rules []string `mapstructure:"rules"`
	// RulesInline are the texts of rule files.
	RulesInline []string `mapstructure:"rules_inline"`
	// Enable are opt-in groups of the rules to switch on.
	Enable []string `mapstructure:"enable"`
	// Params are values for parameters of rule documents, by DOCUMENT.NAME.
	Params map[string][]string `mapstructure:"params"`
	// CELBudget is how long the expressions of one metric may take for one object.
	CELBudget time.Duration `mapstructure:"cel_budget"`
	// CELCostLimit is what one evaluation of an expression may cost, for rules that
	// are not trusted; 0 for no limit but the time.
	CELCostLimit uint64 `mapstructure:"cel_cost_limit"`

	// Kubeconfig is a file; without it $KUBECONFIG is used, ~/.kube/config, or the
	// ServiceAccount of the pod.
	Kubeconfig string `mapstructure:"kubeconfig"`
	// Context is that of the kubeconfig, if it is not the current one.
	Context string `mapstructure:"context"`
	// From are files and folders to read objects from instead of a cluster.
	From []string `mapstructure:"from"`
	// Namespaces are the only ones to read, each on its own.
	Namespaces []string `mapstructure:"namespaces"`
	// NamespacesDenylist are namespaces not to read.
	NamespacesDenylist []string `mapstructure:"namespaces_denylist"`
	// Collect is "watch", or "scrape" to list everything at each collection.
	Collect string `mapstructure:"collect"`
	// DiscoveryInterval is how often a watched cluster is asked which kinds there
	// are.
	DiscoveryInterval time.Duration `mapstructure:"discovery_interval"`

	// CollectionInterval is how far apart two collections are at most.
	CollectionInterval time.Duration `mapstructure:"collection_interval"`
	// MinInterval is how far apart they are at least when much changes.
	MinInterval time.Duration `mapstructure:"min_interval"`
	// RetryInterval is the pause after the pipeline has refused metrics for now. It
	// doubles with each failure, up to 30 seconds.
	RetryInterval time.Duration `mapstructure:"retry_interval"`
	// MaxSeries is how many series are remembered, to end them when they are gone.
	MaxSeries int `mapstructure:"max_series"`
	// SelfMetrics adds what the receiver knows of its source, kinds and rules.
	SelfMetrics bool `mapstructure:"self_metrics"`

	// Resource is "object" to give each object a resource of its own, or "none".
	Resource string `mapstructure:"resource"`
	// ObjectAttributes are the attributes of such a resource, by the labels that
	// they come from. The default is [DefaultObjectAttributes].
	ObjectAttributes map[string]string `mapstructure:"object_attributes"`
	// ResourceAttributes are attributes of all resources.
	ResourceAttributes map[string]string `mapstructure:"resource_attributes"`
	// Names are the names of metrics, by their names in Prometheus. They go before
	// those that the rules give by otlpName.
	Names map[string]string `mapstructure:"names"`
	// Dots writes all other names with dots instead of underscores.
	Dots bool `mapstructure:"dots"`
	// Semconv makes state sets sums that can go down, as the semantic conventions
	// have them, instead of gauges.
	Semconv bool `mapstructure:"semconv"`

	// K8sLeaderElector is an extension of type k8s_leader_elector: metrics are given
	// by its leader only.
	K8sLeaderElector *component.ID `mapstructure:"k8s_leader_elector"`
	// Lease elects a leader without an extension.
	Lease *LeaseConfig `mapstructure:"lease"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// LeaseConfig says by which Lease a leader is elected.
type LeaseConfig struct {
	// Namespace and Name are those of the Lease. It is created if need be.
	Namespace string `mapstructure:"namespace"`
	Name      string `mapstructure:"name"`
	// Duration is how long others wait for a leader that does not answer. The
	// default is 15 seconds.
	Duration time.Duration `mapstructure:"duration"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// DefaultObjectAttributes returns which attributes the resource of an object has,
// by the labels that they come from.
func DefaultObjectAttributes() map[string]string {
	return map[string]string{
		"group": "k8s.resource.group", "kind": "k8s.resource.kind", "namespace": "k8s.namespace.name", "name": "k8s.resource.name",
		"customresource_group": "k8s.resource.group", "customresource_kind": "k8s.resource.kind",
	}
}

// Validate compiles the rules and checks all the rest. The error has a line for
// each thing that is wrong.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	c.validateSource(bad)
	c.validateOutput(bad)
	c.validateLeader(bad)
	set, err := c.load(io.Discard)
	if err != nil {
		errs = append(errs, err)
	} else if _, err := c.naming(set); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c *Config) validateSource(bad func(format string, args ...any)) {
	if c.Collect != collectWatch && c.Collect != collectScrape {
		bad("collect: %q, expected watch or scrape", c.Collect)
	}
	if len(c.From) > 0 {
		if c.Kubeconfig != "" || c.Context != "" {
			bad("from: objects come from files or from a cluster; remove kubeconfig and context, or from")
		}
		if c.Collect == collectScrape {
			bad("from: files are followed; remove collect: scrape")
		}
		if slices.Contains(c.From, "-") {
			bad(`from: "-": a collector has no standard input; name a file or a folder`)
		}
	}
	if len(c.Namespaces) > 0 && len(c.NamespacesDenylist) > 0 {
		bad("namespaces: say which to read, or by namespaces_denylist which not to read")
	}
	if slices.Contains(c.From, "") {
		bad("from: a name is empty")
	}
	if slices.Contains(c.Namespaces, "") || slices.Contains(c.NamespacesDenylist, "") {
		bad("namespaces, namespaces_denylist: a name is empty")
	}
	if c.CELBudget <= 0 {
		bad("cel_budget: %s, expected a time such as 250ms", c.CELBudget)
	}
	if c.DiscoveryInterval <= 0 {
		bad("discovery_interval: %s, expected a time such as 10s", c.DiscoveryInterval)
	}
}

func (c *Config) validateOutput(bad func(format string, args ...any)) {
	if c.CollectionInterval <= 0 {
		bad("collection_interval: %s, expected a time such as 60s", c.CollectionInterval)
	}
	if c.MinInterval <= 0 {
		bad("min_interval: %s, expected a time such as 5s", c.MinInterval)
	} else if c.CollectionInterval > 0 && c.MinInterval > c.CollectionInterval {
		bad("min_interval: %s is more than the collection_interval, %s", c.MinInterval, c.CollectionInterval)
	}
	if c.RetryInterval <= 0 || c.RetryInterval > maxRetry {
		bad("retry_interval: %s, expected a time up to %s, such as 1s", c.RetryInterval, maxRetry)
	}
	if c.MaxSeries <= 0 {
		bad("max_series: %d, expected a number such as 1000000", c.MaxSeries)
	}
	if c.Resource != resourceNone && c.Resource != resourceObject {
		bad("resource: %q, expected none or object", c.Resource)
	}
	if len(c.ObjectAttributes) > 0 && c.Resource != resourceObject {
		bad("object_attributes: only resources of objects have them; add resource: object")
	}
	for _, label := range sortedKeys(c.ObjectAttributes) {
		if attribute := c.ObjectAttributes[label]; label == "" || attribute == "" {
			bad("object_attributes: %q: %q, expected a label and an attribute, such as namespace: k8s.namespace.name", label, attribute)
		}
	}
	for _, key := range sortedKeys(c.ResourceAttributes) {
		if value := c.ResourceAttributes[key]; key == "" || value == "" {
			bad("resource_attributes: %q: %q, expected an attribute and its value", key, value)
		}
	}
}

// maxRetry is the longest pause after a failure.
const maxRetry = 30 * time.Second

func (c *Config) validateLeader(bad func(format string, args ...any)) {
	if c.Lease == nil {
		return
	}
	if c.K8sLeaderElector != nil {
		bad("lease: the leader is elected by the extension %s already; remove one of both", c.K8sLeaderElector)
	}
	if c.Lease.Namespace == "" || c.Lease.Name == "" {
		bad("lease: it needs a namespace and a name")
	}
	if c.Lease.Duration != 0 && c.Lease.Duration < time.Second {
		bad("lease: duration: %s, expected a second or more", c.Lease.Duration)
	}
	if len(c.From) > 0 {
		bad("lease: leaders are elected in a cluster, and objects come from files; remove lease or from")
	}
}

// attributes returns the attributes of all resources.
func (c *Config) attributes() points.Attributes {
	var out points.Attributes
	for key, value := range c.ResourceAttributes {
		out = out.With(key, value)
	}
	return out
}

// objects returns the labels that tell resources of objects apart, in order.
func (c *Config) objects() []points.ObjectKey {
	if c.Resource != resourceObject {
		return nil
	}
	attributes := c.ObjectAttributes
	if len(attributes) == 0 {
		attributes = DefaultObjectAttributes()
	}
	out := make([]points.ObjectKey, 0, len(attributes))
	for _, label := range sortedKeys(attributes) {
		out = append(out, points.ObjectKey{Label: label, Attribute: attributes[label]})
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
