package fetch_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods/fetch"
)

// go test -run - -bench Round -benchtime 20x ./internal/pods/fetch
//
// A round is 100 bodies of 1 MB, all kept until the last has come. The servers
// are in the same process.
func BenchmarkRound(b *testing.B) {
	const pods = 100
	body := exposition(1 << 20)
	for _, v := range []struct{ name, encoding, wire string }{
		{"identity", "", body}, {"gzip", "gzip", gzipOf(body)}, {"zstd", "zstd", zstdOf(body)},
	} {
		wire := []byte(v.wire)
		b.Run(v.name, func(b *testing.B) {
			all := make([]*pod, pods)
			for i := range all {
				all[i] = serve(b, fmt.Sprintf("127.0.3.%d", i+1), func(w http.ResponseWriter, _ *http.Request) {
					if v.encoding != "" {
						w.Header().Set("Content-Encoding", v.encoding)
					}
					_, _ = w.Write(wire)
				})
			}
			c := newClient(b, fetch.Options{Compression: true})
			hints := make([]int, pods)
			round := func() {
				c.Generation()
				bodies := make([]*fetch.Body, pods)
				var wg sync.WaitGroup
				for i, p := range all {
					wg.Go(func() {
						r := p.request("/metrics")
						r.SizeHint = hints[i]
						var err error
						if bodies[i], err = c.Get(b.Context(), r); err != nil {
							b.Error(err)
							return
						}
						hints[i] = len(bodies[i].Bytes)
					})
				}
				wg.Wait()
				for _, got := range bodies {
					got.Release()
				}
			}
			round()
			b.SetBytes(int64(pods * len(body)))
			b.ReportAllocs()
			for b.Loop() {
				round()
			}
			s := c.Stats()
			b.ReportMetric(float64(s.Idle)/float64(pods*len(body)), "idle/body")
		})
	}
}
