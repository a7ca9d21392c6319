package scan
import ("testing";"github.com/kubevitals/kubevitals/operator/exposition")
func TestX(t *testing.T){ var x Exposition; for range 2 { err := x.Scan(clientBody(exposition.Text), Options{}); t.Log(err, x.Samples, x.Duplicates, len(x.Families), len(x.Extents), len(x.Body)) }}
