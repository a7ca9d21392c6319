package kubeauth

import (
	"crypto/sha256"
	"log/slog"
	"os"
	"sync"
	"time"
)

// reloadInterval is how long files are not read again. It is short against the
// minute that the kubelet takes to bring a changed Secret into a volume.
const reloadInterval = 10 * time.Second

// reloader keeps a value that is made of files, and makes a new one when their
// content has changed. It looks when the value is wanted: notifications of the
// file system get lost when the kubelet swaps the symbolic links of a volume.
// It is safe for concurrent use.
type reloader[T any] struct {
	files []string
	parse func(contents [][]byte) (T, error)
	log   *slog.Logger

	mu    sync.Mutex
	next  time.Time // when to look again
	seen  [sha256.Size]byte
	value T
}

// newReloader fails if there is no first value.
func newReloader[T any](log *slog.Logger, parse func([][]byte) (T, error), files ...string) (*reloader[T], error) {
	r := &reloader[T]{files: files, parse: parse, log: log}
	value, err := r.load()
	if err != nil {
		return nil, err
	}
	r.value, r.next = value, time.Now().Add(reloadInterval)
	return r, nil
}

// get returns the newest good value. What cannot be read or parsed is logged
// once, until there is something else.
func (r *reloader[T]) get() T {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Before(r.next) {
		return r.value
	}
	r.next = now.Add(reloadInterval)
	before := r.seen
	value, err := r.load()
	switch {
	case r.seen == before:
	case err != nil:
		r.log.Error("Changed files are not usable; what was read before stays in use", "files", r.files, "err", err)
	default:
		r.value = value
		r.log.Info("Changed files are in use", "files", r.files)
	}
	return r.value
}

// load reads the files and notes what it has seen, be it an error. It parses
// nothing that was seen the last time.
func (r *reloader[T]) load() (T, error) {
	var none T
	before := r.seen
	sum := sha256.New()
	contents := make([][]byte, len(r.files))
	for i, file := range r.files {
		data, err := os.ReadFile(file)
		if err != nil {
			r.seen = sha256.Sum256([]byte(err.Error()))
			return none, err
		}
		contents[i] = data
		one := sha256.Sum256(data)
		sum.Write(one[:])
	}
	r.seen = [sha256.Size]byte(sum.Sum(nil))
	if r.seen == before {
		return none, nil
	}
	return r.parse(contents)
}
