package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/shard"
)

// shardRules have every form of families: of objects, with what they look up, of
// times, and of many objects. Nobody looks up A.
const shardRules = `
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: example.com, kind: A}
    labels: {n: object.metadata.name}
    metrics:
    - {name: value, forEach: [{as: v, in: object.values}], labels: {i: v.i}, value: v.n}
    - {name: old, age: object.at}
  - groupVersionKind: {group: example.com, kind: B}
    lookup: [{as: a, apiVersion: "'example.com/v1'", kind: "'C'", name: object.ref}]
    labels: {n: object.metadata.name}
    metrics:
    - {name: joined, value: [a.v, "-1"]}
    - {name: joined_sum, labels: {p: object.p}, value: a.v, aggregate: {op: sum}}
    - {name: oldest, age: object.at, aggregate: {op: max}}
    - {name: changes_total, type: counter, onTransition: {of: object.p, by: [from, to]}}
  - groupVersionKind: {group: example.com, kind: C}
    metrics: [{name: c_count, value: "1", aggregate: {op: count}}]
`

// division is a store of all objects beside those of their shards.
type division struct {
	whole  *Store
	shards []*Store
	kinds  map[string][]*Kind // the first of the whole store
	set    *rule.Set
}

func divide(t *testing.T, rules string, count int) *division {
	t.Helper()
	now := func() time.Time { return time.Unix(5000, 0) }
	d := &division{kinds: make(map[string][]*Kind)}
	d.whole, d.set = storeWith(t, rules, Options{Now: now})
	for i := range count {
		d.shards = append(d.shards, New(d.set, Options{Now: now, Budget: time.Minute, Shard: shard.Shard{Index: i, Count: count}}))
	}
	for _, name := range []string{"A", "B", "C"} {
		for _, s := range d.all() {
			d.kinds[name] = append(d.kinds[name], s.Kind(program(d.set, name, "v1")))
		}
	}
	return d
}

func (d *division) all() []*Store { return slices.Concat([]*Store{d.whole}, d.shards) }

// samples counts the sample lines of an exposition.
func samples(t *testing.T, s *Store) map[string]int {
	t.Helper()
	out := make(map[string]int)
	for line := range strings.Lines(text(t, s)) {
		if !strings.HasPrefix(line, "#") {
			out[line]++
		}
	}
	return out
}

// check wants that the shards together give what the whole store gives, and count
// what it counts.
func (d *division) check(t *testing.T) {
	t.Helper()
	together := make(map[string]int)
	for _, s := range d.shards {
		for line, n := range samples(t, s) {
			together[line] += n
		}
	}
	if diff := cmp.Diff(samples(t, d.whole), together); diff != "" {
		t.Fatalf("%d shards (-whole +together):\n%s", len(d.shards), diff)
	}
	for i, want := range d.whole.Status() {
		var sum KindStatus
		for _, s := range d.shards {
			sum.join(s.Status()[i])
		}
		if sum.Objects != want.Objects || sum.Series != want.Series {
			t.Errorf("%d shards together have %d objects and %d series of %s, want %d and %d",
				len(d.shards), sum.Objects, sum.Series, want.GVK.Kind, want.Objects, want.Series)
		}
	}
}

// TestShards: whatever happens, shards are disjoint and together everything.
func TestShards(t *testing.T) {
	for count := 1; count <= 5; count++ {
		rnd := rand.New(rand.NewPCG(uint64(count), 2))
		d := divide(t, shardRules, count)
		final := make(map[string]map[string]map[string]any)
		for name := range d.kinds {
			final[name] = make(map[string]map[string]any)
		}
		for step := range 300 {
			name, object := []string{"A", "B", "C"}[rnd.IntN(3)], fmt.Sprintf("o%d", rnd.IntN(40))
			kinds := d.kinds[name]
			switch op := rnd.IntN(20); {
			case op < 14:
				o := dividedObject(rnd, object)
				final[name][object] = o
				for _, k := range kinds {
					k.Set(o)
				}
			case op < 19:
				delete(final[name], object)
				for _, k := range kinds {
					k.Delete("", object)
				}
			default:
				for _, k := range kinds {
					k.Replace(program(d.set, name, "v1"), slices.Collect(maps.Values(final[name])), 0)
				}
			}
			if step%20 == 0 {
				d.check(t)
			}
		}
		d.check(t)
		for _, kinds := range d.kinds {
			for _, k := range kinds {
				k.Remove()
			}
		}
		for _, s := range d.shards {
			emptyStore(t, s)
		}
	}
}

// dividedObject makes an object, some of which have a UID, and sometimes another
// one than before.
func dividedObject(rnd *rand.Rand, name string) map[string]any {
	o := newObject("", name, randomValues(rnd)...)
	o["at"], o["p"] = rnd.Int64N(1000), []string{"x", "y", "z"}[rnd.IntN(3)]
	o["v"], o["ref"] = rnd.Int64N(10), fmt.Sprintf("o%d", rnd.IntN(40))
	if uid := rnd.IntN(4); uid > 0 {
		o["metadata"].(map[string]any)["uid"] = fmt.Sprintf("%s-%d", name, uid)
	}
	return o
}

// TestShardsShareWork: what a shard does not serve it neither renders nor keeps,
// and nobody is told when it changes.
func TestShardsShareWork(t *testing.T) {
	const count, objects = 4, 1000
	changed := 0
	s, set := storeWith(t, shardRules, Options{Shard: shard.Shard{Index: 1, Count: count}, Changed: func() { changed++ }})
	p := program(set, "A", "v1")
	k := s.Kind(p)
	uses := s.Uses(p)
	own := 0
	for i := range objects {
		o := newObject("", fmt.Sprintf("o%d", i), 1)
		before := changed
		k.Set(o)
		if i > 0 && uses(o) != (changed > before) {
			t.Errorf("object %d: used is %v, and %d changes are told", i, uses(o), changed-before)
		}
		if uses(o) {
			own++
		}
	}
	if len(k.objects) != own || own < objects/count*8/10 || own > objects/count*12/10 {
		t.Errorf("shard of %d keeps %d of %d objects, and uses %d", count, len(k.objects), objects, own)
	}
	if b := program(set, "C", "v1"); !s.Uses(b)(newObject("", "o0")) || !s.Uses(b)(newObject("", "o1")) {
		t.Error("objects that others look up are not used")
	}
	first := New(set, Options{Shard: shard.Shard{Count: count}})
	if got := first.partsOf(program(set, "B", "v1")).others.Families(); len(got) != 3 {
		t.Errorf("the first shard evaluates families %v of others' objects, want those of many objects", got)
	}
}
