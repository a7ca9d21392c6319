package operator

import (
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

// unlock releases the mutex, and then what was given up under it: functions of
// the user's run there.
func (s *source) unlock() {
	freed := s.freed
	s.freed = nil
	s.mu.Unlock()
	for _, l := range freed {
		l.release()
	}
}

// keep makes the source a user of what a call has returned, as far as it keeps
// it. Where that has something to clean up, it is not kept for longer than it can
// be of use. The caller holds the mutex.
func (s *source) keep(c *call, f exposition.Format) {
	if s.last[f] == c {
		c.isLast = true
		c.lease.retain()
		s.expire(f, c.lease, c.began.Add(s.minInterval))
	}
	if s.serveStale > 0 && c.err == nil {
		c.lease.retain()
		now := time.Now()
		s.freed = append(s.freed, s.good[f].lease)
		s.good[f] = kept{c.result, c.lease, now}
		s.expire(f, c.lease, now.Add(s.serveStale))
	}
}

// expire sees at a time whether what is kept then is too old.
func (s *source) expire(f exposition.Format, l *lease, at time.Time) {
	if !l.matters() {
		return
	}
	time.AfterFunc(time.Until(at), func() {
		s.mu.Lock()
		defer s.unlock()
		if last := s.last[f]; last != nil && last.isLast && time.Since(last.began) >= s.minInterval {
			s.dropLast(f)
		}
		if k, ok := s.good[f]; ok && time.Since(k.at) >= s.serveStale {
			delete(s.good, f)
			s.freed = append(s.freed, k.lease)
		}
	})
}

// dropLast forgets the last call of a format. The caller holds the mutex and
// unlocks it with unlock.
func (s *source) dropLast(f exposition.Format) {
	last := s.last[f]
	if last == nil {
		return
	}
	delete(s.last, f)
	if last.isLast {
		last.isLast = false
		s.freed = append(s.freed, last.lease)
	}
}
