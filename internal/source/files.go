package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/store"
)

// Files reads objects from files and folders instead of a cluster. An object's
// own version counts as served.
type Files struct {
	Paths []string
	Stdin io.Reader
	Set   *rule.Set
	Store *store.Store
	Log   *slog.Logger
	// Namespaces and NamespacesDenylist are those of [ClusterConfig].
	Namespaces, NamespacesDenylist []string

	loading sync.Mutex                  // guards good
	good    map[string][]map[string]any // objects by file
	state   string                      // of the files that were loaded

	mu     sync.Mutex
	kinds  map[part]*store.Kind
	wanted int // kinds that the store had looked up
	err    error
	other  map[rule.GVK]int // objects without a rule
}

// Load reads all files and makes the store hold what is in them. An error says
// what could not be read; everything else is in the store all the same. Of a
// file that was good before and cannot be read now, the objects of then stay.
func (f *Files) Load() error {
	f.loading.Lock()
	defer f.loading.Unlock()
	start := time.Now()
	files, err := listFiles(f.Paths)
	state := stateOf(files)
	if err == nil && f.Err() == nil && state != "" && state == f.state {
		return nil // nothing has changed
	}
	f.state = state
	errs := []error{err}
	good := make(map[string][]map[string]any)
	var objects []map[string]any
	for _, file := range files {
		found, err := f.read(file)
		if before := f.good[file]; err != nil && before != nil && !errors.Is(err, fs.ErrNotExist) {
			found = before
		}
		if err == nil || len(found) > 0 {
			good[file] = found
		}
		errs = append(errs, err)
		objects = append(objects, found...)
	}
	f.good = good
	f.Put(objects, time.Since(start))
	err = errors.Join(errs...)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	return err
}

// stateOf tells one state of files from another by their sizes and times. It is
// empty when that is not known.
func stateOf(files []string) string {
	var b strings.Builder
	for _, file := range files {
		if file == "-" {
			b.WriteString("-\n")
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			return ""
		}
		fmt.Fprintln(&b, file, info.Size(), info.ModTime().UnixNano())
	}
	return b.String()
}

// read reads a file, stdin only once.
func (f *Files) read(file string) ([]map[string]any, error) {
	if file == "-" && f.good[file] != nil {
		return f.good[file], nil
	}
	return readFile(file, f.Stdin)
}

// part is some objects of a kind: those of one selection.
type part struct {
	gvk       rule.GVK
	selection rule.Selection
}

// Put makes the store hold exactly these objects.
func (f *Files) Put(objects []map[string]any, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kinds == nil {
		f.kinds = make(map[part]*store.Kind)
	}
	manifests := f.sort(objects)
	done := make(map[part]bool)
	for range maxRounds {
		f.put(manifests, done, took)
		f.Store.Settle() // objects may look up more once they have found the first
		if len(f.Store.Wanted()) == f.wanted {
			break
		}
		f.wanted = len(f.Store.Wanted())
	}
	for p, kind := range f.kinds {
		if !done[p] {
			kind.Remove()
			delete(f.kinds, p)
		}
	}
	f.other = make(map[rule.GVK]int)
	for gvk, m := range manifests {
		if !m.used {
			f.other[gvk] = len(m.objects)
		}
	}
}

// put hands kinds to the store whose programs are not done yet.
func (f *Files) put(manifests map[rule.GVK]*manifest, done map[part]bool, took time.Duration) {
	wanted := f.Store.Wanted()
	for _, gvk := range slices.SortedFunc(maps.Keys(manifests), rule.GVK.Compare) {
		m := manifests[gvk]
		served := m.served(gvk)
		served.Wanted = slices.Contains(wanted, rule.GVK{Group: gvk.Group, Kind: gvk.Kind})
		for _, program := range f.Set.Programs(served) {
			m.used = true
			p := part{gvk, program.Selection()}
			kind := f.kinds[p]
			if done[p] && kind.Target() == program.Target() {
				continue
			}
			done[p] = true
			if kind == nil {
				kind = f.Store.Kind(program)
				f.kinds[p] = kind
			}
			kind.Replace(program, m.selected(p.selection), took)
		}
	}
}

// gvkOf reads group, version and kind of an object.
func gvkOf(o map[string]any) rule.GVK {
	apiVersion, _ := o["apiVersion"].(string)
	kind, _ := o["kind"].(string)
	group, version, ok := strings.Cut(apiVersion, "/")
	if !ok {
		group, version = "", apiVersion
	}
	return rule.GVK{Group: group, Version: version, Kind: kind}
}

// Err returns what the last Load could not read, or nil.
func (f *Files) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// Unmatched returns how many objects of each kind no rule applies to.
func (f *Files) Unmatched() map[rule.GVK]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.other)
}

// Watch loads the files again whenever one of them changes, until ctx ends.
func (f *Files) Watch(ctx context.Context) error {
	told := f.Err()
	return WatchPaths(ctx, f.Paths, f.Log, func() {
		err := f.Load()
		if err != nil && (told == nil || told.Error() != err.Error()) {
			f.Log.Error("Some objects cannot be read", "err", err)
		}
		told = err
	})
}

// With returns the same files for other rules and another store.
func (f *Files) With(set *rule.Set, s *store.Store) *Files {
	f.loading.Lock()
	defer f.loading.Unlock()
	return &Files{
		Paths: f.Paths, Stdin: f.Stdin, Set: set, Store: s, Log: f.Log,
		Namespaces: f.Namespaces, NamespacesDenylist: f.NamespacesDenylist, good: maps.Clone(f.good),
	}
}
