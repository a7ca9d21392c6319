package rule

// Overall reports whether the family of the metric has no series of their own for
// each object, but says something about many.
func (m *Metric) Overall() bool { return m.Aggregate != nil || m.Transition != nil }

// Part returns a program with some of the metrics, which evaluates nothing that
// only others need.
func (p *Program) Part(has func(*Metric) bool) *Program {
	out := newProgram(p.gvk, p.order, p.selection)
	out.target = p.target
	for _, r := range p.resources {
		var metrics []compiledMetric
		for i := range r.metrics {
			if has(r.metrics[i].info) {
				metrics = append(metrics, r.metrics[i])
			}
		}
		if len(metrics) > 0 {
			some := *r
			some.metrics = metrics
			out.add(&some)
		}
	}
	out.finish()
	return out
}
