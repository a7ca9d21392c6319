package exposition_test

import (
	"bytes"
	"compress/flate"
	"hash/crc32"
	"sync"
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

// deflated compresses lines on their own and ends them with a sync flush.
func deflated(t testing.TB, level int, lines []byte) exposition.Chunk {
	t.Helper()
	var out bytes.Buffer
	z, err := flate.NewWriter(&out, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(lines); err != nil {
		t.Fatal(err)
	}
	if err := z.Flush(); err != nil {
		t.Fatal(err)
	}
	return exposition.Chunk{Deflate: out.Bytes(), Size: len(lines), CRC: crc32.ChecksumIEEE(lines)}
}

func TestChunkAppend(t *testing.T) {
	f := func(name string, c exposition.Chunk, want string) {
		t.Helper()
		got, err := c.Append([]byte("before "))
		if err != nil || string(got) != "before "+want {
			t.Errorf("%s: got %.60q, %v, want %.60q", name, got, err, "before "+want)
		}
	}
	long := string(bytes.Repeat([]byte("a{x=\"1\"} 1\n"), 20_000))
	f("zero", exposition.Chunk{}, "")
	f("empty but not nil", exposition.Chunk{Raw: []byte{}}, "")
	f("raw", exposition.Chunk{Raw: []byte("a 1\n")}, "a 1\n")
	f("raw hides the rest", exposition.Chunk{Raw: []byte("a 1\n"), Deflate: []byte("garbage"), Size: 9, CRC: 9}, "a 1\n")
	f("deflated, nothing in it", deflated(t, flate.BestSpeed, nil), "")
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		f("deflated", deflated(t, level, []byte("a 1\n")), "a 1\n")
		f("deflated, long", deflated(t, level, []byte(long)), long)
	}
}

func TestChunkAppendOfBadChunks(t *testing.T) {
	good := deflated(t, flate.BestSpeed, bytes.Repeat([]byte("a 1\n"), 1000))
	f := func(name string, c exposition.Chunk) {
		t.Helper()
		got, err := c.Append([]byte("before"))
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if string(got) != "before" {
			t.Errorf("%s: left %d bytes, want what was there before", name, len(got))
		}
		// A bad chunk must not spoil the pooled inflater for the next.
		if got, err := good.Append(nil); err != nil || len(got) != 4000 {
			t.Errorf("after %s: a good chunk gives %d bytes, %v", name, len(got), err)
		}
	}
	f("no bytes", exposition.Chunk{Size: 10})
	f("garbage", exposition.Chunk{Deflate: []byte("\xff\xff\xff"), Size: 10})
	f("cut off", exposition.Chunk{Deflate: good.Deflate[:len(good.Deflate)/2], Size: good.Size})
	f("size too large", exposition.Chunk{Deflate: good.Deflate, Size: good.Size + 1})
}

// TestChunkIsShared inflates one chunk from many goroutines: neither the chunk
// nor the pool may be a place where they meet.
func TestChunkIsShared(t *testing.T) {
	lines := bytes.Repeat([]byte("a{x=\"1\"} 1\n"), 5000)
	c := deflated(t, flate.BestSpeed, lines)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if got, err := c.Append(nil); err != nil || !bytes.Equal(got, lines) {
					t.Errorf("got %d bytes, %v", len(got), err)
				}
			}
		})
	}
	wg.Wait()
}
