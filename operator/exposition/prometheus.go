package exposition

import (
	"io"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Prometheus writes expositions in the formats that Prometheus and everything
// like it scrapes, of which it negotiates one. The zero value offers all.
type Prometheus struct {
	// Formats are those to offer; none means all. [Text] is the answer to
	// requests that accept nothing of it.
	Formats []Format
}

// Negotiate picks the format and the escaping for an Accept header.
func (p Prometheus) Negotiate(accept string) (Format, Escaping) {
	return Negotiate(accept, p.Formats...)
}

// ContentType returns the Content-Type for an Accept header.
func (p Prometheus) ContentType(accept string) string {
	f, e := p.Negotiate(accept)
	return f.ContentType(e)
}

// Encode writes families in the format of a Content-Type that [Prometheus.ContentType]
// gave, with their names escaped as it says. Families whose names become one
// are not told apart.
func (p Prometheus) Encode(w io.Writer, contentType string, families []metric.Family) error {
	f, e := Negotiate(contentType)
	escaped := make([]metric.Family, len(families))
	descs := make([]*metric.Desc, len(families))
	for i := range families {
		escaped[i] = e.Escape(families[i])
		descs[i] = &escaped[i].Desc
	}
	Disambiguate(f, descs)
	x := NewWriter(w, f, false)
	for i := range escaped {
		x.WriteFamily(escaped[i])
	}
	return x.Close()
}
