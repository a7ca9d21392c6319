package controlplane

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/gateway-api/pkg/consts"
)

// GatewayAPIVersion is the release of the Gateway API that GatewayAPICRDs
// returns the CRDs of.
const GatewayAPIVersion = consts.BundleVersion

// crdLimit is the longest wait for a CRD to be served.
const crdLimit = time.Minute

// crdResource is what CRDs are called in URLs.
var crdResource = schema.GroupVersionResource{
	Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions",
}

//go:embed crds/kuadrant.yaml
var kuadrantCRDs []byte

// KuadrantCRDs returns CRDs for the kinds of Kuadrant that have something to
// tell, for [ControlPlane.Apply]. They are our own: group, versions and names are
// Kuadrant's, but any spec and any status are accepted.
func KuadrantCRDs() []byte { return bytes.Clone(kuadrantCRDs) }

// GatewayAPICRDs returns the paths of the CRDs of the Gateway API, as the module
// that go.mod requires has them: those of the channel standard or experimental.
// Each kind of the standard channel is in the experimental one too, so a cluster
// has either. The admission policy that comes with them is left out: it would
// keep tests from installing other versions.
func GatewayAPICRDs(channel string) ([]string, error) {
	if !slices.Contains([]string{"standard", "experimental"}, channel) {
		return nil, fmt.Errorf("finding the CRDs of the Gateway API: no channel %q: choose standard or experimental", channel)
	}
	const module = "sigs.k8s.io/gateway-api"
	ctx := context.Background()
	root, err := testFolder(ctx)
	if err != nil {
		return nil, fmt.Errorf("finding the CRDs of the Gateway API: %w", err)
	}
	folder, err := goCommand(ctx, root, "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return nil, fmt.Errorf("finding the CRDs of the Gateway API: %w", err)
	}
	if folder == "" {
		return nil, fmt.Errorf("finding the CRDs of the Gateway API: module %s is not there: run go mod download %s in %s",
			module, module, root)
	}
	files, err := manifestFiles(filepath.Join(folder, "config", "crd", channel))
	if err != nil {
		return nil, fmt.Errorf("finding the CRDs of the Gateway API: %w", err)
	}
	var crds []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("finding the CRDs of the Gateway API: %w", err)
		}
		if bytes.Contains(content, []byte("\nkind: CustomResourceDefinition\n")) {
			crds = append(crds, file)
		}
	}
	return crds, nil
}

// InstallCRDs applies the manifests of files and folders as ApplyObjects does,
// and returns when the API server accepts objects of the kinds that they define.
// An installed CRD is replaced.
func (c *ControlPlane) InstallCRDs(ctx context.Context, paths ...string) error {
	objects, err := readManifests(paths)
	if err != nil {
		return fmt.Errorf("installing CRDs: %w", err)
	}
	if err := c.ApplyObjects(ctx, objects...); err != nil {
		return fmt.Errorf("installing CRDs: %w", err)
	}
	return nil
}

// waitForCRDs waits until each version that the CRDs serve is in discovery and
// its objects can be listed: the API server does the one some time after the
// other.
func (a *applier) waitForCRDs(ctx context.Context, crds []*unstructured.Unstructured) error {
	for _, crd := range crds {
		err := waitFor(ctx, crdLimit, describe(crd), func(ctx context.Context) error {
			return a.checkCRD(ctx, crd.GetName())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkCRD returns nil when the CRD of a name is served in full.
func (a *applier) checkCRD(ctx context.Context, name string) error {
	crd, err := a.dynamic.Resource(crdResource).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if status, message := condition(crd, "NamesAccepted"); status == "False" {
		return finalError{fmt.Errorf("its names are not accepted: %s", message)}
	}
	if status, message := condition(crd, "Established"); status != "True" {
		return fmt.Errorf("it is not established: %s", message)
	}
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	plural, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "plural")
	for _, version := range servedVersions(crd) {
		resource := schema.GroupVersionResource{Group: group, Version: version, Resource: plural}
		if err := a.checkServed(ctx, resource); err != nil {
			return err
		}
	}
	return nil
}

// checkServed returns nil when a resource is in discovery and can be listed.
func (a *applier) checkServed(ctx context.Context, resource schema.GroupVersionResource) error {
	list, err := a.client.Discovery().ServerResourcesForGroupVersion(resource.GroupVersion().String())
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == resource.Resource }) {
		return fmt.Errorf("discovery of %s does not have %s", resource.GroupVersion(), resource.Resource)
	}
	_, err = a.dynamic.Resource(resource).List(ctx, metav1.ListOptions{Limit: 1})
	if apierrors.IsNotFound(err) || apierrors.IsServiceUnavailable(err) {
		return fmt.Errorf("listing %s: %w", resource, err)
	}
	// Any other error is that of the objects, of a missing conversion webhook for
	// example: the resource is served.
	return ctx.Err()
}

// condition returns the status and the message of a condition of an object.
func condition(object *unstructured.Unstructured, kind string) (status, message string) {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, item := range conditions {
		fields, _ := item.(map[string]any)
		if fields["type"] == kind {
			status, _ = fields["status"].(string)
			message, _ = fields["message"].(string)
		}
	}
	return status, message
}

// servedVersions returns the names of the versions that a CRD serves.
func servedVersions(crd *unstructured.Unstructured) []string {
	var served []string
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, item := range versions {
		fields, _ := item.(map[string]any)
		if name, ok := fields["name"].(string); ok && fields["served"] == true {
			served = append(served, name)
		}
	}
	return served
}

// isObject tells whether a name in discovery is that of objects and not of a
// subresource of theirs.
func isObject(resource string) bool { return !strings.Contains(resource, "/") }
