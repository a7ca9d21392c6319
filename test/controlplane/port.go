package controlplane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// The ports to choose from lie below those that Linux and macOS give to
// outgoing connections: such a connection can then never sit on a server's port
// while the server is down, not even one that a client opened to the server.
const firstPort, endPort = 20000, 32000

// FreePort returns a TCP port of 127.0.0.1 that nothing listens on and that no
// outgoing connection is given, so a server can leave it and come back to it.
// The port is not held: two callers get the same one with a chance of one in
// thousands.
func FreePort() (int, error) {
	var errs []error
	for range 20 {
		port := firstPort + rand.IntN(endPort-firstPort)
		listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if err := listener.Close(); err != nil {
			return 0, fmt.Errorf("giving back port %d: %w", port, err)
		}
		return port, nil
	}
	return 0, fmt.Errorf("finding a free port on 127.0.0.1 between %d and %d: %w",
		firstPort, endPort, errors.Join(errs...))
}
