package points_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/kubevitals/kubevitals/internal/otlp/points"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// object is one that has a state and conditions, as a Go value.
type object struct {
	namespace, name string
	state           int
	conditions      [9]struct{ typ, status, reason string }
}

var states = []string{"Deleting", "Error", "Processing", "Ready", "Warning"}

func objects(n int) []object {
	out := make([]object, n)
	for i := range out {
		o := &out[i]
		o.namespace, o.name, o.state = fmt.Sprintf("namespace-%d", i%100), fmt.Sprintf("object-%d", i), i%5
		for j := range o.conditions {
			c := &o.conditions[j]
			c.typ, c.status, c.reason = fmt.Sprintf("Component%dHealthy", j), "True", fmt.Sprintf("AgentReady%d", j)
		}
	}
	return out
}

var (
	stateDesc     = metric.Desc{Name: "kyma_resource_status_state", Help: "State of the resource.", Type: metric.StateSet}
	conditionDesc = metric.Desc{Name: "kyma_resource_status_conditions", Help: "Conditions of the resource.", Type: metric.Gauge}
)

// families has them as lines in chunks of 64 KiB, as the store does.
func families(objects []object) []exposition.Rendered {
	var state, condition []byte
	var out [2]exposition.Rendered
	out[0].Desc, out[1].Desc = stateDesc, conditionDesc
	cut := func(r *exposition.Rendered, p *[]byte, all bool) {
		if len(*p) > 64<<10 || all {
			r.Chunks = append(r.Chunks, exposition.Chunk{Raw: *p})
			*p = nil
		}
	}
	for i := range objects {
		o := &objects[i]
		for j, s := range states {
			v := 0
			if j == o.state {
				v = 1
			}
			state = fmt.Appendf(state, "kyma_resource_status_state{group=\"operator.kyma-project.io\",kind=\"Telemetry\",name=%q,namespace=%q,state=%q,version=\"v1beta1\"} %d\n", o.name, o.namespace, s, v)
		}
		for _, c := range o.conditions {
			condition = fmt.Appendf(condition, "kyma_resource_status_conditions{group=\"operator.kyma-project.io\",kind=\"Telemetry\",name=%q,namespace=%q,reason=%q,status=%q,type=%q,version=\"v1beta1\"} 1\n", o.name, o.namespace, c.reason, c.status, c.typ)
		}
		cut(&out[0], &state, i == len(objects)-1)
		cut(&out[1], &condition, i == len(objects)-1)
	}
	return out[:]
}

// byHand builds the same metrics from Go values, as somebody would who has them.
func byHand(objects []object, now time.Time, emit func(pmetric.Metrics)) {
	at := pcommon.NewTimestampFromTime(now)
	for len(objects) > 0 {
		part := objects[:min(len(objects), 900)]
		objects = objects[len(part):]
		md := pmetric.NewMetrics()
		rm := md.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr("service.name", "kubevitals")
		sm := rm.ScopeMetrics().AppendEmpty()
		sm.Scope().SetName(points.ScopeName)
		family := func(d metric.Desc) pmetric.NumberDataPointSlice {
			m := sm.Metrics().AppendEmpty()
			m.SetName(d.Name)
			m.SetDescription(d.Help)
			return m.SetEmptyGauge().DataPoints()
		}
		ps := family(stateDesc)
		ps.EnsureCapacity(5 * len(part))
		for i := range part {
			for j, s := range states {
				p := ps.AppendEmpty()
				p.SetTimestamp(at)
				v := 0.0
				if j == part[i].state {
					v = 1
				}
				p.SetDoubleValue(v)
				a := p.Attributes()
				a.EnsureCapacity(6)
				a.PutStr("group", "operator.kyma-project.io")
				a.PutStr("kind", "Telemetry")
				a.PutStr("name", part[i].name)
				a.PutStr("namespace", part[i].namespace)
				a.PutStr("state", s)
				a.PutStr("version", "v1beta1")
			}
		}
		ps = family(conditionDesc)
		ps.EnsureCapacity(9 * len(part))
		for i := range part {
			for _, c := range part[i].conditions {
				p := ps.AppendEmpty()
				p.SetTimestamp(at)
				p.SetDoubleValue(1)
				a := p.Attributes()
				a.EnsureCapacity(8)
				a.PutStr("group", "operator.kyma-project.io")
				a.PutStr("kind", "Telemetry")
				a.PutStr("name", part[i].name)
				a.PutStr("namespace", part[i].namespace)
				a.PutStr("reason", c.reason)
				a.PutStr("status", c.status)
				a.PutStr("type", c.typ)
				a.PutStr("version", "v1beta1")
			}
		}
		emit(md)
	}
}

// cpu returns how much CPU the process has used, also for collecting garbage.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Skip(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBuild builds and marshals 14 points for each of 10,000 objects: from
// lines, and by hand from Go values, which must not take less than two thirds of
// the CPU.
//
//	go test -run - -bench Build -benchtime 5x ./internal/otlp/points
func BenchmarkBuild(b *testing.B) {
	all := objects(10_000)
	rendered := families(all)
	var marshaler pmetric.ProtoMarshaler
	now := time.Unix(1_700_000_000, 0)
	b.Run("lines", func(b *testing.B) {
		b.ReportAllocs()
		start := cpu(b)
		defer func() { b.ReportMetric(float64(cpu(b)-start)/float64(b.N), "cpu-ns/op") }()
		for b.Loop() {
			bytes := 0
			builder := points.NewBuilder(points.Options{Resource: points.Attributes{{Key: "service.name", Value: "kubevitals"}}}, now, func(c points.Chunk) error {
				p, err := marshaler.MarshalMetrics(c.Metrics)
				bytes += len(p)
				return err
			})
			for _, r := range rendered {
				if err := builder.Append(exposition.OpenMetrics, r); err != nil {
					b.Fatal(err)
				}
			}
			if err := builder.Flush(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(bytes), "bytes")
		}
	})
	b.Run("hand", func(b *testing.B) {
		b.ReportAllocs()
		start := cpu(b)
		defer func() { b.ReportMetric(float64(cpu(b)-start)/float64(b.N), "cpu-ns/op") }()
		for b.Loop() {
			bytes := 0
			byHand(all, now, func(md pmetric.Metrics) {
				p, err := marshaler.MarshalMetrics(md)
				if err != nil {
					b.Fatal(err)
				}
				bytes += len(p)
			})
			b.ReportMetric(float64(bytes), "bytes")
		}
	})
}
