package rbac

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Manifest is permissions as objects of Kubernetes, for one account.
type Manifest struct {
	// Name is that of the account, its roles and their bindings; Namespace is the
	// account's.
	Name, Namespace string
	// Account is an account of the namespace that exists; empty for a new one that
	// is called Name.
	Account string
	// About are lines that stand at the top as comments.
	About []string
	*Permissions
}

// WriteTo writes YAML for kubectl apply: the ServiceAccount, unless it exists, and
// a role with its binding for each place that has permissions.
func (m *Manifest) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	for _, line := range m.About {
		b.WriteString("# " + comment(line) + "\n")
	}
	if m.Account == "" {
		fmt.Fprintf(&b, "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: %s\n  namespace: %s\n", scalar(m.Name), scalar(m.Namespace))
	}
	for _, place := range m.Places() {
		m.role(&b, place)
		m.binding(&b, place)
	}
	return b.WriteTo(w)
}

const group = "rbac.authorization.k8s.io"

func (m *Manifest) head(b *bytes.Buffer, kind, place string) {
	if place == "" {
		kind = "Cluster" + kind
	}
	fmt.Fprintf(b, "---\napiVersion: %s/v1\nkind: %s\nmetadata:\n  name: %s\n", group, kind, scalar(m.Name))
	if place != "" {
		fmt.Fprintf(b, "  namespace: %s\n", scalar(place))
	}
}

// role writes a role.
func (m *Manifest) role(b *bytes.Buffer, place string) {
	m.head(b, "Role", place)
	b.WriteString("rules:\n")
	for _, r := range m.Rules(place) {
		fmt.Fprintf(b, "- apiGroups: [%s]\n  resources:\n", scalar(r.Group))
		for _, p := range r.Permissions {
			fmt.Fprintf(b, "  - %s # %s\n", scalar(p.Resource), comment(p.Why))
		}
		if r.Name != "" {
			fmt.Fprintf(b, "  resourceNames: [%s]\n", scalar(r.Name))
		}
		fmt.Fprintf(b, "  verbs: [%s]\n", strings.Join(r.Verbs, ", "))
	}
}

func (m *Manifest) binding(b *bytes.Buffer, place string) {
	m.head(b, "RoleBinding", place)
	kind := "Role"
	if place == "" {
		kind = "ClusterRole"
	}
	fmt.Fprintf(b, "roleRef:\n  apiGroup: %s\n  kind: %s\n  name: %s\n", group, kind, scalar(m.Name))
	fmt.Fprintf(b, "subjects:\n- kind: ServiceAccount\n  name: %s\n  namespace: %s\n", scalar(cmp.Or(m.Account, m.Name)), scalar(m.Namespace))
}

var plain = regexp.MustCompile(`^[a-z]([-a-z0-9.]*[a-z0-9])?$`)

// scalar returns text as YAML, quoted unless it is a name that nobody takes for
// anything else.
func scalar(s string) string {
	words := []string{"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
	if plain.MatchString(s) && !slices.Contains(words, s) {
		return s
	}
	return strconv.QuoteToASCII(s)
}

// comment returns text that stays on one line.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}
