package scan

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

// clientBody is a body as client_golang writes it: about 1 MB, 10,000 samples in
// 216 families.
func clientBody(format exposition.Format) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	total := ""
	value := func() string {
		switch r.IntN(4) {
		case 0:
			return strconv.Itoa(r.IntN(100_000))
		case 1:
			return strconv.FormatFloat(float64(r.IntN(1<<40)), 'g', -1, 64)
		default:
			return strconv.FormatFloat(r.ExpFloat64(), 'g', -1, 64)
		}
	}
	head := func(name, kind string) {
		key := name
		if format == exposition.OpenMetrics && kind == "counter" {
			total = "_total"
		} else if kind == "counter" {
			key, total = name+"_total", "_total"
		} else {
			total = ""
		}
		fmt.Fprintf(&b, "# HELP %s The number of things that were seen by the part.\n# TYPE %s %s\n", key, key, kind)
	}
	bounds := []string{"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"}
	methods := []string{"GET", "POST", "PUT", "DELETE"}
	for i := range 36 {
		name := fmt.Sprintf("http_server_%02d_request_duration_seconds", i)
		head(name, "histogram")
		for s := range 14 {
			labels := fmt.Sprintf(`code="%d",handler="/api/v1/things/%d",method="%s"`, 200+s%3, s/4, methods[s%4])
			for n, le := range bounds {
				fmt.Fprintf(&b, "%s_bucket{%s,le=%q} %d\n", name, labels, le, (n+1)*r.IntN(1000))
			}
			fmt.Fprintf(&b, "%s_sum{%s} %s\n%s_count{%s} %d\n", name, labels, value(), name, labels, r.IntN(100_000))
		}
	}
	for i := range 90 {
		name := fmt.Sprintf("worker_%02d_processed_items", i)
		head(name, "counter")
		for s := range 16 {
			fmt.Fprintf(&b, "%s%s{controller=\"deployment-%d\",namespace=\"team-%d\",result=%q} %s\n", name, total, s/2, s/8, []string{"ok", "error"}[s%2], value())
		}
	}
	for i := range 90 {
		name := fmt.Sprintf("cache_%02d_resident_bytes", i)
		head(name, "gauge")
		for s := range 16 {
			fmt.Fprintf(&b, "%s{cache=\"objects-%d\",kind=\"Kind%d\",zone=\"eu-central-1%c\"} %s\n", name, s/4, s%4, 'a'+s%3, value())
		}
	}
	if format == exposition.OpenMetrics {
		b.WriteString("# EOF\n")
	}
	return b.Bytes()
}

func benchmark(b *testing.B, format exposition.Format, memory bool) {
	body := clientBody(format)
	x := Exposition{Format: format}
	opts := Options{Reserved: []string{"k8s_pod_name", "k8s_namespace"}}
	if memory {
		opts.Memory = new(Memory)
	}
	if err := x.Scan(body, opts); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := x.Scan(body, opts); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(body)), "ns/B")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(x.Samples), "ns/sample")
}

func BenchmarkScan(b *testing.B) {
	b.Run("text/steady", func(b *testing.B) { benchmark(b, exposition.Text, true) })
	b.Run("text/unknown", func(b *testing.B) { benchmark(b, exposition.Text, false) })
	b.Run("openmetrics/steady", func(b *testing.B) { benchmark(b, exposition.OpenMetrics, true) })
}

// BenchmarkFloor is what nobody can be faster than.
func BenchmarkFloor(b *testing.B) {
	body := clientBody(exposition.Text)
	to := make([]byte, len(body))
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(body)), "ns/B")
		})
	}
	run("memcpy", func() { copy(to, body) })
	run("lines", func() {
		for i := 0; i < len(body); {
			i += bytes.IndexByte(body[i:], '\n') + 1
		}
	})
}

// BenchmarkLines are lines that are harder than those of client_golang.
func BenchmarkLines(b *testing.B) {
	const n = 10_000
	f := func(name, format string, args func(i int) []any) {
		b.Run(name, func(b *testing.B) {
			var body []byte
			for i := range n {
				body = fmt.Appendf(body, format+"\n", args(i)...)
			}
			var x Exposition
			var m Memory
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if err := x.Scan(body, Options{Memory: &m}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/sample")
		})
	}
	two := func(i int) []any { return []any{i / 100, i, i} }
	f("families of one", "# HELP some_%d_seconds In words.\n# TYPE some_%d_seconds gauge\nsome_%d_seconds 1.5", func(i int) []any { return []any{i, i, i} })
	f("no label in common", `pod_info{namespace="ns-%d",pod="pod-%d",uid="%08x-1234-5678",node="node-%d"} 1`, func(i int) []any { return []any{i / 100, i, i * 7919, i % 99} })
	f("timestamps", `memory{namespace="ns-%d",pod="pod-%d"} 1.5%d 1395066363000`, two)
	f("UTF-8 values", `memory{namespace="nß-%d",pod="日本-%d"} 1.5%d`, two)
	f("UTF-8 names", `{"memory.used",namespace="ns-%d",pod="pod-%d"} 1.5%d`, two)
	f("carriage returns", "memory{namespace=\"ns-%d\",pod=\"pod-%d\"} 1.5%d\r", two)
	f("blanks", `memory{ namespace="ns-%d", pod="pod-%d" } 1.5%d`, two)
}
