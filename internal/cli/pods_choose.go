package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/internal/shard"
)

// chosen is which pods the flags choose.
type chosen struct {
	namespaces []string // sorted; none for all
	options    target.Options
}

// podNamespaceFile has the namespace of the pod that this runs in.
const podNamespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// read checks the flags and returns what they choose. own returns the namespace
// that the command runs in.
func (f *chooseFlags) read(set *pflag.FlagSet, own func() (string, error)) (c chosen, err error) {
	c.options = target.Options{
		PodLabel: f.podLabel, NamespaceLabel: f.namespaceLabel, Family: target.Family(f.ipFamily),
		HostPorts: target.HostPorts(f.hostPorts), Terminating: target.Terminating(f.terminating),
		ReadyOnly: f.readyOnly, MaxTargets: f.limit,
	}
	var errs []error
	try := func(err error) { errs = append(errs, err) }
	try(f.words())
	try(f.places(&c, set, own))
	try(f.selectors(set))
	try(f.network(&c.options))
	try(f.labelled(&c.options))
	c.options.Shard, err = f.share()
	try(err)
	if f.limit < 0 {
		try(fmt.Errorf("--target-limit %d: expected a number of targets, or 0 for no limit", f.limit))
	}
	if f.stale <= 0 {
		try(fmt.Errorf("--stale-after %s: expected a time that is more than 0", f.stale))
	}
	if c.options.PathAllow, err = target.ParsePathAllow(f.pathAllow); err != nil {
		try(fmt.Errorf("--path-allow %q: %w", f.pathAllow, err))
	}
	if err := errors.Join(errs...); err != nil {
		return c, err
	}
	return c, c.options.Validate()
}

// words checks the flags that take one of some words.
func (f *chooseFlags) words() error {
	return errors.Join(
		oneOf("host-ports", f.hostPorts, "declared", "any", "none"),
		oneOf("terminating", f.terminating, "grace", "scrape", "drop"),
		oneOf("ip-family", f.ipFamily, "", "ipv4", "ipv6"),
	)
}

// oneOf checks a flag that takes one of some words. The empty word may be one of
// them.
func oneOf(flag, value string, words ...string) error {
	if slices.Contains(words, value) {
		return nil
	}
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "" })
	last := len(words) - 1
	return fmt.Errorf("--%s %q: expected %s or %s", flag, value, strings.Join(words[:last], ", "), words[last])
}

// places reads which namespaces there are.
func (f *chooseFlags) places(c *chosen, set *pflag.FlagSet, own func() (string, error)) error {
	for _, name := range f.namespaces {
		if wrong := validation.ValidateNamespaceName(name, false); len(wrong) > 0 {
			return fmt.Errorf("--namespaces: %q: %s", name, wrong[0])
		}
	}
	if set.Changed("namespaces") && len(f.namespaces) == 0 {
		return errors.New("--namespaces is set to nothing: name namespaces, or leave it out for all")
	}
	c.namespaces = f.namespaces
	if f.ownNamespace {
		name, err := own()
		if err != nil {
			return fmt.Errorf("--own-namespace: %w (name the namespace with --namespaces)", err)
		}
		c.namespaces = append(slices.Clip(c.namespaces), name)
	}
	c.namespaces = unique(c.namespaces)
	return nil
}

// ownNamespace returns the namespace that a file of the ServiceAccount has.
func ownNamespace(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("this does not run in a pod with a ServiceAccount: %w", err)
	}
	name := strings.TrimSpace(string(data))
	if wrong := validation.ValidateNamespaceName(name, false); len(wrong) > 0 {
		return "", fmt.Errorf("%s has %.80q, which is no namespace: %s", file, name, wrong[0])
	}
	return name, nil
}

// selectors checks what else pods must have.
func (f *chooseFlags) selectors(set *pflag.FlagSet) error {
	for _, name := range []string{"namespace-selector", "field-selector"} {
		if set.Changed(name) && strings.TrimSpace(set.Lookup(name).Value.String()) == "" {
			return fmt.Errorf("--%s is set to nothing: leave it out to select all", name)
		}
	}
	if _, err := labels.Parse(f.namespaceSelector); err != nil {
		return fmt.Errorf("--namespace-selector %q: %w; write it as for kubectl get -l, such as team=web", f.namespaceSelector, err)
	}
	if _, err := fields.ParseSelector(f.fieldSelector); err != nil {
		return fmt.Errorf("--field-selector %q: %w; write it as for kubectl get --field-selector, such as spec.serviceAccountName=web", f.fieldSelector, err)
	}
	if set.Changed("node-name") {
		if wrong := utilvalidation.IsDNS1123Subdomain(f.node); len(wrong) > 0 {
			return fmt.Errorf("--node-name %q: this is no name of a node; in a DaemonSet write $(NODE_NAME), and set that variable from the field spec.nodeName", f.node)
		}
	}
	return nil
}

// network reads which addresses and ports may be asked.
func (f *chooseFlags) network(o *target.Options) error {
	for _, text := range f.cidrs {
		prefix, err := netip.ParsePrefix(text)
		if err != nil || prefix.Addr().Is4In6() {
			return fmt.Errorf("--pod-cidr %q: write an address and a length, such as 10.244.0.0/16", text)
		}
		if whole := prefix.Masked(); whole != prefix {
			return fmt.Errorf("--pod-cidr %q: the address goes on behind the network's part: write %s for the network, or %s for this address alone",
				text, whole, netip.PrefixFrom(prefix.Addr(), prefix.Addr().BitLen()))
		}
		o.PodCIDRs = append(o.PodCIDRs, prefix)
	}
	for _, port := range f.reservedPorts {
		if port < 1 || port > 65535 {
			return fmt.Errorf("--reserved-ports %d: expected ports, which are numbers from 1 to 65535", port)
		}
		o.ReservedPorts = append(o.ReservedPorts, uint16(port))
	}
	return nil
}

// labelled reads which labels targets have.
func (f *chooseFlags) labelled(o *target.Options) error {
	flags := make(map[string]string) // by what they call a label
	add := func(flag string, l target.LabelSource) error {
		if err := l.Validate(); err != nil {
			return fmt.Errorf("%s: %w", flag, err)
		}
		if other, twice := flags[l.Name]; twice {
			return fmt.Errorf("%s: the label %q is that of %s already: call one of them otherwise", flag, l.Name, other)
		}
		flags[l.Name] = flag
		return nil
	}
	for _, own := range []struct {
		flag string
		target.LabelSource
	}{{"--pod-name-label", target.LabelSource{Name: f.podLabel, From: "pod"}}, {"--namespace-label", target.LabelSource{Name: f.namespaceLabel, From: "namespace"}}} {
		if own.Name == "" {
			return fmt.Errorf("%s is set to nothing: targets need it to be told apart", own.flag)
		}
		if err := add(own.flag, own.LabelSource); err != nil {
			return err
		}
	}
	for _, text := range f.labels {
		source, err := target.ParseLabelSource(text)
		if err != nil {
			return fmt.Errorf("--target-label: %w", err)
		}
		if err := add("--target-label "+text, source); err != nil {
			return err
		}
		o.Labels = append(o.Labels, source)
	}
	return nil
}

// labelNames returns the names of the labels that targets can have.
func (f *chooseFlags) labelNames() []string {
	names := []string{f.podLabel, f.namespaceLabel, "container", "port", "path"}
	for _, text := range f.labels {
		name, _, _ := strings.Cut(text, "=")
		names = append(names, name)
	}
	return names
}

var shardText = regexp.MustCompile(`^(auto|\d{1,5})/(\d{1,5})$`)

// share reads which of all pods belong to this process.
func (f *chooseFlags) share() (s shard.Shard, err error) {
	if f.shard == "" {
		return s, nil
	}
	m := shardText.FindStringSubmatch(f.shard)
	if m == nil {
		return s, fmt.Errorf("--shard %q: write INDEX/COUNT, such as 0/3 for the first of three, or auto/3 in a StatefulSet", f.shard)
	}
	index := m[1]
	if index == "auto" {
		host, err := os.Hostname()
		if err != nil {
			return s, fmt.Errorf("--shard %s: %w", f.shard, err)
		}
		of := ordinal.FindStringSubmatch(host)
		if of == nil {
			return s, fmt.Errorf("--shard %s: the hostname %q does not end in a dash and a number, as those of a StatefulSet's pods do: write the index", f.shard, host)
		}
		index = of[1]
	}
	s.Index, _ = strconv.Atoi(index)
	s.Count, _ = strconv.Atoi(m[2])
	if s.Count > shard.Max {
		return s, fmt.Errorf("--shard %s: there can be at most %d shares", f.shard, shard.Max)
	}
	if s.Index >= s.Count {
		return s, fmt.Errorf("--shard %s: index %d is none of %d, which count from 0", f.shard, s.Index, s.Count)
	}
	return s, nil
}
