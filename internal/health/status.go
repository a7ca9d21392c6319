package health

import (
	"maps"
	"math"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The states that [Status] returns.
const (
	InProgress  = string(status.InProgressStatus)
	Failed      = string(status.FailedStatus)
	Current     = string(status.CurrentStatus)
	Terminating = string(status.TerminatingStatus)
	Unknown     = string(status.UnknownStatus)
)

// maxConditions is how many conditions an object may have that kstatus is asked
// about: it copies them all, and no object that is sound has nearly as many.
const maxConditions = 256

// Status returns what kstatus says of an object: InProgress, Failed, Current,
// Terminating or Unknown. Unknown is also what it cannot make sense of, as for
// kstatus' own users. It is empty for what is no object of Kubernetes, and where
// kstatus panics.
func Status(object map[string]any) (state string) {
	defer func() {
		if recover() != nil {
			state = ""
		}
	}()
	if kind, _ := object["kind"].(string); kind == "" {
		return ""
	}
	body, _ := object["status"].(map[string]any)
	if conditions, _ := body["conditions"].([]any); len(conditions) > maxConditions {
		return Unknown
	}
	result, err := status.Compute(&unstructured.Unstructured{Object: wholeNumbers(object, body)})
	if err != nil || result == nil {
		return Unknown
	}
	return result.Status.String()
}

// wholeNumbers returns the object with generations as kstatus expects them, which
// a decoder may have read as floating point numbers.
func wholeNumbers(object, body map[string]any) map[string]any {
	meta, _ := object["metadata"].(map[string]any)
	generation, changed := whole(meta["generation"])
	observed, changedToo := whole(body["observedGeneration"])
	if !changed && !changedToo {
		return object
	}
	object = maps.Clone(object)
	if changed {
		meta = maps.Clone(meta)
		meta["generation"], object["metadata"] = generation, meta
	}
	if changedToo {
		body = maps.Clone(body)
		body["observedGeneration"], object["status"] = observed, body
	}
	return object
}

func whole(v any) (n int64, changed bool) {
	f, ok := v.(float64)
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}
