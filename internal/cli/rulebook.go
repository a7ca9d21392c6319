package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/source"
)

// rulebook is the rules in use. They come in units that are accepted or refused
// as a whole: what the flags name is one, and each ConfigMap is one. A unit that
// is refused is used as it was before; it costs no other unit anything.
type rulebook struct {
	flags    *ruleFlags
	log      *slog.Logger
	warnings io.Writer // instead of the log, or nil

	mu       sync.Mutex
	current  map[string]unit  // as they are now, by name
	accepted map[string]unit  // as they are used
	unread   error            // why the files of the flags cannot be read
	refused  map[string]error // why those that are not used as they are now
}

// unit is some rule files.
type unit struct {
	files     []ruleFile
	configMap source.ConfigMap // if it is one
}

// ownUnit is the name of the unit of the flags. Those of ConfigMaps are
// namespace/name.
const ownUnit = ""

func newRulebook(flags *ruleFlags, log *slog.Logger) *rulebook {
	return &rulebook{
		flags: flags, log: log, current: make(map[string]unit),
		accepted: make(map[string]unit), refused: make(map[string]error),
	}
}

// verdict is what has become of a unit that has changed.
type verdict struct {
	name string
	unit unit
	err  error // why it was refused, or nil
	// news says that it is not what was said of the unit before, and first that
	// nothing was.
	news, first bool
}

// read reads the files of the flags. What cannot be read is an error of the
// whole unit.
func (b *rulebook) read() (unit, error) {
	var u unit
	var errs []error
	for _, f := range b.flags.list() {
		var err error
		f.data, err = readRules("", f.name)
		errs = append(errs, err)
		u.files = append(u.files, f)
	}
	return u, errors.Join(errs...)
}

// unitOf returns the unit of a ConfigMap.
func unitOf(cm source.ConfigMap) unit {
	u := unit{configMap: cm}
	for _, key := range slices.Sorted(maps.Keys(cm.Data)) {
		if isRuleFile(key) {
			u.files = append(u.files, ruleFile{name: "configmap " + cm.String() + ": " + key, data: []byte(cm.Data[key])})
		}
	}
	return u
}

// own makes the files of the flags known anew. The set is nil when the rules in
// use stay as they are.
func (b *rulebook) own() (*rule.Set, []verdict) {
	u, err := b.read()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.unread = err; err != nil {
		b.refused[ownUnit] = err
		return nil, []verdict{{name: ownUnit, unit: u, err: err, news: true}}
	}
	next := maps.Clone(b.current)
	next[ownUnit] = u
	return b.change(next)
}

// configMaps makes the ConfigMaps known anew, all of them.
func (b *rulebook) configMaps(all []source.ConfigMap) (*rule.Set, []verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := map[string]unit{}
	if own, ok := b.current[ownUnit]; ok {
		next[ownUnit] = own
	}
	for _, cm := range all {
		next[cm.String()] = unitOf(cm)
	}
	return b.change(next)
}

// change works out which of the units that have changed can be used. The caller
// holds the mutex.
func (b *rulebook) change(next map[string]unit) (*rule.Set, []verdict) {
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
	var reverted []verdict
	for _, name := range slices.Sorted(maps.Keys(next)) {
		if used, ok := base[name]; !ok || !used.equal(next[name]) {
			changed = append(changed, name) // or what was in its way may be gone
		} else if b.refused[name] != nil && (name != ownUnit || b.unread == nil) {
			delete(b.refused, name)
			reverted = append(reverted, verdict{name: name, unit: next[name], news: true})
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
		told := b.refused[v.name]
		old, known := before[v.name]
		verdicts[i].news = !known || !old.equal(v.unit) || (told == nil) != (v.err == nil) || told != nil && told.Error() != v.err.Error()
		verdicts[i].first = !known
		delete(b.refused, v.name)
		if v.err != nil {
			b.refused[v.name] = v.err
		} else {
			base[v.name] = v.unit
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
func (b *rulebook) try(base map[string]unit, changed []string) (*rule.Set, []verdict) {
	all := maps.Clone(base)
	verdicts := make([]verdict, len(changed))
	for i, name := range changed {
		all[name] = b.current[name]
		verdicts[i] = verdict{name: name, unit: b.current[name]}
	}
	set, err := b.compile(all)
	if err == nil {
		return set, verdicts
	}
	if len(changed) == 1 {
		verdicts[0].err = err
		set, _ = b.compile(base)
		return set, verdicts
	}
	// Who has been there longer goes first, also after a restart.
	slices.SortStableFunc(verdicts, func(v, w verdict) int {
		return cmp.Compare(v.unit.configMap.Created, w.unit.configMap.Created)
	})
	good := maps.Clone(base)
	for i := range verdicts {
		name := verdicts[i].name
		before, had := good[name]
		good[name] = b.current[name]
		if _, verdicts[i].err = b.compile(good); verdicts[i].err != nil {
			delete(good, name)
			if had {
				good[name] = before
			}
		}
	}
	set, _ = b.compile(good)
	return set, verdicts
}

// compile compiles units: that of the flags first, the others by name.
func (b *rulebook) compile(units map[string]unit) (*rule.Set, error) {
	for _, name := range slices.Sorted(maps.Keys(units)) {
		if name != ownUnit && len(units[name].files) == 0 {
			return nil, fmt.Errorf("configmap %s: no key is the name of a rule file (*.yaml, *.yml, *.json)", name)
		}
	}
	l := &ruleLoader{partial: len(units) > 1 || b.flags.configMaps != ""}
	for _, name := range slices.Sorted(maps.Keys(units)) {
		u := units[name]
		if name == ownUnit {
			read := func(file string) ([]byte, error) {
				i := slices.IndexFunc(u.files, func(f ruleFile) bool { return f.name == file })
				return u.files[i].data, nil
			}
			if err := b.flags.gather(l, u.files, read); err != nil {
				return nil, err
			}
			continue
		}
		for _, f := range u.files {
			l.add(f.name, f.data, rule.ParseOptions{Legacy: f.legacy})
		}
	}
	set, err := b.flags.compileAll(l)
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

// equal reports whether two units have the same rules.
func (u unit) equal(other unit) bool {
	return slices.EqualFunc(u.files, other.files, func(a, b ruleFile) bool {
		return a.name == b.name && a.legacy == b.legacy && bytes.Equal(a.data, b.data)
	})
}

// err returns what is refused and why, or nil.
func (b *rulebook) err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(b.refused)) {
		errs = append(errs, fmt.Errorf("%s: the rules from before stay in use: %w", displayName(name), b.refused[name]))
	}
	return errors.Join(errs...)
}

// states returns for each unit whether it is used as it is now.
func (b *rulebook) states() map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make(map[string]bool)
	for name := range b.current {
		out[displayName(name)] = b.refused[name] == nil
	}
	out[displayName(ownUnit)] = b.refused[ownUnit] == nil
	return out
}

func displayName(unit string) string {
	if unit == ownUnit {
		return "files"
	}
	return "configmap " + unit
}
