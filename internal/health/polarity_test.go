package health

import (
	"strings"
	"testing"
)

func TestPolarityOf(t *testing.T) {
	f := func(group, kind, types string, want Polarity) {
		t.Helper()
		for conditionType := range strings.FieldsSeq(types) {
			if got := PolarityOf(group, kind, conditionType); got != want {
				t.Errorf("%s of %s.%s is %s, want %s", conditionType, kind, group, got, want)
			}
		}
	}
	f("", "Node", "Ready", Positive)
	f("", "Node", "MemoryPressure DiskPressure PIDPressure NetworkUnavailable ReadonlyFilesystem", Negative)
	f("", "Pod", "Ready ContainersReady Initialized PodScheduled PodReadyToStartContainers", Positive)
	f("", "Pod", "DisruptionTarget", Negative)
	f("", "PersistentVolumeClaim", "Resizing FileSystemResizePending", Neutral)
	f("apps", "Deployment", "Available Progressing", Positive)
	f("apps", "Deployment", "ReplicaFailure", Negative)
	f("batch", "Job", "Complete SuccessCriteriaMet", Positive)
	f("batch", "Job", "Failed FailureTarget", Negative)
	f("batch", "Job", "Suspended", Neutral)
	f("gateway.networking.k8s.io", "Gateway", "Accepted Programmed ResolvedRefs", Positive)
	f("gateway.networking.k8s.io", "HTTPRoute", "PartiallyInvalid Conflicted", Negative)
	f("cluster.x-k8s.io", "Machine", "Available Ready UpToDate NodeHealthy Resized", Positive)
	f("cluster.x-k8s.io", "MachineDeployment", "RollingOut ScalingUp ScalingDown Paused Remediating", Neutral)
	f("controlplane.cluster.x-k8s.io", "KubeadmControlPlane", "Deleting", Negative)
	f("infrastructure.cluster.x-k8s.io", "DockerMachine", "ScalingUp Paused", Neutral)
	f("kustomize.toolkit.fluxcd.io", "Kustomization", "Ready Healthy", Positive)
	f("source.toolkit.fluxcd.io", "GitRepository", "Stalled Reconciling FetchFailed ArtifactOutdated", Negative)
	f("source.toolkit.fluxcd.io", "GitRepository", "Ready ArtifactInStorage", Positive)
	f("helm.toolkit.fluxcd.io", "HelmRelease", "Released TestSuccess", Positive)
	f("cert-manager.io", "Certificate", "Ready", Positive)
	f("cert-manager.io", "Certificate", "Issuing", Neutral)
	f("cert-manager.io", "CertificateRequest", "Denied InvalidRequest", Negative)
	f("example.crossplane.io", "XDatabase", "Synced Ready Responsive", Positive)
	f("serving.knative.dev", "Service", "Ready ConfigurationsReady RoutesReady", Positive)
	f("serving.knative.dev", "Revision", "Active", Neutral)
	// What nobody has heard of.
	f("acme.io", "Thing", "Ready Anything Progress", Positive)
	f("acme.io", "Thing", "Degraded Stalled Failed", Negative)
	f("acme.io", "Thing", "Suspended Progressing Paused", Neutral)
	// A type that means something in one group only.
	f("acme.io", "Thing", "ReplicaFailure Issuing Active Detached", Positive)
}

// TestPolaritiesHaveSources makes sure that each block of lines begins with a
// comment, which says where it is from.
func TestPolaritiesHaveSources(t *testing.T) {
	before := ""
	for line := range strings.Lines(polarityData) {
		words := strings.Fields(line)
		if len(words) > 0 && words[0] != "#" && before == "" {
			t.Errorf("nothing says where this is from: %s", line)
		}
		before = strings.TrimSpace(line)
	}
	for conditionType, rules := range known() {
		seen := make(map[[2]string]Polarity)
		for _, r := range rules {
			at := [2]string{r.group, r.kind}
			if p, ok := seen[at]; ok && p != r.polarity {
				t.Errorf("%s of %v is %s and %s", conditionType, at, p, r.polarity)
			}
			seen[at] = r.polarity
		}
	}
}

func TestParsePolarities(t *testing.T) {
	for _, bad := range []string{"odd * * A", "negative * *", "negative"} {
		if _, err := parsePolarities("# x\n\n" + bad); err == nil || !strings.Contains(err.Error(), "line 3") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
