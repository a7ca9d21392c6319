package rule

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// place says where in the object an alternative leads, or how it is written.
func (t *Trace) place(a *alternative) string {
	switch {
	case a == nil:
		return "it"
	case a.literal != nil || a.computed != nil:
		return a.source
	case a.legacy != nil:
		return t.root(a.slot) + a.legacy.String()
	default:
		return t.root(a.slot) + a.path.String()
	}
}

// root says where a variable is.
func (t *Trace) root(slot int) string {
	if t.at[slot] != "" {
		return t.at[slot]
	}
	if names := t.names(); slot < len(names) {
		return names[slot]
	}
	return "it"
}

// names are those of the variables by their slots.
func (t *Trace) names() names {
	if t.form != nil {
		return t.form.names
	}
	return t.c.resource.names
}

// absent says why an expression is absent, and more about what is computed.
func (t *Trace) absent(e expr) (why string, more []string) {
	if len(e) == 0 {
		return "there is none", nil
	}
	reasons := make([]string, 0, len(e))
	for i := range e {
		a := &e[i]
		place := t.place(a)
		switch {
		case a.literal != nil:
			continue
		case a.computed != nil:
			reasons = append(reasons, place+": absent")
			more = append(more, t.reads(a)...)
		case a.legacy != nil:
			reasons = append(reasons, place+": found nothing: "+a.legacy.Missing(t.c.vars[a.slot], t.root(a.slot)))
		default:
			reasons = append(reasons, place+": found nothing: "+a.path.missing(t.c.vars[a.slot], t.root(a.slot)))
		}
	}
	return strings.Join(reasons, "; "), more
}

// reads says what a computed expression reads.
func (t *Trace) reads(a *alternative) []string {
	if a == nil || a.computed == nil {
		return nil
	}
	var out []string
	paths := a.computed.Paths()
	for _, p := range paths {
		inner := slices.ContainsFunc(paths, func(q []string) bool { return len(q) > len(p) && slices.Equal(p, q[:len(p)]) })
		slot := slices.Index(t.names(), p[0])
		if inner || slot < 0 {
			continue
		}
		out = append(out, "reads "+readText(t.c.vars[slot], t.root(slot), p[1:]))
	}
	return out
}

// readText says what a chain of fields leads to; [Element] is any element.
func readText(v any, at string, fields []string) string {
	i := slices.Index(fields, Element)
	if i < 0 {
		i = len(fields)
	}
	path := make(Path, i)
	for j, f := range fields[:i] {
		path[j] = Field(f)
	}
	here := at + path.String()
	found := path.Walk(v)
	switch list, isList := found.([]any); {
	case found == nil:
		return here + ": absent: " + path.missing(v, at)
	case i == len(fields) || !isList:
		return here + ": " + show(found)
	case len(list) == 0:
		return here + " is an empty list"
	default:
		return elementsText(list, here, fields[i+1:])
	}
}

// elementsText says what a chain of fields leads to in the elements of a list.
func elementsText(list []any, at string, fields []string) string {
	if slices.Contains(fields, Element) {
		return at + ": " + show(list)
	}
	path := make(Path, len(fields))
	for j, f := range fields {
		path[j] = Field(f)
	}
	values := make([]string, len(list))
	absent := true
	for i, element := range list {
		values[i] = "absent"
		if v := path.Walk(element); v != nil {
			values[i], absent = show(v), false
		}
	}
	line := fmt.Sprintf("%s[]%s: %s", at, path, cut(strings.Join(values, ", ")))
	if absent {
		return line + ": " + path.missing(list[0], at+"[0]")
	}
	return line
}

// written is how an expression is written.
func written(e expr) string {
	out := make([]string, len(e))
	for i := range e {
		out[i] = e[i].written()
	}
	if len(out) == 1 {
		return out[0]
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func (a *alternative) written() string {
	switch {
	case a.legacy != nil:
		return "labelsFromPath " + a.source
	case a.source != "":
		return a.source
	case a.literal != nil:
		return "a fixed value"
	default:
		return baseNames[min(a.slot, slotGVK)] + a.path.String()
	}
}

// sources say where the labels of a sample come from.
func (t *Trace) sources(labels []metric.Label) []LabelSource {
	var out []LabelSource
	named := make(map[string]bool)
	for i := range t.form.labels {
		l := &t.form.labels[i]
		named[l.name] = true
		s := LabelSource{Name: l.name, Value: labelValue(labels, l.name)}
		if i == t.form.state {
			s.From = "the state"
		} else {
			s.From = t.labelFrom(t.labelExpr(l))
		}
		out = append(out, s)
	}
	for _, l := range labels {
		if !named[l.Name] {
			out = append(out, LabelSource{l.Name, l.Value, t.spreadFrom(l)})
		}
	}
	slices.SortStableFunc(out, func(a, b LabelSource) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func labelValue(labels []metric.Label, name string) string {
	for _, l := range labels {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

// labelFrom says where the value of a label comes from.
func (t *Trace) labelFrom(e expr) string {
	v, chosen := t.eval(e)
	if chosen == nil {
		why, _ := t.absent(e)
		return "absent: " + why
	}
	from := chosen.written()
	if s, ok := text(v); ok && s == "" {
		return from + ": an empty value is no label"
	}
	for i := range e {
		if &e[i] == chosen {
			break
		}
		from += fmt.Sprintf(", for %s is absent", e[i].written())
	}
	return from
}

// spreadFrom says which key of a map a label comes from.
func (t *Trace) spreadFrom(l metric.Label) string {
	for i := range t.form.spreads {
		s := &t.form.spreads[i]
		v, chosen := t.eval(s.from)
		m, _ := v.(map[string]any)
		for _, key := range sortedKeys(m) {
			value, _ := text(m[key])
			name := metric.SanitizeLabelName(s.prefix + key)
			if value == l.Value && (name == l.Name || strings.HasPrefix(l.Name, strings.TrimPrefix(name, "_")+"_conflict")) {
				return "spread of " + t.place(chosen) + Path{Field(key)}.String()
			}
		}
	}
	return "spread"
}

// valueSource is how the value of the metric is written.
func (t *Trace) valueSource() string {
	switch f := t.form; {
	case f == nil:
		return ""
	case len(f.of) > 0:
		return "onTransition: " + written(f.of)
	case len(f.age) > 0:
		return "age: " + written(f.age)
	case len(f.value) > 0:
		return "value: " + written(f.value)
	default:
		return "value"
	}
}

// valueFrom says where the value of a sample comes from.
func (t *Trace) valueFrom(value float64) []string {
	f := t.form
	e := f.value
	switch {
	case len(f.of) > 0:
		e = f.of
	case len(f.age) > 0:
		e = f.age
	}
	v, chosen := t.eval(e)
	number := strconv.FormatFloat(value, 'g', -1, 64)
	if chosen == nil {
		switch {
		case f.typ == metric.Info:
			return []string{"1, as of every info metric"}
		case len(e) == 0:
			return []string{number}
		}
		why, more := t.absent(e)
		return append([]string{fmt.Sprintf("%s, the default: %s", number, why)}, more...)
	}
	if chosen.literal != nil {
		return []string{number}
	}
	line := chosen.written() + " is " + show(v)
	switch {
	case len(f.of) > 0:
	case f.typ == metric.StateSet && value == 1:
		line += ": 1 for the current state"
	case f.typ == metric.StateSet:
		line += ": 0 for the other states"
	case f.valueMap != nil:
		line += ", which the valueMap makes " + number
	case f.info.Aggregate != nil && f.info.Aggregate.Op == OpCount:
		line += ", so it counts"
	case len(f.age) > 0:
		line += ", which is " + number + " in Unix seconds"
	case show(v) != number:
		line += ", which is " + number
	}
	return append([]string{line}, t.reads(chosen)...)
}

// lookup says which object a lookup names, and whether it is there.
func (t *Trace) lookup(j *join) Detail {
	names := t.names()
	d := Detail{Name: names[j.slot]}
	ref, ok, err := t.probe.ref(j)
	t.probe.budget.reset()
	switch {
	case err != nil:
		d.Text = err.Error()
	case !ok:
		d.Text = "absent: " + t.lookupAbsent(j)
	case t.c.vars[j.slot] == nil:
		d.Text = ref.String() + ": not found among the objects"
	default:
		d.Text = ref.String()
	}
	return d
}

// lookupAbsent says which part of a lookup is absent.
func (t *Trace) lookupAbsent(j *join) string {
	group := "apiVersion"
	if j.isGroup {
		group = "group"
	}
	for _, part := range []struct {
		name string
		from expr
	}{{group, j.apiVersion}, {"kind", j.kind}, {"namespace", j.namespace}, {"name", j.name}} {
		if len(part.from) == 0 {
			continue
		}
		v, chosen := t.eval(part.from)
		if chosen == nil {
			why, _ := t.absent(part.from)
			return part.name + ": " + why
		}
		if v == "" {
			return part.name + ": " + chosen.written() + " is empty"
		}
	}
	return "it names no object"
}

// String returns the kind, group and name of the object.
func (r Ref) String() string {
	kind, name := r.Kind, r.Name
	if r.Group != "" {
		kind += "." + r.Group
	}
	if r.Namespace != "" {
		name = r.Namespace + "/" + r.Name
	}
	return kind + " " + name
}
