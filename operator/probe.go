package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// ProbeFunc gives information: anything that can be written as JSON. Its context
// ends after one second.
type ProbeFunc func(ctx context.Context) (any, error)

const probeTimeout = time.Second

// Probe registers information for people and other programs. GET /probes, which
// is a protected route, gives one JSON object of all names and what their
// functions return. A function that fails, panics or takes longer than a second
// has {"error": "..."} instead and costs the others nothing. A probe is not a
// verdict: for that there is [Operator.Check].
func (o *Operator) Probe(name string, fn ProbeFunc) {
	o.mu.Lock()
	first := len(o.probes) == 0
	for _, other := range o.probes {
		if other.name == name {
			o.mu.Unlock()
			panic(fmt.Sprintf("operator: probe %q is registered twice", name))
		}
	}
	p := &probe{name: name, fn: fn}
	p.run = shared[json.RawMessage]{fn: p.encode}
	o.probes = append(o.probes, p)
	o.mu.Unlock()
	if first {
		o.Handle("GET /probes", http.HandlerFunc(o.serveProbes))
	}
}

type probe struct {
	name string
	fn   ProbeFunc
	run  shared[json.RawMessage]
}

// encode runs the function and writes what it returns.
func (p *probe) encode(ctx context.Context) (json.RawMessage, error) {
	v, err := p.fn(ctx)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("writing the result as JSON: %w", err)
	}
	return data, nil
}

func (o *Operator) serveProbes(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	probes := o.probes
	o.mu.Unlock()

	values := make([]json.RawMessage, len(probes))
	var wg sync.WaitGroup
	for i, p := range probes {
		wg.Go(func() {
			data, err := p.run.get(r.Context(), probeTimeout)
			if err != nil {
				data, _ = json.Marshal(map[string]string{"error": err.Error()})
			}
			values[i] = data
		})
	}
	wg.Wait()
	body := make(map[string]json.RawMessage, len(probes))
	for i, p := range probes {
		body[p.name] = values[i]
	}
	data, err := json.Marshal(body) // sorts by name
	if err != nil {
		http.Error(w, "the probes cannot be written: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(append(data, '\n'))
}
