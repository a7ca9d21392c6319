package fetch

import (
	"fmt"
	"strings"
	"time"
)

// Options are the limits of a [Client]. The zero value has all defaults.
type Options struct {
	// BodyLimit is the most that a body may have, inflated. 0 is 16 MiB.
	BodyLimit int64
	// WireLimit is the most that a compressed body may have before it is
	// inflated. 0 is 4 MiB.
	WireLimit int64
	// Ratio is how many times larger than on the wire a compressed body may get,
	// once it is beyond 1 MiB. It makes bombs cheaper than BodyLimit would: those
	// begin at 1000. 0 is 300: expositions usually have 10 to 40, those of nothing
	// but zeros up to 160.
	Ratio int64
	// Budget is how many bytes there may be of bodies, those that are being read
	// and those that are not released yet. Memory that is kept for later bodies
	// is inside it too, but yields. 0 is 512 MiB. The least is WireLimit and three
	// times BodyLimit: that is one body while it is put together.
	Budget int64
	// Concurrency is how many requests are sent at once. 0 is 64.
	Concurrency int
	// SlowAfter is how long a request counts for Concurrency. Pods that hang
	// must not keep the others from their turn. 0 is 250 ms, less than 0 is for
	// ever.
	SlowAfter time.Duration
	// InFlight is the most requests there may be at once, slow ones included. 0
	// is 16 times Concurrency.
	InFlight int
	// PerHost is how many requests one IP gets at once, slow or not. 0 is 2.
	PerHost int
	// UserAgent is the header of that name. Empty is "kubevitals".
	UserAgent string
	// Hop is what this proxy is called in the header X-Metrics-Fanout-Hop:
	// visible ASCII without commas. Empty sends no such header.
	Hop string
	// DialTimeout bounds connecting, and the TLS handshake as well. 0 is 2 s.
	DialTimeout time.Duration
	// IdleTimeout is how long a connection is kept without a request. It should
	// be twice the interval of scrapes. 0 is 2 minutes.
	IdleTimeout time.Duration
	// Compression asks pods for zstd or gzip. Without it they are asked for
	// identity, which is cheaper for both unless the network is slow. What is
	// compressed all the same is inflated.
	Compression bool
	// Now is the clock of durations. Nil is time.Now.
	Now func() time.Time
}

const (
	maxHeader      = 64 << 10
	maxDrain       = 4 << 10
	ratioFloor     = 1 << 20
	defaultTimeout = 10 * time.Second
)

func orElse[T int | int64 | time.Duration](v *T, other T) {
	if *v == 0 {
		*v = other
	}
}

// complete fills in the defaults and says what cannot be.
func (o *Options) complete() error {
	orElse(&o.BodyLimit, 16<<20)
	orElse(&o.WireLimit, 4<<20)
	orElse(&o.Ratio, 300)
	orElse(&o.Budget, 512<<20)
	orElse(&o.Concurrency, 64)
	orElse(&o.SlowAfter, 250*time.Millisecond)
	orElse(&o.InFlight, 16*o.Concurrency)
	orElse(&o.PerHost, 2)
	orElse(&o.DialTimeout, 2*time.Second)
	orElse(&o.IdleTimeout, 2*time.Minute)
	if o.UserAgent == "" {
		o.UserAgent = "kubevitals"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o.check()
}

func (o *Options) check() error {
	for _, v := range []struct {
		name  string
		value int64
	}{
		{"BodyLimit", o.BodyLimit}, {"WireLimit", o.WireLimit}, {"Ratio", o.Ratio}, {"Budget", o.Budget},
		{"Concurrency", int64(o.Concurrency)}, {"InFlight", int64(o.InFlight)}, {"PerHost", int64(o.PerHost)},
		{"DialTimeout", int64(o.DialTimeout)}, {"IdleTimeout", int64(o.IdleTimeout)},
	} {
		if v.value < 0 {
			return fmt.Errorf("fetch options: %s is %d, it must not be negative", v.name, v.value)
		}
	}
	if o.BodyLimit > 1<<31-1 || o.WireLimit > 1<<31-1 {
		return fmt.Errorf("fetch options: BodyLimit %d and WireLimit %d must be below 2 GiB", o.BodyLimit, o.WireLimit)
	}
	if least := 3*o.BodyLimit + o.WireLimit; o.Budget < least {
		return fmt.Errorf("fetch options: Budget %d is too small for one body: raise it to %d, or lower BodyLimit or WireLimit", o.Budget, least)
	}
	if o.InFlight < o.Concurrency {
		return fmt.Errorf("fetch options: InFlight %d is less than Concurrency %d", o.InFlight, o.Concurrency)
	}
	if o.Hop != "" && !validHop(o.Hop) {
		return fmt.Errorf("fetch options: Hop %s must be visible ASCII without commas, up to %d bytes", quote(o.Hop), maxHop)
	}
	if strings.ContainsFunc(o.UserAgent, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("fetch options: UserAgent %s has control characters", quote(o.UserAgent))
	}
	return nil
}
