package scan

import (
	"bytes"
	"errors"
	"math"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

// scratch is memory that the next scan uses again, and the state of this one.
type scratch struct {
	opts Options
	// maxSamples and maxValue are the limits that the fast path checks itself.
	maxSamples, maxValue, maxFamilies int
	// at is where the line or message starts that is being read.
	at int
	// open says that the next sample may join the last extent: nothing else
	// stands between them.
	open bool
	// ended says that the "# EOF" of OpenMetrics was read.
	ended bool
	// sum is made of all series so far, in their order.
	sum uint64

	shapes shapes
	series series
	table  families
	spare  []Extent
	seen   []uint64 // while duplicates are looked for
	twice  [][2]int
}

// Scan reads a body of the format that x.Format says. A body that is not valid is
// a [*SyntaxError], one beyond a limit a [*LimitError]; x is then of no use.
func (x *Exposition) Scan(body []byte, opts Options) error {
	x.reset(body, opts)
	err := x.scan()
	if err != nil {
		if opts.Memory != nil {
			*opts.Memory = Memory{}
		}
		return x.locate(err)
	}
	x.dropDuplicates()
	return nil
}

// What is kept for the next scan is as much as usual bodies need.
const (
	maxKeptFamilies = 1 << 12
	maxKeptExtents  = 1 << 13
)

// Rest lets go of the body, and of memory that only an unusual one needs. What
// was found is gone; x is ready for the next scan.
func (x *Exposition) Rest() {
	x.Body = nil
	clear(x.Families)
	clear(x.table.aliases)
	clear(x.series.labels[:cap(x.series.labels)])
	x.series.name = nil
	x.Families, x.Extents = x.Families[:0], x.Extents[:0]
	if cap(x.Families) > maxKeptFamilies {
		x.Families, x.table = nil, families{}
	}
	if cap(x.Extents)+cap(x.spare) > 2*maxKeptExtents {
		x.Extents, x.spare = nil, nil
	}
}

func (x *Exposition) scan() error {
	switch {
	case uint64(len(x.Body)) >= math.MaxUint32:
		return syntax("a body of 4 GiB or more")
	case x.Format == exposition.Protobuf:
		return x.scanProtobuf()
	default:
		return x.scanText()
	}
}

func (x *Exposition) reset(body []byte, opts Options) {
	x.Body, x.Families, x.Extents = body, x.Families[:0], x.Extents[:0]
	x.Samples, x.Duplicates, x.Invalid = 0, 0, 0
	x.opts, x.at, x.open, x.ended = opts, 0, false, false
	x.maxSamples, x.maxValue, x.maxFamilies = math.MaxInt, math.MaxInt, math.MaxInt
	if opts.FamilyLimit > 0 {
		x.maxFamilies = opts.FamilyLimit
	}
	if opts.SampleLimit > 0 {
		x.maxSamples = opts.SampleLimit
	}
	if opts.LabelValueLengthLimit > 0 {
		x.maxValue = opts.LabelValueLengthLimit
	}
	x.sum = sumKey + uint64(x.Format)
	x.shapes.forget()
	x.shapes.last = 0 // it is in the sum
	x.table.reset()
}

// checkFamilies reports whether there are too many families.
func (x *Exposition) checkFamilies() error {
	if len(x.Families) > x.maxFamilies {
		return &LimitError{Limit: "family_limit", Max: x.maxFamilies}
	}
	return nil
}

// maxExtents bounds how often families can change: each time costs more memory
// than a short line.
const maxExtents = 1 << 18

// add adds samples of a family that stand at body[start:end].
func (x *Exposition) add(family int32, start, end, samples int, flags Flags) error {
	if x.Samples += samples; x.Samples > x.maxSamples {
		return &LimitError{Limit: "sample_limit", Max: x.maxSamples}
	}
	if x.open {
		if e := &x.Extents[len(x.Extents)-1]; e.Family == family {
			e.End = uint32(end)
			e.Samples += int32(samples)
			e.Flags |= flags
			return nil
		}
	}
	if x.open = true; len(x.Extents) == maxExtents {
		return syntax("the families change too often: sort the samples by family")
	}
	x.Extents = append(x.Extents, Extent{
		Family: family, Samples: int32(samples), Start: uint32(start), End: uint32(end), Flags: flags,
	})
	return nil
}

// syntax is an error that [Exposition.locate] will give a place.
func syntax(reason string) error { return &SyntaxError{Reason: reason} }

const maxErrorText = 50

// locate says in a syntax error which line it is about.
func (x *Exposition) locate(err error) error {
	var bad *SyntaxError
	if x.Format == exposition.Protobuf || !errors.As(err, &bad) {
		return err
	}
	at := min(x.at, len(x.Body))
	bad.Line = 1 + bytes.Count(x.Body[:at], []byte{'\n'})
	text := x.Body[at:]
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	bad.Text = string(text[:min(len(text), maxErrorText)])
	return bad
}
