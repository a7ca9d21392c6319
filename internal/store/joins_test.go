package store

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// joinRules look up B by what A says, and any kind.
const joinRules = `
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: example.com, kind: A}
    lookup: [{as: b, apiVersion: "'example.com/v1'", kind: "'B'", namespace: object.ns, name: object.ref}]
    labels: {n: object.metadata.name}
    metrics:
    - {name: joined, labels: {b: b.metadata.name}, value: [b.v, "-1"]}
    - {name: joined_sum, value: b.v, aggregate: {op: sum}}
  - groupVersionKind: {group: example.com, kind: Any}
    labels: {n: object.metadata.name}
    metrics:
    - {name: any, forEach: [{as: r, in: object.refs}, {as: o, lookup: {apiVersion: r.v, kind: r.kind, name: r.name}}], labels: {r: r.name}, value: [o.v, "-1"]}
`

type joinScene struct {
	*Store
	t   *testing.T
	set *rule.Set
}

func newJoinScene(t *testing.T) joinScene {
	t.Helper()
	s, set := storeWith(t, joinRules, Options{})
	return joinScene{s, t, set}
}

// kind returns a new kind; wanted says that the source knows that it is.
func (s joinScene) kind(kind string, wanted bool) *Kind {
	s.t.Helper()
	return s.Kind(s.program(kind, wanted))
}

func (s joinScene) program(kind string, wanted bool) *rule.Program {
	s.t.Helper()
	programs := s.set.Programs(rule.Served{GVK: rule.GVK{Group: "example.com", Version: "v1", Kind: kind}, Best: true, Wanted: wanted})
	if len(programs) != 1 {
		s.t.Fatalf("%d programs for %s", len(programs), kind)
	}
	return programs[0]
}

func namespaced(t *testing.T, namespace, name, text string) map[string]any {
	o := obj(t, name, text)
	o["metadata"].(map[string]any)["namespace"] = namespace
	return o
}

// TestJoin has the reader first, then the target come, change, go and come back.
func TestJoin(t *testing.T) {
	s := newJoinScene(t)
	a, b := s.kind("A", false), s.kind("B", false)
	a.Set(obj(t, "r1", `{ns: n, ref: x}`))
	a.Set(obj(t, "r2", `{ns: n, ref: y}`))
	a.Set(obj(t, "r3", `{ns: n}`))
	expect(t, s.Store, `joined{n="r1"} -1 | joined{n="r2"} -1 | joined{n="r3"} -1`)
	b.Set(namespaced(t, "n", "x", `v: 5`))
	b.Set(namespaced(t, "other", "y", `v: 6`))
	expect(t, s.Store, `joined{b="x",n="r1"} 5 | joined{n="r2"} -1 | joined{n="r3"} -1 | joined_sum 5`)
	b.Set(namespaced(t, "n", "x", `v: 7`))
	b.Set(namespaced(t, "n", "y", `v: 1`))
	expect(t, s.Store, `joined{b="x",n="r1"} 7 | joined{b="y",n="r2"} 1 | joined{n="r3"} -1 | joined_sum 8`)
	// The reader changes its mind.
	a.Set(obj(t, "r1", `{ns: n, ref: y}`))
	a.Set(obj(t, "r3", `{ns: other, ref: y}`))
	expect(t, s.Store, `joined{b="y",n="r1"} 1 | joined{b="y",n="r2"} 1 | joined{b="y",n="r3"} 6 | joined_sum 8`)
	b.Set(namespaced(t, "n", "x", `v: 100`)) // nobody reads it any more
	if len(s.joins.dirty) != 0 {
		t.Errorf("%d readers of nobody's object", len(s.joins.dirty))
	}
	b.Delete("n", "y")
	expect(t, s.Store, `joined{n="r1"} -1 | joined{n="r2"} -1 | joined{b="y",n="r3"} 6 | joined_sum 6`)
	b.Replace(s.program("B", false), []map[string]any{namespaced(t, "n", "y", `v: 2`)}, 0)
	expect(t, s.Store, `joined{b="y",n="r1"} 2 | joined{b="y",n="r2"} 2 | joined{n="r3"} -1 | joined_sum 4`)
	b.Remove()
	expect(t, s.Store, `joined{n="r1"} -1 | joined{n="r2"} -1 | joined{n="r3"} -1`)
	b = s.kind("B", false)
	b.Set(namespaced(t, "n", "y", `v: 3`))
	a.Delete("", "r1")
	a.Delete("", "r3")
	expect(t, s.Store, `joined{b="y",n="r2"} 3 | joined_sum 3`)
	a.Remove()
	if len(s.joins.readers) != 0 || len(s.joins.read) != 0 || len(s.joins.targets) != 1 || len(s.kept) != 1 {
		t.Errorf("%d, %d readers of a kind that is gone, %d targets, %d kept", len(s.joins.readers), len(s.joins.read), len(s.joins.targets), len(s.kept))
	}
	b.Remove()
	emptyStore(t, s.Store)
}

// TestUnchangedTargets: an object that is listed again in the same version
// changes nobody.
func TestUnchangedTargets(t *testing.T) {
	s := newJoinScene(t)
	a, b := s.kind("A", false), s.kind("B", false)
	version := func(v, value string) map[string]any {
		return obj(t, "x", `{metadata: {namespace: n, resourceVersion: "`+v+`"}, v: `+value+`}`)
	}
	b.Set(version("1", "5"))
	a.Set(obj(t, "r", `{ns: n, ref: x}`))
	expect(t, s.Store, `joined{b="x",n="r"} 5 | joined_sum 5`)
	b.Set(version("1", "5"))
	if len(s.joins.dirty) != 0 {
		t.Error("the reader is evaluated again for nothing")
	}
	b.Set(version("2", "6"))
	if len(s.joins.dirty) != 1 {
		t.Error("the reader is not evaluated again")
	}
	expect(t, s.Store, `joined{b="x",n="r"} 6 | joined_sum 6`)
	b.Set(namespaced(t, "n", "x", `v: 7`)) // without a version, each is another
	b.Set(namespaced(t, "n", "x", `v: 8`))
	expect(t, s.Store, `joined{b="x",n="r"} 8 | joined_sum 8`)
	b.Delete("n", "x")
	b.Set(version("2", "6")) // gone in between
	expect(t, s.Store, `joined{b="x",n="r"} 6 | joined_sum 6`)
	b.Set(version("3", "7"))
	a.Set(obj(t, "r", `{ns: n, ref: x}`)) // it is up to date by itself
	if len(s.joins.dirty) != 0 {
		t.Error("the reader is evaluated twice")
	}
	expect(t, s.Store, `joined{b="x",n="r"} 7 | joined_sum 7`)
}

// TestWanted gathers the kinds that objects name, and tells of new ones.
func TestWanted(t *testing.T) {
	s := newJoinScene(t)
	changed := func() bool {
		select {
		case <-s.WantedChanged():
			return true
		default:
			return false
		}
	}
	wanted := func(want string) {
		t.Helper()
		var got []string
		for _, k := range s.Wanted() {
			got = append(got, k.String())
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("wanted %s, want %s", g, want)
		}
	}
	wanted("")
	readers := s.kind("Any", false)
	readers.Set(obj(t, "r", `refs: [{v: example.com/v1, kind: X, name: a}, {v: v1, kind: Node, name: a}]`))
	if !changed() || changed() {
		t.Error("two new kinds are not told once")
	}
	wanted("Node example.com/X")
	readers.Set(obj(t, "r", `refs: [{v: example.com/v2, kind: X, name: b}, {kind: Y, name: a}]`))
	if changed() {
		t.Error("a known kind is told")
	}
	wanted("Node example.com/X")
	expect(t, s.Store, `any{n="r",r="b"} -1 | any{n="r",r="a"} -1`)
	x := s.kind("X", true)
	x.Set(obj(t, "b", `v: 4`))
	expect(t, s.Store, `any{n="r",r="b"} 4 | any{n="r",r="a"} -1`)
	x.Remove()
	readers.Remove()
	emptyStore(t, s.Store)
}

// TestBecomesTarget lists a kind that nobody looked up when it was first listed.
func TestBecomesTarget(t *testing.T) {
	s := newJoinScene(t)
	readers := s.kind("Any", false)
	readers.Set(obj(t, "a", `{v: 1}`))
	readers.Set(obj(t, "r", `refs: [{v: example.com/v1, kind: Any, name: a}, {v: example.com/v1, kind: Any, name: r}]`))
	expect(t, s.Store, `any{n="r",r="a"} -1 | any{n="r",r="r"} -1`)
	if readers.Target() {
		t.Error("a target already")
	}
	readers.Replace(s.program("Any", true), []map[string]any{obj(t, "a", `{v: 1}`), obj(t, "r", `refs: [{v: example.com/v1, kind: Any, name: a}, {v: example.com/v1, kind: Any, name: r}]`)}, 0)
	expect(t, s.Store, `any{n="r",r="a"} 1 | any{n="r",r="r"} -1`)
	if !readers.Target() {
		t.Error("no target")
	}
	readers.Set(obj(t, "a", `{v: 2}`))
	readers.Set(obj(t, "r", `{v: 9, refs: [{v: example.com/v1, kind: Any, name: r}, {v: example.com/v1, kind: Any, name: a}]}`)) // itself
	expect(t, s.Store, `any{n="r",r="r"} 9 | any{n="r",r="a"} 2`)
	readers.Remove()
	emptyStore(t, s.Store)
}

// TestRandomJoins compares readers with what they should say, and looks for
// leaks in the end.
func TestRandomJoins(t *testing.T) {
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		s := newJoinScene(t)
		a, b := s.kind("A", false), s.kind("B", false)
		refs, vals := make(map[string]string), make(map[string]int)
		for range 300 {
			name := fmt.Sprint(rnd.IntN(6))
			switch op := rnd.IntN(10); {
			case op < 4:
				refs[name] = fmt.Sprint(rnd.IntN(6))
				a.Set(obj(t, name, `{ns: n, ref: "`+refs[name]+`"}`))
			case op < 5:
				a.Delete("", name)
				delete(refs, name)
			case op < 8:
				vals[name] = rnd.IntN(100)
				b.Set(namespaced(t, "n", name, fmt.Sprint("v: ", vals[name])))
			case op < 9:
				b.Delete("n", name)
				delete(vals, name)
			default:
				var want []string
				sum, some := 0, false
				for i := range 6 {
					reader := fmt.Sprint(i)
					ref, there := refs[reader]
					v, found := vals[ref]
					switch {
					case there && found:
						want = append(want, fmt.Sprintf(`joined{b="%s",n="%s"} %d`, ref, reader, v))
						sum, some = sum+v, true
					case there:
						want = append(want, fmt.Sprintf(`joined{n="%s"} -1`, reader))
					}
				}
				if some {
					want = append(want, fmt.Sprint("joined_sum ", sum))
				}
				expect(t, s.Store, strings.Join(want, " | "))
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		a.Lost(ReasonTimeout, fmt.Errorf("gone"))
		b.Replace(s.program("B", false), nil, 0)
		emptyStore(t, s.Store)
	}
}

// TestProblemOfReader: a problem that shows when a target changes names the
// reader.
func TestProblemOfReader(t *testing.T) {
	var got []string
	s, set := storeWith(t, joinRules, Options{Report: func(p Problem) { got = append(got, p.String()) }})
	scene := joinScene{s, t, set}
	a, b := scene.kind("A", false), scene.kind("B", false)
	a.Set(obj(t, "r", `{ns: n, ref: x}`))
	b.Set(namespaced(t, "n", "x", `v: [1]`))
	text(t, s)
	want := []string{"joined: example.com/v1/A r: value: a list is not a number", "joined_sum: example.com/v1/A r: value: a list is not a number"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
