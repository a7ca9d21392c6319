package target_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/internal/shard"
)

func TestParseLabelSource(t *testing.T) {
	f := func(s, name, from string) {
		t.Helper()
		got, err := target.ParseLabelSource(s)
		if want := (target.LabelSource{Name: name, From: from}); err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", s, got, err, want)
		}
	}
	f("team=label:app.kubernetes.io/team", "team", "label:app.kubernetes.io/team")
	f("a=annotation:b=c", "a", "annotation:b=c")
	f("env==production", "env", "=production")
	f("env==", "env", "=")
	f("port=port", "port", "port")
	f("node=node", "node", "node")
	bad := func(s, want string) {
		t.Helper()
		if _, err := target.ParseLabelSource(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", s, err, want)
		}
	}
	bad("", "write NAME=SOURCE")
	bad("team", "write NAME=SOURCE")
	bad("=node", "a name has letters")
	bad("a-b=node", "a name has letters")
	bad("1=node", "a name has letters")
	bad("__name__=node", "a name has letters")
	bad("__a=node", "a name has letters")
	bad("le=node", "a name has letters")
	bad("quantile==0.5", "a name has letters")
	bad("a=label:", "has no key")
	bad("a=annotation:", "has no key")
	bad("a=nodes", "is none of node, pod,")
	bad("a=", "is none of node, pod,")
	bad("port=port_name", "belongs to the source port")
	bad("container==x", "belongs to the source container")
	bad("path=label:path", "belongs to the source path")
}

func TestLabels(t *testing.T) {
	p := declaring(pod("a", "prometheus.io/port", "http,9090", "note", "line\none \"two\" \\ \xff\x00é"), "app/http/8080")
	p.Labels = map[string]string{"app.kubernetes.io/team": "blue", "empty": ""}
	isController := true
	p.OwnerReferences = []metav1.OwnerReference{{Kind: "Other", Name: "other"}, {Kind: "StatefulSet", Name: "db", Controller: &isController}}
	o := target.Options{PodLabel: "pod", NamespaceLabel: "namespace"}
	f := func(source, first, second string) {
		t.Helper()
		l, err := target.ParseLabelSource("x=" + source)
		if err != nil {
			t.Fatal(err)
		}
		o.Labels = []target.LabelSource{l}
		if err := o.Validate(); err != nil {
			t.Fatal(err)
		}
		got := o.Of(p)
		checkInvariants(t, got)
		for i, want := range []string{first, second} {
			set := fmt.Sprintf("%q", got[i].Labels)
			if has := strings.Contains(set, `{"x" `); has != (want != "") || has && !strings.HasSuffix(set, fmt.Sprintf(` {"x" %q}]`, want)) {
				t.Errorf("%s: got %s, want %q", source, set, want)
			}
			if !strings.HasPrefix(set, `[{"pod" "a"} {"namespace" "ns"} `) {
				t.Errorf("%s: got %s", source, set)
			}
		}
	}
	f("node", "node", "node")
	f("pod", "a", "a")
	f("namespace", "ns", "ns")
	f("phase", "Running", "Running")
	f("pod_ip", "10.0.0.1", "10.0.0.1")
	f("pod_uid", "uid-a", "uid-a")
	f("container", "app", "")
	f("port", "8080", "9090")
	f("port_name", "http", "")
	f("path", "/metrics", "/metrics")
	f("owner_kind", "StatefulSet", "StatefulSet")
	f("owner_name", "db", "db")
	f("label:app.kubernetes.io/team", "blue", "blue")
	f("label:empty", "", "")
	f("label:absent", "", "")
	f("annotation:note", "line\none \"two\" \\ \uFFFD\uFFFDé", "line\none \"two\" \\ \uFFFD\uFFFDé")
	f("=text", "text", "text")
	f("=", "", "")
}

// TestLabelsOfOneTarget has container and port only if they are asked for.
func TestLabelsOfOneTarget(t *testing.T) {
	p := declaring(pod("a", "prometheus.io/port", "http"), "app/http/8080")
	o := target.Options{}
	expect(t, o.Of(p), "a http://10.0.0.1:8080/metrics")
	o.Labels = []target.LabelSource{{Name: "port", From: "port"}, {Name: "container", From: "container"}}
	expect(t, o.Of(p), "a http://10.0.0.1:8080/metrics port=8080 container=app")
	p.Annotations["prometheus.io/port"] = "http,x"
	expect(t, o.Of(p), "a bad_annotation port=x", "a http://10.0.0.1:8080/metrics container=app port=8080")
}

func TestOwner(t *testing.T) {
	f := func(kind, name, hash, want string) {
		t.Helper()
		isController := true
		p := pod("a")
		p.Labels = map[string]string{"pod-template-hash": hash}
		p.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: name, Controller: &isController}}
		o := target.Options{Labels: []target.LabelSource{{Name: "kind", From: "owner_kind"}, {Name: "name", From: "owner_name"}}}
		expect(t, o.Of(p), "a http://10.0.0.1:80/metrics "+want)
	}
	f("ReplicaSet", "web-7d9f", "7d9f", "kind=Deployment name=web")
	f("ReplicaSet", "web-a-7d9f", "7d9f", "kind=Deployment name=web-a")
	f("ReplicaSet", "web", "", "kind=ReplicaSet name=web")
	f("ReplicaSet", "web-other", "7d9f", "kind=ReplicaSet name=web-other")
	f("ReplicaSet", "-7d9f", "7d9f", "kind=ReplicaSet name=-7d9f")
	f("DaemonSet", "web-7d9f", "7d9f", "kind=DaemonSet name=web-7d9f")
	f("Job", "backup-28", "", "kind=Job name=backup-28")
}

// TestLongValues cuts what every sample would repeat, between characters.
func TestLongValues(t *testing.T) {
	for _, text := range []string{"a", "é", "€", "😀", "\xff"} {
		o := target.Options{Labels: []target.LabelSource{{Name: "x", From: "annotation:note"}}}
		got := o.Of(pod("a", "note", "x"+strings.Repeat(text, 100_000)))
		checkInvariants(t, got)
		value := got[0].Labels[2].Value
		if text == "\xff" {
			if value != "x\uFFFD" { // a run of what is not UTF-8 is one
				t.Errorf("got %q", value)
			}
		} else if len(value) < 1020 || len(value) > 1024 || strings.ContainsRune(value, '\uFFFD') {
			t.Errorf("%q: %d bytes, ends in %q", text, len(value), value[len(value)-8:])
		}
	}
}

func TestValidate(t *testing.T) {
	f := func(want string, o target.Options) {
		t.Helper()
		err := o.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	source := func(s string) target.LabelSource {
		name, from, _ := strings.Cut(s, "=")
		return target.LabelSource{Name: name, From: from}
	}
	f("", target.Options{})
	f("", target.Options{Shard: shard.Shard{Index: 2, Count: 3}, Family: "ipv6", HostPorts: "any", Terminating: "drop", MaxTargets: 1})
	f(`target label "a" is there twice`, target.Options{Labels: []target.LabelSource{source("a=node"), source("a=phase")}})
	f(`target label "k8s_namespace" is there twice`, target.Options{Labels: []target.LabelSource{source("k8s_namespace=node")}})
	f(`target label "x" is there twice`, target.Options{PodLabel: "x", NamespaceLabel: "x"})
	f(`target label "le"`, target.Options{PodLabel: "le"})
	f(`belongs to the source port`, target.Options{PodLabel: "port"})
	f(`target label "a-b"`, target.Options{Labels: []target.LabelSource{source("a-b=node")}})
	f(`host ports: "all"`, target.Options{HostPorts: "all"})
	f(`terminating pods: "keep"`, target.Options{Terminating: "keep"})
	f(`IP family: "v4"`, target.Options{Family: "v4"})
	f("shard 3 of 3", target.Options{Shard: shard.Shard{Index: 3, Count: 3}})
	f("shard 1 of 0", target.Options{Shard: shard.Shard{Index: 1}})
	f("shard -1 of 2", target.Options{Shard: shard.Shard{Index: -1, Count: 2}})
	f("target limit", target.Options{MaxTargets: -1})
	f("pod CIDR", target.Options{PodCIDRs: prefixes("::ffff:10.0.0.0/104")})
}

// TestPodsWithoutUID still tells them apart.
func TestPodsWithoutUID(t *testing.T) {
	var o target.Options
	bare := func(name, ip string) *corev1.Pod {
		return with(at(pod(name), ip), func(p *corev1.Pod) { p.UID = "" })
	}
	expect(t, o.Assemble([]*corev1.Pod{bare("b", "10.0.0.2"), bare("a", "10.0.0.1")}), "a http://10.0.0.1:80/metrics", "b http://10.0.0.2:80/metrics")
}
