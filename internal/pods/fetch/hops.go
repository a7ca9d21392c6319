package fetch

// HopHeader names the proxy that asks. One that is asked by another refuses, as
// pods are scraped once and not through each other; so there is only one name.
const HopHeader = "X-Metrics-Fanout-Hop"

const maxHop = 128

// validHop is what can be a name in the header.
func validHop(name string) bool {
	if name == "" || len(name) > maxHop {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || c == ',' {
			return false
		}
	}
	return true
}
