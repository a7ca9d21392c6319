package controlplane

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// auditLog is the name of the file that the API server logs its requests to.
const auditLog = "audit.log"

// A Request is a request that was made to the API server.
type Request struct {
	// Time is when the request came in.
	Time time.Time
	// User is the name of the user. It is empty where a request was refused
	// because of its credentials.
	User string
	// UserAgent is what the client calls itself.
	UserAgent string
	// Verb is that of Kubernetes, such as list, or of HTTP in lower case for what
	// is no resource.
	Verb string
	// URI is the path with the query.
	URI string
	// Resource is the plural name of the kind; empty for what is no resource.
	Resource string
	// Subresource is the part of an object that is meant, such as status.
	Subresource string
	// Code is the HTTP status of the answer.
	Code int
	// Begun is set where the answer of a watch began. When it has ended, the
	// request is listed again, without the mark.
	Begun bool
}

// A Mark is a point in the log of requests. The zero Mark is its beginning.
type Mark int64

// Mark returns the present end of the log of requests. It returns ErrNotOwned
// for a cluster that was not started here.
func (c *ControlPlane) Mark() (Mark, error) {
	if c.own == nil {
		return 0, fmt.Errorf("reading the log of requests: %w", ErrNotOwned)
	}
	info, err := os.Stat(filepath.Join(c.dir, auditLog))
	if err != nil {
		return 0, fmt.Errorf("reading the log of requests: %w", err)
	}
	return Mark(info.Size()), nil
}

// Requests returns the requests that were logged after a mark, in the order of
// their answers. A request is logged when the API server has finished its
// answer, which a client knows when it has read the answer to its end. Requests
// that the API server makes to itself are left out, those of this package have
// [UserAgent]. It returns ErrNotOwned for a cluster that was not started here.
func (c *ControlPlane) Requests(since Mark) ([]Request, error) {
	if c.own == nil {
		return nil, fmt.Errorf("reading the log of requests: %w", ErrNotOwned)
	}
	file, err := os.Open(filepath.Join(c.dir, auditLog))
	if err != nil {
		return nil, fmt.Errorf("reading the log of requests: %w", err)
	}
	defer func() { _ = file.Close() }()
	// The mark may be inside a line that was being written then: with the byte
	// before the mark, the first line to read is the one after the first break.
	if _, err := file.Seek(max(0, int64(since)-1), io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading the log of requests from %d: %w", since, err)
	}
	log, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("reading the log of requests: %w", err)
	}
	if since > 0 {
		_, log, _ = bytes.Cut(log, []byte("\n"))
	}
	requests, err := parseAuditLog(log)
	if err != nil {
		return nil, fmt.Errorf("reading the log of requests after %d bytes: %w", since, err)
	}
	return requests, nil
}

// auditEvent is what is read of a line of the log (audit.k8s.io/v1).
type auditEvent struct {
	Stage      string
	RequestURI string
	Verb       string
	User       struct{ Username string }
	UserAgent  string
	ObjectRef  struct {
		Resource    string
		Subresource string
	}
	ResponseStatus           struct{ Code int }
	RequestReceivedTimestamp time.Time
}

// parseAuditLog returns the requests of a log. A last line that is still being
// written is left out.
func parseAuditLog(log []byte) ([]Request, error) {
	var requests []Request
	for number := 1; ; number++ {
		line, rest, whole := bytes.Cut(log, []byte("\n"))
		if !whole {
			return requests, nil
		}
		log = rest
		var event auditEvent
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("line %d: %w: %.200q", number, err, line)
		}
		// The API server logs wrong credentials as the beginning of an answer, which
		// for those is all of it.
		begun := event.Stage == "ResponseStarted" && event.ResponseStatus.Code != http.StatusUnauthorized
		requests = append(requests, Request{
			Time:        event.RequestReceivedTimestamp,
			User:        event.User.Username,
			UserAgent:   event.UserAgent,
			Verb:        event.Verb,
			URI:         event.RequestURI,
			Resource:    event.ObjectRef.Resource,
			Subresource: event.ObjectRef.Subresource,
			Code:        event.ResponseStatus.Code,
			Begun:       begun,
		})
	}
}
