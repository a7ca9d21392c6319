package store

import (
	"encoding/binary"
	"math"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// A record is what one sample is to a family that has no lines of its own for
// each object: labels, a number and a text. The records of an object stand one
// after the other.
type record struct {
	key    string // the labels, encoded
	value  float64
	state  string
	labels []metric.Label
}

// appendRecord encodes a record.
func appendRecord(dst []byte, labels []metric.Label, value float64, state string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(labels)))
	for i := range labels {
		dst = appendText(dst, labels[i].Name)
		dst = appendText(dst, labels[i].Value)
	}
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(value))
	return appendText(dst, state)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// records decodes what appendRecord has written.
func records(src []byte) []record {
	var out []record
	for len(src) > 0 {
		before := src
		n, size := binary.Uvarint(src)
		src = src[size:]
		r := record{labels: make([]metric.Label, n)}
		for i := range r.labels {
			r.labels[i].Name, src = cutText(src)
			r.labels[i].Value, src = cutText(src)
		}
		r.key = string(before[:len(before)-len(src)])
		r.value = math.Float64frombits(binary.LittleEndian.Uint64(src))
		r.state, src = cutText(src[8:])
		out = append(out, r)
	}
	return out
}

func cutText(src []byte) (text string, rest []byte) {
	n, size := binary.Uvarint(src)
	end := size + int(n)
	return string(src[size:end]), src[end:]
}
