package exposition_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// procs sets GOMAXPROCS for a test.
func procs(t *testing.T, n int) {
	before := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// noMoreGoroutines waits until there are no more than before.
func noMoreGoroutines(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// watcher is a writer that looks at how many goroutines there are, and at what
// has been produced but not written.
type watcher struct {
	bytes.Buffer
	goroutines int
	produced   int
	writes     int
	ahead      int
}

func (w *watcher) Write(p []byte) (int, error) {
	w.goroutines = max(w.goroutines, runtime.NumGoroutine())
	w.ahead = max(w.ahead, w.produced-w.writes)
	w.writes++
	return w.Buffer.Write(p)
}

// linesPer makes Lines of runs.
func linesPer(runs [][]byte, each func()) func([]byte, func([]byte) []byte) []byte {
	return func(buf []byte, full func([]byte) []byte) []byte {
		for _, run := range runs {
			if each != nil {
				each()
			}
			if buf = full(append(buf, run...)); buf == nil {
				return nil
			}
		}
		return buf
	}
}

func someRuns(n int) (runs [][]byte, whole string) {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	var b strings.Builder
	for range n {
		var run []byte
		for len(run) < full {
			run = exposition.AppendSample(run, "a", metric.Labels("n", string(rune('a'+r.IntN(26))), "v", strings.Repeat("x", r.IntN(99))), float64(r.IntN(1e9)))
		}
		runs = append(runs, run)
		b.Write(run)
	}
	return runs, b.String()
}

func TestGzipInParallel(t *testing.T) {
	runs, whole := someRuns(100)
	const head = "# TYPE a untyped\n"
	for _, n := range []int{1, 2, 3, 8, 64} {
		procs(t, n)
		before := runtime.NumGoroutine()
		var out watcher
		w := exposition.NewWriter(&out, exposition.Text, true)
		w.WriteRendered(exposition.Rendered{Desc: metric.Desc{Name: "a"}, Lines: linesPer(runs, func() { out.produced++ })})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := gunzip(t, out.Bytes()); got != head+whole {
			t.Errorf("%d procs: %d bytes, want %d", n, len(got), len(head+whole))
		}
		limit := min(n, 16)
		if most := before + 2*limit; out.goroutines > most || n == 1 && out.goroutines > before {
			t.Errorf("%d procs: %d goroutines, want %d at most, with those that are about to end", n, out.goroutines, most)
		}
		if out.ahead > limit+3 {
			t.Errorf("%d procs: %d runs in memory at once", n, out.ahead)
		}
		noMoreGoroutines(t, before)
	}
}

// TestGzipOfLittle takes no goroutines.
func TestGzipOfLittle(t *testing.T) {
	procs(t, 8)
	runs, _ := someRuns(3)
	before := runtime.NumGoroutine()
	var out watcher
	w := exposition.NewWriter(&out, exposition.Text, true)
	w.WriteRendered(exposition.Rendered{Desc: metric.Desc{Name: "a"}, Lines: linesPer(runs, func() {
		out.goroutines = max(out.goroutines, runtime.NumGoroutine())
	})})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if out.goroutines != before {
		t.Errorf("%d goroutines, %d before", out.goroutines, before)
	}
}

// TestGzipKeepsOrder: segments and short runs stand where they belong, however
// long those before them take.
func TestGzipKeepsOrder(t *testing.T) {
	procs(t, 5)
	runs, _ := someRuns(60)
	big := bytes.Join(runs[:20], nil)
	var want bytes.Buffer
	var out bytes.Buffer
	w := exposition.NewWriter(&out, exposition.Text, true)
	write := func(r exposition.Rendered, lines ...[]byte) {
		r.Name = "a"
		w.WriteRendered(r)
		want.WriteString("# TYPE a untyped\n")
		want.Write(bytes.Join(lines, nil))
	}
	for range 3 {
		write(exposition.Rendered{Chunks: []exposition.Chunk{{Raw: big}, deflated(t, flate.BestSpeed, runs[20]), {Raw: []byte("a 1\n")}}}, big, runs[20], []byte("a 1\n"))
		write(exposition.Rendered{Lines: linesPer(runs[21:], nil)}, runs[21:]...)
		write(exposition.Rendered{Lines: linesPer([][]byte{big, big}, nil)}, big, big) // all at once
		write(exposition.Rendered{Chunks: []exposition.Chunk{deflated(t, 1, []byte("a 2\n")), deflated(t, 1, big)}}, []byte("a 2\n"), big)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := gunzip(t, out.Bytes()); got != want.String() {
		t.Errorf("%d bytes differ from the expected %d", len(got), want.Len())
	}
}

// TestGzipEndsEarly: nothing is left behind by an error, or a panic of the part.
func TestGzipEndsEarly(t *testing.T) {
	procs(t, 8)
	runs, _ := someRuns(100)
	before := runtime.NumGoroutine()
	for _, left := range []int{0, 10, 50_000, 400_000} {
		out := &limitedWriter{left: left}
		w := exposition.NewWriter(out, exposition.Text, true)
		for range 3 {
			w.WriteRendered(exposition.Rendered{Desc: metric.Desc{Name: "a"}, Lines: linesPer(runs, nil)})
		}
		if err := w.Close(); !errors.Is(err, errFull) || out.late > 0 {
			t.Errorf("room for %d bytes: %v, %d writes after the error", left, err, out.late)
		}
		noMoreGoroutines(t, before)
	}
	n := 0
	w := exposition.NewWriter(new(bytes.Buffer), exposition.Text, true)
	w.WriteRendered(exposition.Rendered{Desc: metric.Desc{Name: "a"}, Lines: linesPer(runs, func() {
		if n++; n == 50 {
			panic("no luck")
		}
	})})
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("Close gives %v", err)
	}
	noMoreGoroutines(t, before)
}
