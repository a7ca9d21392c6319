package store

import (
	"reflect"
	"slices"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// joins keeps the objects that others look up, and who looked up which. When
// one changes, those that looked it up are rendered again.
type joins struct {
	targets map[rule.Ref]map[string]any
	readers map[rule.Ref]map[*object]struct{}
	read    map[*object][]rule.Ref
	dirty   map[*object]struct{}
	wanted  map[groupKind]struct{} // kinds that were looked up
	changed chan struct{}          // of wanted
}

type groupKind struct {
	group, kind string
}

func (j *joins) init() {
	j.targets = make(map[rule.Ref]map[string]any)
	j.readers = make(map[rule.Ref]map[*object]struct{})
	j.read = make(map[*object][]rule.Ref)
	j.dirty = make(map[*object]struct{})
	j.wanted = make(map[groupKind]struct{})
	j.changed = make(chan struct{}, 1)
}

// maxWanted bounds the kinds that objects can make a source read.
const maxWanted = 500

// find returns an object for a reader, and notes the question. One outside of
// namespaces is found whatever namespace is asked for.
func (j *joins) find(reader *object, ref rule.Ref) map[string]any {
	if found := j.get(reader, ref); found != nil || ref.Namespace == "" {
		return found
	}
	ref.Namespace = ""
	return j.get(reader, ref)
}

func (j *joins) get(reader *object, ref rule.Ref) map[string]any {
	if readers := j.readers[ref]; readers == nil {
		j.readers[ref] = map[*object]struct{}{reader: {}}
		j.read[reader] = append(j.read[reader], ref)
	} else if _, noted := readers[reader]; !noted {
		readers[reader] = struct{}{}
		j.read[reader] = append(j.read[reader], ref)
	}
	kind := groupKind{ref.Group, ref.Kind}
	if _, known := j.wanted[kind]; !known && len(j.wanted) < maxWanted {
		j.wanted[kind] = struct{}{}
		select {
		case j.changed <- struct{}{}:
		default:
		}
	}
	return j.targets[ref]
}

// forget drops what a reader has looked up.
func (j *joins) forget(reader *object) {
	for _, ref := range j.read[reader] {
		delete(j.readers[ref], reader)
		if len(j.readers[ref]) == 0 {
			delete(j.readers, ref)
		}
	}
	delete(j.read, reader)
	delete(j.dirty, reader)
}

// set keeps a target, or drops it when it is nil.
func (j *joins) set(ref rule.Ref, target map[string]any) {
	before := j.targets[ref]
	if target == nil {
		delete(j.targets, ref)
	} else {
		j.targets[ref] = target
	}
	if before != nil && target != nil && resourceVersion(before) == resourceVersion(target) && reflect.DeepEqual(before, target) {
		return // a list has brought it again
	}
	for reader := range j.readers[ref] {
		j.dirty[reader] = struct{}{}
	}
}

func resourceVersion(o map[string]any) string {
	metadata, _ := o["metadata"].(map[string]any)
	version, _ := metadata["resourceVersion"].(string)
	return version
}

// Wanted returns the kinds that objects have looked up, by group and kind.
func (s *Store) Wanted() []rule.GVK {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]rule.GVK, 0, len(s.joins.wanted))
	for k := range s.joins.wanted {
		out = append(out, rule.GVK{Group: k.group, Kind: k.kind})
	}
	slices.SortFunc(out, rule.GVK.Compare)
	return out
}

// WantedChanged receives when Wanted has become longer.
func (s *Store) WantedChanged() <-chan struct{} { return s.joins.changed }
