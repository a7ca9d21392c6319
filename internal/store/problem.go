package store

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// Problem is why an object has not given a sample of a family.
type Problem struct {
	// Family is the family's name.
	Family string
	// GVK, Namespace and Name say which object it was.
	GVK             rule.GVK
	Namespace, Name string
	// Reason is one of [rule.Reasons].
	Reason string
	// Err says more.
	Err error
}

// String returns the problem in one line.
func (p Problem) String() string {
	object := strings.TrimPrefix(p.Namespace+"/"+p.Name, "/")
	line := fmt.Sprintf("%s: %s %s: %s: %v", p.Family, p.GVK, object, p.Reason, p.Err)
	return strings.ReplaceAll(line, "\n", " ")
}

// Harmless reports whether nothing is lost: the series is there once.
func (p Problem) Harmless() bool { return p.Reason == rule.ReasonDuplicate }

func (s *Store) logProblem(p Problem) {
	level := slog.LevelWarn
	if p.Harmless() {
		level = slog.LevelDebug
	}
	s.log.Log(context.Background(), level, "Rule does not fit an object; more of this kind and reason are only counted",
		"family", p.Family, "kind", p.GVK.String(), "namespace", p.Namespace, "name", p.Name, "reason", p.Reason, "err", p.Err)
}
