package points

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// DefaultLimit is how large a chunk becomes at most: three quarters of the 4 MiB
// that gRPC servers take unless they are told otherwise.
const DefaultLimit = 3 << 20

// Options say how to build. The zero value is usable.
type Options struct {
	Naming
	// Resource are the attributes of who exports.
	Resource Attributes
	// Version is that of the scope.
	Version string
	// Objects, if it is not empty, makes each object a resource of its own: points
	// whose labels of these names have the same values share one, which has them
	// as attributes. The points keep the labels.
	Objects []ObjectKey
	// Start returns when the sums and histograms of a family began to count,
	// where the samples do not say it themselves; zero if that is not known. nil
	// knows it of none.
	Start func(family string) time.Time
	// Limit is how many bytes a chunk may have. The default is [DefaultLimit].
	Limit int
	// Watch, if it is not nil, is told of each series as its point joins the
	// chunk that is handed over next. labels and bounds are what [Builder.End]
	// needs to end the series. labels are the same for the same series, in
	// whatever order a line has them; bounds are those of buckets or the
	// quantiles. The strings may be parts of larger ones, and m must not be
	// changed.
	Watch func(m *Metric, labels, bounds string)
}

// ObjectKey is a label that tells objects apart.
type ObjectKey struct {
	Label     string // such as "namespace"
	Attribute string // of the resource, such as "k8s.namespace.name"
}

// Chunk is what goes into one request.
type Chunk struct {
	// Metrics belong to whom the chunk is given.
	Metrics pmetric.Metrics
	// Points is how many data points there are.
	Points int
	// Size is how many bytes it has marshalled as protobuf, measured.
	Size int
}

// Builder puts the metrics of one moment together. It is not safe for concurrent
// use. Equal families give equal chunks.
type Builder struct {
	opts Options
	now  pcommon.Timestamp
	emit func(Chunk) error

	chunk   chunk
	current Metric            // of the family under way
	start   pcommon.Timestamp // of the family under way
	labels  []metric.Label    // of the line under way
	invalid int
	err     error // of the first that is invalid
}

// NewBuilder returns a Builder of metrics that were taken at a time. It hands
// chunks over to emit as they become full, while [Builder.Append] runs; an error
// of emit is one of Append, and the rest is not built.
func NewBuilder(opts Options, now time.Time, emit func(Chunk) error) *Builder {
	if opts.Limit <= 0 {
		opts.Limit = DefaultLimit
	}
	b := &Builder{opts: opts, now: pcommon.NewTimestampFromTime(now), emit: emit}
	b.chunk.reset()
	return b
}

// SetLimit changes how large chunks become from the next point on: a receiver
// may have said that it takes less.
func (b *Builder) SetLimit(limit int) {
	if limit > 0 {
		b.opts.Limit = limit
	}
}

// Append builds the points of a family, whose lines, or records, are of a
// format. Lines that cannot be read are left out (see [Builder.Invalid]).
func (b *Builder) Append(f exposition.Format, r exposition.Rendered) error {
	if r.Lines == nil && len(r.Chunks) == 0 {
		return nil
	}
	b.begin(b.opts.Describe(r.Desc), r.Desc)
	if f == exposition.Protobuf || !b.current.Shape.IsNumber() {
		family, err := r.Parse(f)
		if err != nil {
			b.spoilt(err)
		}
		return b.AppendFamily(family)
	}
	var failure error
	err := r.Runs(func(run []byte) error {
		failure = b.lines(f, r.Desc, run)
		return failure
	})
	if failure == nil && err != nil {
		b.spoilt(err)
	}
	return failure
}

// AppendFamily builds the points of a family that exists as data.
func (b *Builder) AppendFamily(family metric.Family) error {
	b.begin(b.opts.Describe(family.Desc), family.Desc)
	for i := range family.Samples {
		if err := b.sample(&family.Samples[i]); err != nil {
			return err
		}
	}
	return nil
}

// begin makes a family the current one.
func (b *Builder) begin(m Metric, d metric.Desc) {
	b.current, b.start = m, 0
	b.chunk.family++
	if b.opts.Start != nil && d.Type != metric.GaugeHistogram && m.Shape != Gauge && m.Shape != UpDown {
		b.start = timestamp(b.opts.Start(d.Name))
	}
}

// Invalid returns how many lines, or families of records, could not be read, and
// why the first of them.
func (b *Builder) Invalid() (int, error) {
	return b.invalid, b.err
}

func (b *Builder) spoilt(err error) {
	b.invalid++
	if b.err == nil {
		b.err = err
	}
}

// Flush hands over what is left. The Builder can be used again after it.
func (b *Builder) Flush() error {
	if b.chunk.points == 0 {
		return nil
	}
	c := Chunk{Metrics: b.chunk.metrics, Points: b.chunk.points}
	b.chunk.reset()
	c.Size = size(c.Metrics)
	return b.emitWithin(c)
}

var errTooLarge = errors.New("one point alone is larger than what a request may have")

// emitWithin hands a chunk over, in parts if it is too large after all.
func (b *Builder) emitWithin(c Chunk) error {
	if c.Size <= b.opts.Limit {
		return b.emit(c)
	}
	halves := c.Split()
	if halves == nil {
		b.spoilt(fmt.Errorf("%w: %d bytes", errTooLarge, c.Size))
		return nil
	}
	for _, half := range halves {
		if err := b.emitWithin(half); err != nil {
			return err
		}
	}
	return nil
}

// added is called when a point has joined the chunk.
func (b *Builder) added(bytes int, labels, bounds string) error {
	b.chunk.points++
	b.chunk.size += bytes
	if b.opts.Watch != nil {
		b.opts.Watch(&b.current, labels, bounds)
	}
	if b.chunk.size+bytes > b.opts.Limit { // the next is likely to be as large
		return b.Flush()
	}
	return nil
}

func timestamp(t time.Time) pcommon.Timestamp {
	if t.IsZero() || t.UnixNano() < 0 {
		return 0
	}
	return pcommon.NewTimestampFromTime(t)
}

func size(md pmetric.Metrics) int {
	return new(pmetric.ProtoMarshaler).MetricsSize(md)
}
