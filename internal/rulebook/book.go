package rulebook

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// Book is the rules in use. They come in units that are accepted or refused as a
// whole: what the configuration names is one, each ConfigMap is one, and each
// catalog that was switched on is one. A unit
// that is refused is used as it was before; it costs no other unit anything. Its
// methods may be called at the same time.
type Book struct {
	config   Config
	log      *slog.Logger
	warnings io.Writer // instead of the log, or nil

	mu       sync.Mutex
	current  map[string]unit  // as they are now, by name
	accepted map[string]unit  // as they are used
	unread   error            // why the files of the configuration cannot be read
	refused  map[string]error // why those that are not used as they are now
}

// New returns a book without rules; call [Book.Begin] next. Warnings of later
// rules go to the log.
func New(config Config, log *slog.Logger) *Book {
	return &Book{
		config: config, log: log, current: make(map[string]unit),
		accepted: make(map[string]unit), refused: make(map[string]error),
	}
}

// Begin loads the rules of the configuration for the first time. Warnings go to
// w.
func (b *Book) Begin(w io.Writer) (*rule.Set, error) {
	b.warnings = w
	defer func() { b.warnings = nil }()
	set, verdicts := b.Own()
	for _, v := range verdicts {
		if v.Err != nil {
			return nil, v.Err
		}
	}
	return set, nil
}

// Followed returns the files and folders that the configuration names.
func (b *Book) Followed() []string {
	paths := slices.Clone(b.config.Paths)
	if b.config.Legacy != "" {
		paths = append(paths, b.config.Legacy)
	}
	return paths
}

// read reads the files of the configuration. What cannot be read is an error of
// the whole unit.
func (b *Book) read() (unit, error) {
	var u unit
	var errs []error
	for _, f := range b.config.Files() {
		var err error
		f.Data, err = Read("", f.Name)
		errs = append(errs, err)
		u.files = append(u.files, f)
	}
	return u, errors.Join(errs...)
}

// Own makes the files of the configuration known anew. The set is nil when the
// rules in use stay as they are.
func (b *Book) Own() (*rule.Set, []Verdict) {
	u, err := b.read()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.unread = err; err != nil {
		b.refused[ownUnit] = err
		return nil, []Verdict{{Err: err, News: true}}
	}
	next := maps.Clone(b.current)
	next[ownUnit] = u
	return b.change(next)
}

// ConfigMaps makes the ConfigMaps known anew, all of them. The set is nil when the
// rules in use stay as they are.
func (b *Book) ConfigMaps(all []ConfigMap) (*rule.Set, []Verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := maps.Clone(b.current)
	maps.DeleteFunc(next, func(name string, _ unit) bool { return ofConfigMap(name) })
	for _, cm := range all {
		next[cm.Name] = unitOf(cm)
	}
	return b.change(next)
}

// Catalogs switches catalogs on, and all others off that it switched on before.
// Those that the configuration names are on anyway, and as it says. The set is nil
// when the rules in use stay as they are; the error is that there is no such
// catalog, and then nothing has changed.
func (b *Book) Catalogs(all ...Catalog) (*rule.Set, []Verdict, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := maps.Clone(b.current)
	maps.DeleteFunc(next, func(name string, _ unit) bool { return strings.HasPrefix(name, catalogUnit) })
	for _, c := range all {
		u, err := unitOfCatalog(c)
		if err != nil {
			return nil, nil, err
		}
		if !slices.Contains(b.config.catalogs(next[ownUnit].files), c.Name) {
			next[catalogUnit+c.Name] = u
		}
	}
	set, verdicts := b.change(next)
	return set, verdicts, nil
}

// change works out which of the units that have changed can be used. The caller
// holds the mutex.
func (b *Book) change(next map[string]unit) (*rule.Set, []Verdict) {
	if maps.EqualFunc(b.current, next, unit.equal) && b.refused[ownUnit] == nil {
		return nil, nil
	}
	base := make(map[string]unit)
	removed := false
	for name, u := range b.accepted {
		if _, there := next[name]; there {
			base[name] = u
		} else {
			removed = true
		}
	}
	var changed []string
	var reverted []Verdict
	for _, name := range slices.Sorted(maps.Keys(next)) {
		if used, ok := base[name]; !ok || !used.equal(next[name]) {
			changed = append(changed, name) // or what was in its way may be gone
		} else if b.refused[name] != nil && (name != ownUnit || b.unread == nil) {
			delete(b.refused, name)
			reverted = append(reverted, Verdict{ConfigMap: name, News: true, unit: next[name]})
		}
	}
	before := b.current
	b.current = next
	maps.DeleteFunc(b.refused, func(name string, _ error) bool { _, there := next[name]; return !there })
	if len(changed) == 0 && !removed {
		return nil, reverted
	}
	set, verdicts := b.try(base, changed)
	accepted := removed
	for i, v := range verdicts {
		told := b.refused[v.ConfigMap]
		old, known := before[v.ConfigMap]
		verdicts[i].News = !known || !old.equal(v.unit) || (told == nil) != (v.Err == nil) || told != nil && told.Error() != v.Err.Error()
		verdicts[i].First = !known
		delete(b.refused, v.ConfigMap)
		if v.Err != nil {
			b.refused[v.ConfigMap] = v.Err
		} else {
			base[v.ConfigMap] = v.unit
			accepted = true
		}
	}
	verdicts = append(verdicts, reverted...)
	if !accepted {
		return nil, verdicts
	}
	b.accepted = base
	return set, verdicts
}

// try compiles the base with all changed units; if that fails, with one more at
// a time.
func (b *Book) try(base map[string]unit, changed []string) (*rule.Set, []Verdict) {
	all := maps.Clone(base)
	verdicts := make([]Verdict, len(changed))
	for i, name := range changed {
		all[name] = b.current[name]
		verdicts[i] = Verdict{ConfigMap: name, unit: b.current[name]}
	}
	set, err := b.compile(all)
	if err == nil {
		return set, verdicts
	}
	if len(changed) == 1 {
		verdicts[0].Err = err
		set, _ = b.compile(base)
		return set, verdicts
	}
	// Who has been there longer goes first, also after a restart.
	slices.SortStableFunc(verdicts, func(v, w Verdict) int { return cmp.Compare(v.unit.created, w.unit.created) })
	good := maps.Clone(base)
	for i := range verdicts {
		name := verdicts[i].ConfigMap
		before, had := good[name]
		good[name] = b.current[name]
		if _, verdicts[i].Err = b.compile(good); verdicts[i].Err != nil {
			delete(good, name)
			if had {
				good[name] = before
			}
		}
	}
	set, _ = b.compile(good)
	return set, verdicts
}

// compile compiles units: that of the configuration first, the others by name.
func (b *Book) compile(units map[string]unit) (*rule.Set, error) {
	for _, name := range slices.Sorted(maps.Keys(units)) {
		if ofConfigMap(name) && len(units[name].files) == 0 {
			return nil, fmt.Errorf("%s: no key is the name of a rule file (*.yaml, *.yml, *.json)", displayName(name))
		}
	}
	l := &loader{partial: len(units) > 1 || b.config.ConfigMaps || b.config.Switched, params: make(map[string][]string)}
	for _, name := range slices.Sorted(maps.Keys(units)) {
		u := units[name]
		if name == ownUnit {
			read := func(file string) ([]byte, error) {
				i := slices.IndexFunc(u.files, func(f File) bool { return f.Name == file })
				return u.files[i].Data, nil
			}
			if err := l.gather(&b.config, u.files, read); err != nil {
				return nil, err
			}
			continue
		}
		maps.Copy(l.params, u.params)
		for _, f := range u.files {
			l.add(f.Name, f.Data, rule.ParseOptions{Legacy: f.Legacy})
		}
	}
	set, err := l.compile(&b.config)
	if b.warnings != nil {
		l.warn(b.warnings)
		return set, err
	}
	for _, d := range l.findings {
		if d.Warning {
			b.log.Warn("Rules", "finding", d.Error())
		}
	}
	return set, err
}

// Err returns what is refused and why, or nil.
func (b *Book) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(b.refused)) {
		errs = append(errs, fmt.Errorf("%s: the rules from before stay in use: %w", displayName(name), b.refused[name]))
	}
	return errors.Join(errs...)
}

// States returns for each unit, by what people call it, whether it is used as it
// is now.
func (b *Book) States() map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make(map[string]bool)
	for name := range b.current {
		out[displayName(name)] = b.refused[name] == nil
	}
	out[displayName(ownUnit)] = b.refused[ownUnit] == nil
	return out
}
