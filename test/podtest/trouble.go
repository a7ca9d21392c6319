package podtest

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Hang accepts the request and never answers.
func Hang() http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

// HangInBody answers with a part of a body, and then nothing more.
func HangInBody(part string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", Text)
		_, _ = w.Write([]byte(part))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
}

// Drip answers with a body that never ends, a byte from time to time.
func Drip() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", Text)
		drip(r, func() error {
			if _, err := w.Write([]byte("#")); err != nil {
				return err
			}
			return http.NewResponseController(w).Flush()
		})
	})
}

// DripHeader answers with a header that never ends, a byte from time to time.
func DripHeader() http.Handler {
	return hijack(func(r *http.Request, conn net.Conn, _ *bufio.ReadWriter) {
		_, _ = fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nX-Slow: ")
		drip(r, func() error {
			_, err := conn.Write([]byte("x"))
			return err
		})
	})
}

// drip calls send ten times a second, until it fails or the request ends.
func drip(r *http.Request, send func() error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
			if send() != nil {
				return
			}
		}
	}
}

// Endless answers with valid lines, as fast as they are read, and never ends.
func Endless() http.Handler {
	block := []byte(strings.Repeat("# a comment that never ends\n", 2000))
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", Text)
		for {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
}

// EndlessHeader answers with a header that is too long to be one.
func EndlessHeader() http.Handler {
	return hijack(func(_ *http.Request, conn net.Conn, _ *bufio.ReadWriter) {
		_, _ = fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n")
		line := "X-Filler: " + strings.Repeat("x", 1000) + "\r\n"
		for range 1000 {
			if _, err := fmt.Fprint(conn, line); err != nil {
				return
			}
		}
		_, _ = fmt.Fprint(conn, "\r\na 1\n")
	})
}

// Reset closes the connection instead of an answer.
func Reset() http.Handler {
	return hijack(func(_ *http.Request, conn net.Conn, _ *bufio.ReadWriter) { abort(conn) })
}

// Truncated answers with a part of what its Content-Length announces.
func Truncated(part string) http.Handler {
	return hijack(func(_ *http.Request, conn net.Conn, _ *bufio.ReadWriter) {
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", Text, len(part)+100, part)
	})
}

// Broken answers in chunks, of which the last is missing.
func Broken(part string) http.Handler {
	return hijack(func(_ *http.Request, conn net.Conn, _ *bufio.ReadWriter) {
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", Text, len(part), part)
	})
}

// Junk answers with what is no HTTP.
func Junk() http.Handler {
	return hijack(func(_ *http.Request, conn net.Conn, _ *bufio.ReadWriter) {
		_, _ = fmt.Fprint(conn, "SSH-2.0-OpenSSH_9.9\r\n")
	})
}

// OncePerConnection answers the first request of each connection; at the second it
// closes the connection without an answer, as servers do that give up idle
// connections at the wrong moment.
func OncePerConnection(handler http.Handler) http.Handler {
	var mu sync.Mutex
	seen := make(map[string]bool) // addresses of clients
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		second := seen[r.RemoteAddr]
		seen[r.RemoteAddr] = true
		mu.Unlock()
		if second {
			Reset().ServeHTTP(w, r)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// abort closes a connection so that the other side sees it reset.
func abort(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// hijack returns a handler that writes to the connection itself, which is closed
// afterwards.
func hijack(fn func(*http.Request, net.Conn, *bufio.ReadWriter)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer func() { _ = conn.Close() }()
		// A connection that was taken over outlives the server otherwise.
		ended := make(chan struct{})
		defer close(ended)
		go func() {
			select {
			case <-r.Context().Done():
				_ = conn.Close()
			case <-ended:
			}
		}()
		fn(r, conn, buffered)
	})
}
