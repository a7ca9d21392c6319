package pods

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

const scheme = model.UTF8Validation

// lines are odd or wrong in one format or the other.
var lines = []string{
	"a", "a ", "a 1 2 3", "a 1 -1", "a 1 1.5", "a 1 9223372036854775808", "a 1e400", "a 0x1p3", "a 0x1p-2", "a 1_000", "a infinity", "a NaN", "a -0", "a +Inf", "a\t1", "a  1 ",
	"a{} 1", "a{b=\"c\",} 1", "a{ b = \"c\" , d = \"e\" } 1", "a{b=\"c\"}1", "a{b=\"c\" d=\"e\"} 1", "a{b=\"c\",b=\"d\"} 1", "a{__name__=\"b\"} 1", "a{,} 1", "a{b=\"c\nd\"} 1", "a{b=\"c\\\nd\"} 1", "a{b=\"\\x\\\\\\\"\"} 1", "a{b=\"\xff\"} 1", "a{b=\"\\\xc3\xa9\"} 1", "a{b=\"\x00\"} 1", "a 1\x00", "\x00",
	"{\"a b\"} 1", "{\"a b\",\"c d\"=\"e\"} 1", "{c=\"d\",\"a b\"} 1", "a{\"b\"} 1", "{\"a\",\"b\"} 1", "{\"\"} 1", "{\"\xff\"} 1", "a{\"\"=\"b\"} 1", "{\"a\\\"b\",c=\"d\"} 1", "{\"a\\nb\\\\\\x\"} 1", "{b=\"c\"} 1", "{} 1",
	"a 1 # {b=\"c\"} 1", "a 1 # {} 1 2", "a 1 2 # {b=\"c\",} 1", "a 1 # {b=\"c\"}", "a 1 # {b=\"c\"} 1 NaN", "a 1 # {\"b\"=\"c\"} 1", "a 1 # {b=\"c\nd\"} 1", "a 1 #", "a 1 NaN", "a 1 1e400",
	"# TYPE a counter", "# TYPE a unknown", "# TYPE a untyped", "# TYPE a info", "# TYPE a stateset", "# TYPE a gaugehistogram", "# TYPE a x", "# TYPE a", "#  TYPE   a   counter", "# TYPE a counter ", "# HELP a", "# HELP a ", "# HELP a \xff", "# HELP a \\n\\\\", "# HELP", "# HELP ", "# TYPE ", "# UNIT a b", "# UNIT a_b b", "# UNIT a ", "# TYPE \"a b\" counter", "# TYPE a}counter", "# HELP \"a\\\"b\" c",
	"#", "# ", "# EOF", "# EOF ", "#EOF", "# x", "##", "", " ", "\t", "\r", "a 1\r", "a 1\r\r", "a\r 1", "<html>", "{\"a\": 1}", "\xef\xbb\xbf", "\xef\xbb\xbfa 1", "a.5", "a-1", "a+Inf", "é 1", "a{é=\"b\"} 1", "a:b 1", "a{b:c=\"d\"} 1",
}

// generator makes bodies: some as libraries write them, some written oddly, and
// some that are wrong somewhere.
type generator struct {
	*rand.Rand

	format  exposition.Format
	odd     bool
	corrupt bool
	out     []byte
	next    int
}

func newGenerator(seed uint64, format exposition.Format) *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, uint64(format))), format: format}
	g.odd = g.IntN(2) == 0
	g.corrupt = g.IntN(2) == 0
	return g
}

func (g *generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g *generator) printf(format string, args ...any) {
	g.out = fmt.Appendf(g.out, format, args...)
}

func (g *generator) body() []byte {
	if g.odd && g.IntN(8) == 0 {
		g.printf("\xef\xbb\xbf")
	}
	for range g.IntN(6) {
		g.family()
	}
	if g.format == exposition.OpenMetrics {
		g.printf("# EOF%s", g.pick("\n", "\n", ""))
	} else if g.IntN(8) == 0 && len(g.out) > 0 && g.out[len(g.out)-1] == '\n' {
		g.out = g.out[:len(g.out)-1]
		g.out = []byte(strings.TrimSuffix(string(g.out), "\r"))
	}
	if g.corrupt {
		g.damage()
	}
	return g.out
}

func (g *generator) damage() {
	at := g.IntN(len(g.out) + 1)
	switch g.IntN(5) {
	case 0:
		g.out = g.out[:at]
	case 1:
		if at < len(g.out) {
			g.out[at] = "\x00\n\r \t\"\\{}=,#1ae.\xff"[g.IntN(17)]
		}
	case 2:
		g.insert(at, []byte{byte(g.IntN(256))})
	case 3:
		if at < len(g.out) {
			g.out = append(g.out[:at], g.out[at+1:]...)
		}
	default:
		start := bytes.LastIndexByte(g.out[:at], '\n') + 1
		g.insert(start, []byte(g.pick(lines...)+"\n"))
	}
}

func (g *generator) insert(at int, what []byte) {
	g.out = append(g.out[:at:at], append(what, g.out[at:]...)...)
}

// family writes a family, and sometimes again one that was there.
func (g *generator) family() {
	if g.IntN(5) > 0 {
		g.next++
	}
	name := fmt.Sprintf("%s_%d_seconds", g.pick("http_requests", "go_gc", "a:b"), g.next)
	types := []string{"counter", "gauge", "histogram", "summary", "untyped"}
	if g.format == exposition.OpenMetrics {
		types = []string{"counter", "gauge", "histogram", "summary", "unknown", "info", "stateset", "gaugehistogram"}
	}
	kind := g.pick(types...)
	if g.IntN(4) > 0 {
		g.printf("# HELP %s %s\n", name, g.pick("", "Help.", `\\ \n "é`))
	}
	if g.IntN(4) > 0 {
		g.printf("# TYPE %s %s%s\n", name, kind, g.pick("", g.eol()))
	}
	if g.format == exposition.OpenMetrics && g.IntN(4) == 0 {
		g.printf("# UNIT %s seconds\n", name)
	}
	suffixes := map[string][]string{
		"counter": {"_total", "_created", ""}, "histogram": {"_bucket", "_sum", "_count", "_created"}, "summary": {"", "_sum", "_count"},
		"info": {"_info"}, "gaugehistogram": {"_bucket", "_gsum", "_gcount"},
	}[kind]
	shape := g.labelNames()
	for range g.IntN(12) {
		if g.IntN(6) == 0 {
			shape = g.labelNames()
		}
		suffix := ""
		if len(suffixes) > 0 {
			suffix = g.pick(suffixes...)
		}
		g.sample(name+suffix, shape)
		if g.odd && g.format == exposition.Text && g.IntN(10) == 0 {
			g.printf("%s\n", g.pick("", " ", "# x", "#", "# EOF", "\t"))
		}
	}
}

func (g *generator) eol() string {
	if g.odd && g.IntN(6) == 0 {
		return "\r"
	}
	return ""
}

func (g *generator) labelNames() []string {
	all := []string{"code", "method", "handler", "le", "quantile", "k8s_pod_name", "_x9", "very_long_name_of_a_label"}
	g.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:g.IntN(5)]
}

// blank is what may stand in many places of a line that is odd.
func (g *generator) blank() string {
	if g.odd && g.format == exposition.Text && g.IntN(30) == 0 {
		return g.pick(" ", "\t", "  ")
	}
	return ""
}

func (g *generator) sample(name string, names []string) {
	if g.odd && g.IntN(10) == 0 {
		g.printf(`{"%s"%s`, g.pick(name, "a.b", `a\"b`, "é"), g.pick("", ","))
		if len(names) > 0 && g.out[len(g.out)-1] != ',' {
			g.printf(",")
		}
	} else if g.printf("%s%s%s", g.blank(), name, g.blank()); len(names) > 0 || g.odd && g.IntN(10) == 0 {
		g.printf("{")
	}
	open := bytes.ContainsAny(g.out[len(g.out)-1:], `{,"`)
	for i, label := range names {
		if g.odd && g.IntN(10) == 0 {
			label = `"` + label + `"`
		}
		g.printf(`%s%s%s=%s"%s"%s`, g.blank(), label, g.blank(), g.blank(), g.value(), g.blank())
		if i < len(names)-1 || g.odd && g.IntN(10) == 0 {
			g.printf(",")
		}
	}
	if open {
		g.printf("%s}", g.blank())
	}
	g.printf(" %s%s", g.blank(), g.number())
	if g.IntN(5) == 0 {
		g.printf(" %s%s", g.blank(), g.time())
	}
	if g.format == exposition.OpenMetrics && g.IntN(5) == 0 {
		g.printf(` # {%s} %s`, g.pick("", `trace_id="abc"`, `"a.b"="c",d="é"`), g.number())
		if g.IntN(2) == 0 {
			g.printf(" %s", g.time())
		}
	}
	g.printf("%s%s\n", g.blank(), g.eol())
}

func (g *generator) value() string {
	if g.IntN(10) == 0 {
		return g.pick("", `\\`, `\"`, `\n`, `\x`, "é", "日本語 text", "a b!c", "\t", `C:\\dir\\file`, "{}=,#")
	}
	return strings.Repeat("v", g.IntN(12)) + g.pick("200", "GET", "/api/v1", "+Inf", "0.5", "1")
}

func (g *generator) number() string {
	switch g.IntN(6) {
	case 0:
		return g.pick("NaN", "+Inf", "-Inf", "Inf", "nan", "-0", "1e+06", "1E-7", ".5", "5.", "+5", "infinity", "0.30000000000000004")
	case 1:
		return fmt.Sprint(g.ExpFloat64())
	case 2:
		return fmt.Sprint(float64(g.Int64()))
	default:
		return fmt.Sprint(g.IntN(10_000) - 10)
	}
}

func (g *generator) time() string {
	if g.format == exposition.OpenMetrics {
		return g.pick("1700000000.123", "1.7e9", "0", "-1.5", "17000")
	}
	return g.pick("1700000000123", "0", "9223372036854775807", "00012")
}
