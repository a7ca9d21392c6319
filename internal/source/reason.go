package source

import (
	"context"
	"errors"
	"net"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubevitals/kubevitals/internal/store"
)

// reasonOf classifies a failed request.
func reasonOf(err error) string {
	var netErr net.Error
	var urlErr *url.Error
	switch {
	case apierrors.IsForbidden(err):
		return store.ReasonForbidden
	case apierrors.IsUnauthorized(err):
		return store.ReasonUnauthorized
	case apierrors.IsBadRequest(err), apierrors.IsInvalid(err), apierrors.IsMethodNotSupported(err):
		return store.ReasonRejected
	case apierrors.IsNotFound(err):
		return store.ReasonNotFound
	case errors.Is(err, context.DeadlineExceeded), apierrors.IsTimeout(err), apierrors.IsServerTimeout(err),
		errors.As(err, &netErr) && netErr.Timeout():
		return store.ReasonTimeout
	case errors.As(err, &urlErr), errors.As(err, &netErr), apierrors.IsServiceUnavailable(err):
		return store.ReasonUnreachable
	default:
		return store.ReasonError
	}
}
