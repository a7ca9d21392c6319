package scan

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

// seeds are bodies to start from, in both text formats.
func seeds() []string {
	out := []string{"", "\n", "# EOF\n", "<html></html>", "\xef\xbb\xbfa 1\n"}
	for _, c := range badLines {
		out = append(out, c.body+"\n", "a{b=\"x\",c=\"y\"} 1\na{b=\"x\"} 1\na 1\n"+c.body+"\na 1\n# EOF\n")
	}
	for _, s := range []string{
		"# HELP a b\n# TYPE a counter\na_total{b=\"c\"} 1 12 # {d=\"e\"} 1 1.5\na_created 1\na_total{b=\"d\"} 1.5e+06\n",
		"# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 2\na_sum 1\na_count 2\na_bucket{le=\"1\"} 1\n",
		"# TYPE \"a.b\" gauge\n# UNIT a_b b\n{\"a.b\",\"c.d\"=\"e\\\"é\"} -1\na{ b = \"c\" , } 1 \r\n",
	} {
		out = append(out, s, s+"# EOF\n")
	}
	return out
}

func FuzzScan(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s), byte(exposition.Text))
		f.Add([]byte(s), byte(exposition.OpenMetrics))
	}
	for _, s := range protobufSeeds() {
		f.Add(s, byte(exposition.Protobuf))
	}
	f.Fuzz(func(t *testing.T, body []byte, format byte) {
		checkScan(t, body, exposition.Format(format%3))
		checkDistinct(t, body, exposition.Format(format%3))
	})
}

// checkScan checks what is so for each body that is accepted.
func checkScan(t *testing.T, body []byte, format exposition.Format) {
	t.Helper()
	x, err := scanned(t, format, string(body), Options{Reserved: []string{"b"}})
	if format == exposition.Text {
		checkLines(t, x, body, err)
	}
	if err != nil {
		return
	}
	var kept []byte
	var end uint32
	samples := x.Duplicates
	names := map[string]bool{}
	for _, f := range x.Families {
		if names[string(f.Name)] || len(f.Name) == 0 {
			t.Fatalf("%q: family %q is there twice, or has no name", body, f.Name)
		}
		names[string(f.Name)] = true
	}
	for _, e := range x.Extents {
		if e.Start < end || e.End <= e.Start || int(e.End) > len(body) || e.Samples <= 0 || int(e.Family) >= len(x.Families) {
			t.Fatalf("%q: extent %+v", body, e)
		}
		if format != exposition.Protobuf && e.Start > 0 && body[e.Start-1] != '\n' && !bytes.Equal(body[:e.Start], byteOrderMark) ||
			format != exposition.Protobuf && int(e.End) < len(body) && body[e.End-1] != '\n' {
			t.Fatalf("%q: extent %+v is not of whole lines", body, e)
		}
		kept = append(kept, body[e.Start:e.End]...)
		samples += int(e.Samples)
		end = e.End
	}
	if samples != x.Samples {
		t.Fatalf("%q: %d samples, and in extents and twice %d", body, x.Samples, samples)
	}
	if format == exposition.Protobuf {
		return
	}
	if format == exposition.OpenMetrics {
		kept = append(kept, "# EOF\n"...)
	}
	again, err := scanned(t, format, string(kept), Options{})
	if err != nil || again.Samples != x.Samples-x.Duplicates || again.Duplicates != 0 {
		t.Fatalf("%q: scanned again: %v, %d samples", body, err, again.Samples)
	}
	if diff := cmp.Diff(seriesIn(x), seriesIn(again)); diff != "" {
		t.Fatalf("%q: scanned again:\n%s", body, diff)
	}
}

// checkLines scans each line alone, which is never fast: it must be as in the
// scan of the whole body.
func checkLines(t *testing.T, x *Exposition, body []byte, err error) {
	t.Helper()
	var bad error
	flags := map[uint32]Flags{}
	start := 0
	for line := range bytes.Lines(body) {
		one, size := Exposition{}, len(line)
		if start > 0 {
			line = append([]byte("\n"), line...) // a byte order mark is none here
		}
		if bad = one.Scan(line, Options{Reserved: []string{"b"}}); bad != nil {
			break
		}
		if len(one.Extents) == 1 {
			flags[uint32(start)] = one.Extents[0].Flags
		}
		start += size
	}
	if (err == nil) != (bad == nil) {
		t.Fatalf("%q: %v, but a line alone: %v", body, err, bad)
	}
	if err != nil || x.Duplicates > 0 {
		return
	}
	for _, e := range x.Extents {
		var want Flags
		for at := e.Start; at < e.End; {
			want |= flags[at]
			n := bytes.IndexByte(body[at:], '\n') + 1
			if n == 0 {
				break
			}
			at += uint32(n)
		}
		if bytes.HasPrefix(body, byteOrderMark) && e.Start == uint32(len(byteOrderMark)) {
			want |= flags[0]
		}
		if (e.Flags^want)&^Unbounded != 0 { // a line alone has no type
			t.Fatalf("%q: extent %+v, but alone its lines have %s", body, e, want.names())
		}
	}
}

// seriesIn are all series of a text.
func seriesIn(x *Exposition) (out []string) {
	for _, e := range x.Extents {
		for at := int(e.Start); at < int(e.End); {
			one := x.identify(at, e)
			out = append(out, string(one.text))
			at = one.next
		}
	}
	return out
}

// TestScanMutated runs the fuzz target over bodies with single bytes changed.
func TestScanMutated(t *testing.T) {
	for _, s := range seeds() {
		for i := range s {
			for n := range 4 {
				b := []byte(s)
				b[i] = "\x00\n\r \t\"\\{}=,#1ae.\xff"[(4*i+n)%17]
				checkScan(t, b, exposition.Text)
				checkScan(t, b, exposition.OpenMetrics)
			}
			checkScan(t, []byte(s[:i]), exposition.Text)
			checkScan(t, slices.Delete([]byte(s), i, i+1), exposition.Text)
			checkScan(t, slices.Delete([]byte(s), i, i+1), exposition.OpenMetrics)
		}
	}
}
