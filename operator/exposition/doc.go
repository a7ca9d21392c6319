// Package exposition writes metric families in the formats that scrapers read:
// Prometheus' text format, OpenMetrics 1.0 and the delimited protobuf messages
// of Prometheus, plain or as one gzip stream, and JSON.
//
// A [Writer] takes families in two forms: as data ([metric.Family]), which it
// encodes, and as [Rendered] families, whose sample lines somebody has encoded
// and perhaps compressed before, or encodes while they are written. Both may be
// mixed in any order; the result is one exposition and, compressed, one gzip
// member.
//
// Users of an Operator need [Prometheus] and [JSON], and [Compressor] for content
// codings besides gzip. [Writer], [AppendLines], [ParseSamples], [AppendRecords],
// [ParseRecords], [CombineCRC] and what goes with them are for authors of parts
// and encoders, who have lines or protobuf messages of their own.
//
// Names never differ between formats, but for the escaping that a scraper asks
// for where it cannot read every name (see [Escaping]). A gauge histogram has
// the series of a histogram in every format.
package exposition
