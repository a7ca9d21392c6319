package scan

import (
	"fmt"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Exposition is a body that has been scanned: which families it has, and where
// their samples are. The zero value is ready for [Exposition.Scan], which can be
// called again and then uses the memory of the time before. It is not safe for
// concurrent use.
type Exposition struct {
	// Format is that of the body.
	Format exposition.Format
	// Body is what was scanned. All byte slices of the Exposition are parts of
	// it: it must not change as long as they are used.
	Body []byte
	// Families are in the order in which they first appear. One without any
	// extent has metadata only.
	Families []Family
	// Extents are in the order of the body.
	Extents []Extent
	// Samples is how many samples (series) the body had, duplicates included. A
	// metric in protobuf counts as what Prometheus makes of it: a native
	// histogram is one, the others and summaries are one for each bucket or
	// quantile, and two for the sum and the count.
	Samples int
	// Duplicates is how many samples are in no extent because a sample before
	// had the same name and labels, or is the same for [Exposition.Distinct].
	Duplicates int
	// Invalid is how many lines were left out because they are not valid.
	Invalid int

	scratch
}

// Family is what a body says of one family.
type Family struct {
	// Name is as in [metric.Desc]: with the "_total" of a counter and the
	// "_info" of an info, which OpenMetrics leaves out in metadata, and without
	// the suffixes of histograms and summaries. A name that is nowhere in the
	// body in this way is valid until the next scan.
	Name []byte
	// Type is Unknown if there was no TYPE line.
	Type metric.Type
	// Help is the text of the HELP line, with its escapes as they are in the
	// body (in protobuf there are none). Nil if there was none, or if it was not
	// UTF-8.
	Help []byte
	// Unit is the text of the UNIT line.
	Unit []byte
}

// Extent is a run of samples of one family that stand next to each other.
type Extent struct {
	// Family is an index of Families.
	Family int32
	// Samples is how many there are, counted as in [Exposition.Samples].
	Samples int32
	// Start and End delimit the run in the body: in the text formats whole lines,
	// in protobuf whole fields "metric" of a MetricFamily with their tags.
	// The last line of a body may have no newline.
	Start, End uint32
	// Flags says what is in any of the samples.
	Flags Flags
}

// Flags say what is special about the samples of an extent, or were about ones
// that were taken out because they were there twice; without any, each
// line is a name, perhaps labels in braces, one space, and the value:
//
//	name value
//	name{label="value",other="value"} value
type Flags uint16

// What can be special about samples.
const (
	// Odd says that a line is written in another way: with further blanks, tabs
	// or a carriage return, or a comma behind the last label, or empty braces.
	Odd Flags = 1 << iota
	// Stamped says that a sample has a timestamp.
	Stamped
	// Exemplars says that a sample has an exemplar.
	Exemplars
	// UTF8 says that a metric or label has a name that is not a legacy name, or
	// a name is in quotes.
	UTF8
	// Reserved says that a label has one of the names in [Options.Reserved].
	Reserved
	// Created says that there are lines that say since when something is counted
	// (in OpenMetrics: "_created" of a counter, histogram or summary).
	Created
	// Native says that there is a native histogram.
	Native
	// Unbounded says of lines of a histogram or summary that a bucket has no
	// label "le", or a quantile no label "quantile", that is a number, or that
	// such a label of another line is none; or that a count does not
	// begin with a digit.
	Unbounded
)

// Options are what a body is scanned with.
type Options struct {
	// Reserved are label names that the target has itself.
	Reserved []string
	// FamilyLimit ends the scan with a [LimitError], as all limits do; 0 is none.
	// Families cost far more memory than the few bytes that a pod needs for one.
	FamilyLimit int
	// Limits end the scan with a [LimitError]; 0 is no limit. They are called
	// as in Prometheus' configuration of a scrape, and count in the same way:
	// the metric name is a label, one without a value is none. Only the number
	// of buckets is not brought below its limit by a lower resolution.
	SampleLimit, LabelLimit, LabelNameLengthLimit, LabelValueLengthLimit, NativeHistogramBucketLimit int
	// InvalidLines is how many lines that are not valid are left out, where a
	// further one ends the scan. There are no lines in protobuf.
	InvalidLines int
	// Memory is what the last scan of the same target has left, or nil. It is
	// changed by the scan.
	Memory *Memory
}

// Memory lets the next scan of a target find duplicates faster when the series
// are the same as before.
type Memory struct {
	sum     uint64
	samples int
}

// LimitError says that a body is beyond a limit.
type LimitError struct {
	// Limit is the name that Prometheus' configuration has for it, such as
	// "sample_limit", or "family_limit".
	Limit string
	// Max is the limit.
	Max int
}

func (e *LimitError) Error() string { return fmt.Sprintf("more than %s %d allows", e.Limit, e.Max) }

// SyntaxError says why a body is not valid.
type SyntaxError struct {
	// Line counts from 1; in protobuf it is 0.
	Line int
	// Text is the beginning of the line, at most 50 bytes. It is what a pod has
	// sent: quote it.
	Text string
	// Reason says what is wrong.
	Reason string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Reason
	}
	return fmt.Sprintf("line %d: %s: %q", e.Line, e.Reason, e.Text)
}
