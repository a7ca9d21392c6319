// Package exposition writes metric families in the formats that scrapers read:
// Prometheus' text format 0.0.4 and OpenMetrics 1.0, plain or as one gzip
// stream.
//
// A [Writer] takes families in two forms: as data ([metric.Family]), which it
// encodes, and as [Rendered] families, whose sample lines somebody has encoded
// and perhaps compressed before. Both may be mixed in any order; the result is
// one exposition and, compressed, one gzip member.
package exposition
