package kubeauth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Rule allows access without asking the API server. It allows a request whose
// user is in Users or has a group in Groups, whose verb is in Verbs and whose
// path is in Paths. An empty list matches nothing, and [New] refuses a rule
// that can therefore never match: who means all users writes the group
// system:authenticated. A rule cannot deny.
type Rule struct {
	// Users are names such as
	// system:serviceaccount:monitoring:prometheus-k8s, or the common name of a
	// client certificate.
	Users []string
	// Groups are names such as system:serviceaccounts:monitoring, or an
	// organization of a client certificate.
	Groups []string
	// Verbs are methods in lower case, such as get, which includes HEAD, or *
	// for all.
	Verbs []string
	// Paths are compared as nonResourceURLs of RBAC are: whole, or up to a * at
	// the end. A slash counts as any other character.
	Paths []string
}

// checkedRules returns a deep copy of rules, or what is wrong with one.
func checkedRules(rules []Rule) ([]Rule, error) {
	out := make([]Rule, 0, len(rules))
	for i, r := range rules {
		r = Rule{slices.Clone(r.Users), slices.Clone(r.Groups), slices.Clone(r.Verbs), slices.Clone(r.Paths)}
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("static rule %d: %w", i, err)
		}
		out = append(out, r)
	}
	return out, nil
}

func (r Rule) check() error {
	if len(r.Users)+len(r.Groups) == 0 || len(r.Verbs) == 0 || len(r.Paths) == 0 {
		return errors.New("an empty list matches nothing: give users or groups, verbs, and paths")
	}
	for _, name := range slices.Concat(r.Users, r.Groups) {
		if name == "" || strings.Contains(name, "*") {
			return fmt.Errorf("user or group %q: give the whole name, or the group %s for all", name, authenticated)
		}
	}
	for _, v := range r.Verbs {
		if v == "" || v != strings.ToLower(v) || v == "head" {
			return fmt.Errorf("verb %q: give a method in lower case, and get for HEAD", v)
		}
	}
	for _, p := range r.Paths {
		prefix := strings.TrimSuffix(p, "*")
		if p != "*" && !strings.HasPrefix(p, "/") || strings.Contains(prefix, "*") {
			return fmt.Errorf("path %q: start with / and have * at the end only", p)
		}
	}
	return nil
}

// allows expects a path that is unambiguous.
func (r Rule) allows(user User, verb, path string) bool {
	inGroup := func(group string) bool { return slices.Contains(user.Groups, group) }
	matches := func(pattern string) bool {
		prefix, wild := strings.CutSuffix(pattern, "*")
		return pattern == path || wild && strings.HasPrefix(path, prefix)
	}
	return (slices.Contains(r.Users, user.Name) || slices.ContainsFunc(r.Groups, inGroup)) &&
		(slices.Contains(r.Verbs, verb) || slices.Contains(r.Verbs, "*")) &&
		slices.ContainsFunc(r.Paths, matches)
}
