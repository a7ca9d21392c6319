package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubevitals/kubevitals/internal/pods/fetch"
	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// podAuth knows how to prove to pods who asks. What it knows comes from files
// alone, never from pods. It is safe for concurrent use.
type podAuth struct {
	file    string
	log     *slog.Logger
	current atomic.Pointer[podAuthState]
	failure atomic.Pointer[error] // why changed files are not in use; nil if they are
}

// podAuthState is what a podAuth has read.
type podAuthState struct {
	rules    []podAuthRule
	contents [][]byte // of all files, in the order in which they were read
}

// podAuthRule is an entry at work.
type podAuthRule struct {
	namespaces []string
	selector   labels.Selector
	auth       *fetch.Auth
	entry      podAuthEntry
	contents   [][]byte // of the files it names
}

// newPodAuth reads the files.
func newPodAuth(file string, log *slog.Logger) (*podAuth, error) {
	a := &podAuth{file: file, log: log}
	state, err := a.read(nil)
	if err != nil {
		return nil, fmt.Errorf("--pod-auth: %w", err)
	}
	a.current.Store(state)
	return a, nil
}

// find returns what the first entry says that matches a target, nil if none does.
func (a *podAuth) find(t *target.Target) *fetch.Auth {
	for _, r := range a.current.Load().rules {
		if (len(r.namespaces) == 0 || slices.Contains(r.namespaces, t.Namespace)) && r.selector.Matches(labels.Set(t.PodLabels)) {
			return r.auth
		}
	}
	return nil
}

// refresh reads the files again. What was read before stays in use if they are
// not valid. It is meant for one caller at a time.
func (a *podAuth) refresh(context.Context) error {
	before := a.current.Load()
	state, err := a.read(before)
	if err != nil {
		if last := a.failure.Swap(&err); last == nil || (*last).Error() != err.Error() {
			a.log.Error("Changed files of --pod-auth are not used, those from before stay in use", "err", err)
		}
		return nil // the check says it
	}
	a.failure.Store(nil)
	if !slices.EqualFunc(before.contents, state.contents, bytes.Equal) {
		a.current.Store(state)
		a.log.Info("Changed files of --pod-auth are in use", "file", a.file)
	}
	return nil
}

// check warns of files that cannot be used.
func (a *podAuth) check(context.Context) error {
	if err := a.failure.Load(); err != nil {
		return operator.Warning(fmt.Errorf("--pod-auth: %w", *err))
	}
	return nil
}

// collect says whether the files are in use as they are now.
func (a *podAuth) collect(_ context.Context, emit func(operator.Metric)) error {
	up := 1.0
	if a.failure.Load() != nil {
		up = 0
	}
	emit(operator.Metric{
		Name: "kubevitals_pods_auth_up", Help: "Whether the files of --pod-auth are in use as they are now, 0 if those from before are.", Type: metric.Gauge, Value: up,
	})
	return nil
}

// register has an Operator look at the files from time to time.
func (a *podAuth) register(op *operator.Operator) {
	op.Timer("pod-auth", 10*time.Second, a.refresh)
	op.Check(operator.Ready, "pod-auth", a.check)
	op.Collect("pods_auth", a.collect)
}

// read reads all files. What has not changed keeps its connections.
func (a *podAuth) read(before *podAuthState) (*podAuthState, error) {
	data, err := os.ReadFile(a.file)
	if err != nil {
		return nil, err
	}
	entries, err := parsePodAuth(data, filepath.Dir(a.file))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.file, err)
	}
	state := &podAuthState{contents: [][]byte{data}}
	for i, entry := range entries {
		rule, err := newPodAuthRule(entry, before)
		if err != nil {
			return nil, fmt.Errorf("%s: entry %d: %w", a.file, i+1, err)
		}
		state.rules = append(state.rules, rule)
		state.contents = append(state.contents, rule.contents...)
	}
	return state, nil
}

// newPodAuthRule makes an entry work.
func newPodAuthRule(entry podAuthEntry, before *podAuthState) (r podAuthRule, err error) {
	r = podAuthRule{namespaces: entry.Namespaces, entry: entry}
	for _, name := range entry.Namespaces {
		if wrong := validation.ValidateNamespaceName(name, false); len(wrong) > 0 {
			return r, fmt.Errorf("namespaces: %q: %s", name, wrong[0])
		}
	}
	if r.selector, err = labels.Parse(entry.Selector); err != nil {
		return r, fmt.Errorf("selector %q: %w", entry.Selector, err)
	}
	if entry.TLS == (podAuthTLS{}) && entry.TokenFile == "" {
		return r, errors.New("it says nothing: give tls, bearerTokenFile, or both")
	}
	for _, file := range []string{entry.TLS.CA, entry.TLS.Cert, entry.TLS.Key} {
		var data []byte
		if file != "" {
			if data, err = os.ReadFile(file); err != nil {
				return r, err
			}
		}
		r.contents = append(r.contents, data)
	}
	if before != nil {
		for _, old := range before.rules {
			if old.entry.TLS == entry.TLS && old.entry.TokenFile == entry.TokenFile && slices.EqualFunc(old.contents, r.contents, bytes.Equal) {
				r.auth = old.auth
				return r, nil
			}
		}
	}
	r.auth = new(fetch.Auth)
	if entry.TokenFile != "" {
		r.auth.Token = fetch.TokenFile(entry.TokenFile)
		if _, err := r.auth.Token(); err != nil {
			return r, fmt.Errorf("bearerTokenFile: %w", err)
		}
	}
	if entry.TLS != (podAuthTLS{}) {
		r.auth.TLS, err = entry.TLS.config(r.contents[0], r.contents[1], r.contents[2])
	}
	return r, err
}

// config returns the configuration that the contents of the files make.
func (t podAuthTLS) config(ca, cert, key []byte) (*tls.Config, error) {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: t.ServerName,
		InsecureSkipVerify: t.Insecure, // the operator of this process says so
	}
	if t.Insecure && t.CA != "" {
		return nil, errors.New("tls: ca and insecureSkipVerify contradict each other: leave one out")
	}
	if t.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("tls: ca %s has no certificate in PEM form", t.CA)
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		return nil, errors.New("tls: cert and key go together")
	}
	if t.Cert != "" {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("tls: cert %s, key %s: %w", t.Cert, t.Key, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
