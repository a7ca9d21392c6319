package controlplane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
)

// Apply puts the objects of YAML or JSON documents into the cluster as
// ApplyObjects does. A dump such as that of kubectl get -o yaml will do.
func (c *ControlPlane) Apply(ctx context.Context, manifests []byte) error {
	objects, err := ParseManifests(manifests)
	if err != nil {
		return fmt.Errorf("applying manifests: %w", err)
	}
	return c.ApplyObjects(ctx, objects...)
}

// ApplyObjects puts objects into the cluster by server-side apply, each with its
// status, which replaces that of the cluster, through the status subresource
// where there is one. Unknown fields are errors.
// What a server writes into metadata itself, such as the UID, is left out, so an
// object that was being deleted is applied as one that is not. Owner references
// are kept: a garbage collector, which a control plane of ours has not, deletes
// objects whose owner is missing.
//
// Missing namespaces are made. Namespaces and CRDs are applied first, whatever
// their place, and the CRDs are waited for. All else is applied in the order
// given, but for neighbours of one kind, which are applied at the same time; so
// no object may be given twice. The first error ends it, and what was applied
// before stays. The objects are not changed.
func (c *ControlPlane) ApplyObjects(ctx context.Context, objects ...*unstructured.Unstructured) error {
	a, err := newApplier(c)
	if err != nil {
		return err
	}
	var crds []*unstructured.Unstructured
	for _, run := range runs(objects) {
		if rank(run[0]) == rankOther {
			if err := a.waitForCRDs(ctx, crds); err != nil {
				return err
			}
			crds = nil
		}
		if err := a.applyRun(ctx, run); err != nil {
			return err
		}
		if rank(run[0]) == rankCRD {
			crds = append(crds, run...)
		}
	}
	return a.waitForCRDs(ctx, crds)
}

// runs returns copies of the objects in the order to apply them, with neighbours
// of one kind in one slice.
func runs(objects []*unstructured.Unstructured) [][]*unstructured.Unstructured {
	ordered := slices.Clone(objects)
	slices.SortStableFunc(ordered, func(x, y *unstructured.Unstructured) int { return rank(x) - rank(y) })
	var runs [][]*unstructured.Unstructured
	for i, object := range ordered {
		if i == 0 || object.GroupVersionKind() != ordered[i-1].GroupVersionKind() {
			runs = append(runs, nil)
		}
		runs[len(runs)-1] = append(runs[len(runs)-1], object.DeepCopy())
	}
	return runs
}

// The order in which objects are applied.
const (
	rankNamespace = iota
	rankCRD
	rankOther
)

// rank returns the place of an object in the order.
func rank(object *unstructured.Unstructured) int {
	switch object.GroupVersionKind().GroupKind() {
	case schema.GroupKind{Kind: "Namespace"}:
		return rankNamespace
	case schema.GroupKind{Group: crdResource.Group, Kind: "CustomResourceDefinition"}:
		return rankCRD
	default:
		return rankOther
	}
}

// An applier applies the objects of one call. What it has learnt of the server
// holds for that call only.
type applier struct {
	client     kubernetes.Interface
	dynamic    dynamic.Interface
	resources  map[schema.GroupVersion][]metav1.APIResource
	namespaces map[string]bool // those known to be there
}

// newApplier returns an applier with clients for the cluster.
func newApplier(c *ControlPlane) (*applier, error) {
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	dynamicClient, err := dynamic.NewForConfig(c.harnessConfig())
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return &applier{
		client:     client,
		dynamic:    dynamicClient,
		resources:  map[schema.GroupVersion][]metav1.APIResource{},
		namespaces: map[string]bool{},
	}, nil
}

// applyRun applies objects of one kind and may change them.
func (a *applier) applyRun(ctx context.Context, objects []*unstructured.Unstructured) error {
	kind := objects[0].GroupVersionKind()
	resource, hasStatus, err := a.lookUp(kind)
	if err != nil {
		return fmt.Errorf("applying %s: %w", describe(objects[0]), err)
	}
	for _, object := range objects {
		stripServerFields(object)
		if err := a.prepare(ctx, resource, object); err != nil {
			return fmt.Errorf("applying %s: %w", describe(object), err)
		}
	}
	// The API server itself keeps the status of a CRD.
	setsStatus := hasStatus && rank(objects[0]) != rankCRD
	client := a.dynamic.Resource(kind.GroupVersion().WithResource(resource.Name))
	return forEach(ctx, objects, func(ctx context.Context, object *unstructured.Unstructured) error {
		var one dynamic.ResourceInterface = client
		if resource.Namespaced {
			one = client.Namespace(object.GetNamespace())
		}
		status, withStatus := object.Object["status"]
		if hasStatus {
			delete(object.Object, "status")
		}
		applied, err := one.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: UserAgent, Force: true})
		if err == nil && withStatus && setsStatus {
			err = setStatus(ctx, one, applied, status)
		}
		if err != nil {
			return fmt.Errorf("applying %s: %w", describe(object), err)
		}
		return nil
	})
}

// prepare checks an object. It puts a namespaced one into the namespace default
// if it says nothing else, and makes its namespace.
func (a *applier) prepare(ctx context.Context, resource metav1.APIResource, object *unstructured.Unstructured) error {
	if object.GetName() == "" {
		return errors.New("no metadata.name")
	}
	if !resource.Namespaced {
		return nil
	}
	if object.GetNamespace() == metav1.NamespaceNone {
		object.SetNamespace(metav1.NamespaceDefault)
	}
	if a.namespaces[object.GetNamespace()] {
		return nil
	}
	if err := ensureNamespace(ctx, a.client, object.GetNamespace()); err != nil {
		return err
	}
	a.namespaces[object.GetNamespace()] = true
	return nil
}

// setStatus replaces the status of an object in the cluster. It does not apply
// the status: what a CRD sets in a new object, such as the conditions of a
// Gateway that no controller has seen, would stay beside it.
func setStatus(ctx context.Context, client dynamic.ResourceInterface, object *unstructured.Unstructured, status any) error {
	options := metav1.UpdateOptions{FieldManager: UserAgent, FieldValidation: metav1.FieldValidationStrict}
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		object.Object["status"] = status
		_, err := client.UpdateStatus(ctx, object, options)
		if !apierrors.IsConflict(err) {
			return err
		}
		if latest, getErr := client.Get(ctx, object.GetName(), metav1.GetOptions{}); getErr == nil {
			object = latest
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("setting its status: %w", err)
	}
	return nil
}

// lookUp finds out by discovery how a kind is called in URLs and whether it has
// a status subresource.
func (a *applier) lookUp(kind schema.GroupVersionKind) (resource metav1.APIResource, hasStatus bool, err error) {
	version := kind.GroupVersion()
	resources, known := a.resources[version]
	if !known {
		list, err := a.client.Discovery().ServerResourcesForGroupVersion(version.String())
		if err != nil && !apierrors.IsNotFound(err) {
			return resource, false, fmt.Errorf("asking what %s has: %w", version, err)
		}
		if err == nil {
			resources = list.APIResources
			a.resources[version] = resources
		}
	}
	find := func(match func(metav1.APIResource) bool) int { return slices.IndexFunc(resources, match) }
	at := find(func(r metav1.APIResource) bool { return r.Kind == kind.Kind && isObject(r.Name) })
	if at < 0 {
		return resource, false, fmt.Errorf("the cluster does not serve %s in %s: apply its CRD first", kind.Kind, version)
	}
	status := find(func(r metav1.APIResource) bool { return r.Name == resources[at].Name+"/status" })
	return resources[at], status >= 0, nil
}

// forEach calls do for each item, for a few at the same time, and returns the
// first error, which ends it.
func forEach[T any](ctx context.Context, items []T, do func(context.Context, T) error) error {
	const workers = 4
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(workers, len(items)) {
		group.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(items) {
					return
				}
				if err := do(ctx, items[i]); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}
