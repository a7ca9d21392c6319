package otlp

import "time"

// SetBackoff shortens the pauses of a Pusher that does not run yet, for tests
// with real connections.
func (p *Pusher) SetBackoff(d time.Duration) { p.shortest, p.backoff = d, d }
