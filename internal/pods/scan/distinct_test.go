package scan

import (
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

// checkDistinct takes out of a body all samples of a family that are as long as one
// before, and checks what is left.
func checkDistinct(t *testing.T, body []byte, format exposition.Format) {
	t.Helper()
	x, err := scanned(t, format, string(body), Options{})
	if err != nil {
		return
	}
	concerned := make([]bool, len(x.Families))
	for i := range concerned {
		concerned[i] = i%2 == 0
	}
	lengthOf := func(dst []byte, _ Extent, sample []byte) []byte {
		return append(dst, byte(len(sample)), byte(len(sample)>>8), byte(len(sample)>>16))
	}
	want := map[[2]int]bool{} // families and lengths
	others := 0
	for _, e := range x.Extents {
		if !concerned[e.Family] {
			others += int(e.Samples)
			continue
		}
		for at := int(e.Start); at < int(e.End); {
			next := x.identify(at, e).next
			want[[2]int{int(e.Family), next - at}] = true
			at = next
		}
	}
	x.Distinct(concerned, lengthOf)
	samples, kept, end := x.Duplicates, 0, uint32(0)
	for _, e := range x.Extents {
		if e.Start < end || e.End <= e.Start || e.Samples <= 0 {
			t.Fatalf("%q: extent %+v", body, e)
		}
		samples, end = samples+int(e.Samples), e.End
		if !concerned[e.Family] {
			others -= int(e.Samples)
			continue
		}
		for at := int(e.Start); at < int(e.End); kept++ {
			next := x.identify(at, e).next
			if !want[[2]int{int(e.Family), next - at}] {
				t.Fatalf("%q: %q is left", body, body[at:next])
			}
			at = next
		}
	}
	if samples != x.Samples || kept != len(want) || others != 0 {
		t.Fatalf("%q: %d of %d samples, %d of %d kept, %d others are missing", body, samples, x.Samples, kept, len(want), others)
	}
}

func TestDistinct(t *testing.T) {
	for _, s := range seeds() {
		checkDistinct(t, []byte(s), exposition.Text)
		checkDistinct(t, []byte(s), exposition.OpenMetrics)
	}
	for _, s := range protobufSeeds() {
		checkDistinct(t, s, exposition.Protobuf)
	}
	x, err := scanned(t, exposition.Text, "a 1\na{x=\"1\"} 2\nb 3\na{x=\"2\"} 4\na{x=\"1\"} 5\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	x.Distinct([]bool{true, false}, func(dst []byte, _ Extent, _ []byte) []byte { return dst })
	if len(x.Extents) != 2 || x.Duplicates != 3 || x.Samples != 5 {
		t.Errorf("%+v, %d duplicates", x.Extents, x.Duplicates)
	}
}
