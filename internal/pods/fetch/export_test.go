package fetch

// Parts of the package that its tests look at from outside.
const ChunkSize = chunkSize

// HasProxy reports whether a client may send requests to a proxy. That cannot be
// seen from outside: Go asks no proxy for loopback addresses, and dialling refuses
// all addresses but the pod's.
func HasProxy(c *Client) bool {
	return c.transports.make(nil).Proxy != nil
}
