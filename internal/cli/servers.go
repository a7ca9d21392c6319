package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// servers are where a command serves: all on one server, or the part "state" on
// one and what the program says about itself on another.
type servers struct {
	// op has all collectors, tasks and checks, and the main server.
	op  *operator.Operator
	ln  net.Listener
	url string
	// telemetry has the other server; it is nil if there is none.
	telemetry    *operator.Operator
	telemetryURL string
}

// statePart is the name of the part that has the families of the rules.
const statePart = "state"

// expose mounts the metrics of the part "state" and of the program.
func (s *servers) expose() {
	if s.telemetry == nil {
		s.op.Expose("/metrics", exposition.Prometheus{})
		return
	}
	s.op.Expose("/metrics", exposition.Prometheus{}, operator.Only(statePart))
	// The main Operator protects it, and counts that.
	s.telemetry.Handle("GET /metrics", s.op.Exposition(exposition.Prometheus{}, operator.Except(statePart)), operator.Public())
}

// inner returns the Operator whose server is not for everybody to look into.
func (s *servers) inner() *operator.Operator {
	if s.telemetry != nil {
		return s.telemetry
	}
	return s.op
}

// each calls fn for every server.
func (s *servers) each(fn func(*operator.Operator)) {
	fn(s.op)
	if s.telemetry != nil {
		fn(s.telemetry)
	}
}

// close stops listening, for servers that are not run.
func (s *servers) close() error { return s.ln.Close() }

// run serves until ctx ends or one server fails, which ends the other.
func (s *servers) run(ctx context.Context) error {
	if s.telemetry == nil {
		return s.op.Run(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		defer cancel()
		ended <- s.telemetry.Run(ctx)
	}()
	err := s.op.Run(ctx)
	cancel()
	return errors.Join(err, <-ended)
}

// timeouts are the limits of a server; nil leaves one as it is.
type timeouts struct {
	read, write, idle, readHeader *time.Duration
}

// tune changes the main server to what the flags ask for.
func (f *serveFlags) tune(server *http.Server) {
	for _, limit := range []struct {
		to   *time.Duration
		from *time.Duration
	}{
		{&server.ReadTimeout, f.timeouts.read}, {&server.WriteTimeout, f.timeouts.write},
		{&server.IdleTimeout, f.timeouts.idle}, {&server.ReadHeaderTimeout, f.timeouts.readHeader},
	} {
		if limit.from != nil {
			*limit.to = *limit.from
		}
	}
	if f.plain {
		compressing := server.Handler
		server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Accept-Encoding")
			compressing.ServeHTTP(w, r)
		})
	}
}
