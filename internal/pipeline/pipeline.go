package pipeline

import (
	"slices"

	"github.com/kubevitals/kubevitals/internal/otlp/client"
)

// Pipeline is what a MetricPipeline asks for.
type Pipeline struct {
	// Name is the name of the object.
	Name string
	// Kyma says that the catalog kyma is to be on, for the Modules, sorted; none
	// is for all.
	Kyma    bool
	Modules []string
	// Output says where to push; it is nil if the document has none.
	Output *Output
	// Warnings say what of the document has no effect here.
	Warnings []string
	// Err is why the pipeline cannot be used as it is. The other fields are then
	// what could be read: a Secret that is missing costs the Output alone.
	Err error
}

// Output is a place to push to.
type Output struct {
	// Client is a whole configuration, with what Secrets have in place of references.
	// It is secret.
	Client client.Config
}

// SecretFunc returns the value of a key of a Secret.
type SecretFunc func(namespace, name, key string) ([]byte, error)

// Modules returns whether any of the pipelines switches the catalog kyma on, and
// for which modules, sorted. None are all: that is what a pipeline without
// modules asks for, whatever the others say.
func Modules(all []Pipeline) (on bool, modules []string) {
	every := false
	for _, p := range all {
		if p.Kyma {
			on = true
			every = every || len(p.Modules) == 0
			modules = append(modules, p.Modules...)
		}
	}
	if every {
		return on, nil
	}
	slices.Sort(modules)
	return on, slices.Compact(modules)
}
