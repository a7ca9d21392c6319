package source

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// ServedKind is a version of a kind that a cluster serves and that can be listed.
type ServedKind struct {
	rule.Served
	// Resource is what it is called in URLs.
	Resource string
	// Watchable says that it can be watched.
	Watchable bool
}

// Served asks what the cluster serves. The core group is left out unless the
// rules ask for it, as is what they do not ask about kinds.
func (c *Cluster) Served(ctx context.Context) ([]ServedKind, error) {
	if !c.lock(ctx) {
		return nil, ctx.Err()
	}
	defer c.unlock()
	s, _, err := c.discover(ctx)
	if err != nil {
		return nil, err
	}
	var out []ServedKind
	for key, versions := range s {
		for i, v := range versions {
			out = append(out, ServedKind{c.describe(key, v, i == 0), v.resource, v.watchable})
		}
	}
	slices.SortFunc(out, func(a, b ServedKind) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Version, b.Version))
	})
	return out, nil
}

// describe says to rules what is known of a version of a kind.
func (c *Cluster) describe(key groupKind, v servedKind, best bool) rule.Served {
	k := rule.Served{
		GVK: rule.GVK{Group: key.group, Version: v.version, Kind: key.kind}, Best: best,
		Namespaced: v.namespaced, Categories: v.categories,
	}
	c.kinds.describe(&k, v.resource)
	return k
}
