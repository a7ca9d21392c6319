package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

const reloadGroup = "reload.e2e.kubevitals.io"

// TestReload changes rules and CRDs while a process is scraped without a pause:
// every single answer has the series of all objects, by the rules of before or
// of after a change.
func TestReload(t *testing.T) {
	if os.Getenv(controlplane.ClusterVariable) != "" {
		t.Skipf("makes too many objects for the cluster that %s names", controlplane.ClusterVariable)
	}
	c, err := controlplane.Start(t.Context(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	t.Run("watch", func(t *testing.T) {
		plain := filepath.Join(t.TempDir(), "kubevitals") // as in TestManyRoutes, without the race detector
		if err := program.Build(t.Context(), plain); err != nil {
			t.Fatal(err)
		}
		testReload(t, c, plain, "watch", kind{group: reloadGroup, name: "Thing"}, 10_000)
	})
	t.Run("scrape", func(t *testing.T) {
		testReload(t, c, binary, "scrape", kind{group: reloadGroup, name: "Piece"}, 1_000)
	})
}

func testReload(t *testing.T, c *controlplane.ControlPlane, binary, mode string, k kind, n int) {
	apply(t, c, []*unstructured.Unstructured{k.crd()})
	objects := make([]*unstructured.Unstructured, n)
	for i := range objects {
		objects[i] = k.object("default", fmt.Sprintf("o-%05d", i), map[string]any{"size": int64(i)})
	}
	create(t, c, k, objects)

	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rules.yaml", revision(k, 1))
	p := program.Start(t, binary, "state", "--kubeconfig", c.Kubeconfig(), "--collect="+mode, "--rules", dir)
	p.WaitReady(t)
	loops := []*scraper{
		startScraper(t, p, n, http.Header{"Accept-Encoding": {"gzip"}}),
		startScraper(t, p, n, http.Header{"Accept-Encoding": {"identity"}}),
	}
	// until waits until each scraper has seen something.
	until := func(what string, ok func(text string) error) {
		t.Helper()
		for _, s := range loops {
			program.Poll(t, what, func() error { return ok(s.last()) })
		}
	}
	rev := func(want int) func(string) error {
		return func(text string) error {
			if !strings.Contains(text, fmt.Sprintf("rev=\"%d\"", want)) {
				return fmt.Errorf("no series of revision %d", want)
			}
			return has(text, "kubevitals_rules_last_reload_successful 1")
		}
	}
	// more lets each scraper finish some scrapes that begin from now on.
	more := func() {
		t.Helper()
		for _, s := range loops {
			enough := s.count() + 4
			program.Poll(t, "more scrapes", func() error {
				if got := s.count(); got < enough {
					return fmt.Errorf("%d of %d", got, enough)
				}
				return nil
			})
		}
	}

	until("the first rules", rev(1))
	write("rules.yaml", revision(k, 2))
	until("a label and a family more", rev(2))

	write("rules.yaml", strings.Replace(revision(k, 3), "object.spec.size", "object.spec.size +", 1))
	until("the refusal", func(text string) error {
		return errors.Join(has(text, "kubevitals_rules_last_reload_successful 0"), has(text, `kubevitals_rules_valid{rules="files"} 0`))
	})
	more()
	code, body := p.Get(t, "/readyz?verbose", nil)
	if code != http.StatusOK || !strings.Contains(string(body), "rules.yaml:") || !strings.Contains(string(body), "from before stay in use") {
		t.Errorf("with refused rules: /readyz is %d %s", code, body)
	}
	if n := len(lines(p.Output.String(), "Rules are refused", "rules.yaml:")); n != 1 {
		t.Errorf("%d lines of the log say that the rules are refused:\n%s", n, p.Output)
	}

	write("rules.yaml", revision(k, 4))
	until("good rules again", rev(4))
	if code, body := p.Get(t, "/readyz?verbose", nil); code != http.StatusOK || strings.Contains(string(body), "rules.yaml:") {
		t.Errorf("with good rules again: /readyz is %d %s", code, body)
	}
	for i := 5; i < 9; i++ { // some before those from before are in use
		write("rules.yaml", revision(k, i))
		program.Poll(t, "the change to be noticed", func() error {
			if n := len(lines(p.Output.String(), "Rules are accepted")); n < i-2 {
				return fmt.Errorf("%d changes are accepted", n)
			}
			return nil
		})
	}
	until("the last of several changes", rev(8))

	write("more.yaml", discovering)
	until("a second file", func(text string) error { return has(text, "kubevitals_rules_last_reload_successful 1") })
	extra := kind{group: "extra." + reloadGroup, name: "Extra"}
	changeCRDs(t, c, k, extra, until, more)
	if mode == "watch" { // the kind of before comes again
		changeCRDs(t, c, k, extra, until, more)
	}
	if err := os.Remove(filepath.Join(dir, "more.yaml")); err != nil {
		t.Fatal(err)
	}
	write("rules.yaml", revision(k, 9))
	until("the first file alone", rev(9))

	total, failed := 0, 0
	for _, s := range loops {
		s.stop()
		total, failed = total+s.scrapes, failed+len(s.errs)
		if len(s.errs) > 0 {
			t.Errorf("%v: %d of %d scrapes are wrong, such as: %v", s.header, len(s.errs), s.scrapes, errors.Join(s.errs[:min(5, len(s.errs))]...))
		}
		t.Logf("%v: %d scrapes of %d objects, by revision of the rules %v", s.header, s.scrapes, n, s.revisions)
	}
	t.Logf("%s: %d scrapes, %d failed or partial", mode, total, failed)
}

// changeCRDs adds a CRD, touches that of the objects and its own, and removes it.
func changeCRDs(t *testing.T, c *controlplane.ControlPlane, k, extra kind, until func(string, func(string) error), more func()) {
	t.Helper()
	apply(t, c, []*unstructured.Unstructured{extra.crd()})
	apply(t, c, []*unstructured.Unstructured{extra.object("default", "one", map[string]any{})})
	until("objects of a new kind", func(text string) error {
		if n := len(lines(text, "e2e_extra_info{")); n != 1 {
			return fmt.Errorf("%d series", n)
		}
		return nil
	})
	client := dynamicClient(t, c).Resource(crds)
	patch := func(k kind, patch string) {
		t.Helper()
		if _, err := client.Patch(t.Context(), k.crdName(), types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range []kind{k, extra} {
		patch(k, `{"metadata":{"labels":{"touched":"yes"},"annotations":{"touched":"yes"}}}`)
		more()
		patch(k, `{"metadata":{"labels":{"touched":null},"annotations":{"touched":null}}}`)
		more()
	}
	mark, err := c.Mark()
	if err != nil {
		t.Fatal(err)
	}
	changed := k.crd()
	versions, _, _ := unstructured.NestedSlice(changed.Object, "spec", "versions")
	fields := versions[0].(map[string]any)["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any)["properties"].(map[string]any)
	fields["note"] = map[string]any{"type": "string", "description": fmt.Sprintf("Version %d.", mark)}
	if err := unstructured.SetNestedSlice(changed.Object, versions, "spec", "versions"); err != nil {
		t.Fatal(err)
	}
	apply(t, c, []*unstructured.Unstructured{changed})
	// The API server ends all watches of a kind whose schema has changed.
	program.Poll(t, "kubevitals to ask for the kind anew", func() error {
		for _, r := range requests(t, c, mark) {
			if r.Resource == k.plural() && (r.Verb == "list" || r.Begun) {
				return nil
			}
		}
		return errors.New("it has not")
	})
	more()
	uninstall(t, c, extra)
	until("the removed kind to be gone", func(text string) error {
		if n := len(lines(text, "e2e_extra_info{")); n != 0 {
			return fmt.Errorf("%d series", n)
		}
		return nil
	})
	more()
}

// revision returns rules that differ from those of other revisions: in the label
// rev of each series, and in having a second family or not.
func revision(k kind, rev int) string {
	out := fmt.Sprintf(`apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
metadata: {name: reload}
spec:
  resources:
  - groupVersionKind: {group: %s, kind: %s}
    metricNamePrefix: e2e_thing
    labels: {name: object.metadata.name, rev: "'%d'"}
    metrics:
    - {name: size, help: Size., value: object.spec.size}
`, k.group, k.name, rev)
	if rev%2 == 0 {
		out += fmt.Sprintf("    - {name: even_info, help: Even., type: info, labels: {extra%d: object.metadata.namespace}}\n", rev)
	}
	return out
}

const discovering = `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
metadata: {name: extra}
spec:
  resources:
  - discover: {groups: ["extra.*"]}
    labels: {name: object.metadata.name}
    metrics:
    - {name: e2e_extra_info, help: Extra., type: info}
`

// scraper scrapes without a pause and looks at each answer.
type scraper struct {
	header http.Header
	n      int // objects
	cancel context.CancelFunc
	done   chan struct{}

	mu        sync.Mutex
	text      string // of the last answer
	scrapes   int
	errs      []error
	rev       int // of the last answer
	revisions map[int]int
}

func startScraper(t *testing.T, p *program.Process, n int, header http.Header) *scraper {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &scraper{header: header, n: n, cancel: cancel, done: make(chan struct{}), revisions: map[int]int{}}
	transport := &http.Transport{DisableCompression: true}
	go func() {
		defer close(s.done)
		defer transport.CloseIdleConnections()
		for ctx.Err() == nil {
			text, err := get(ctx, &http.Client{Transport: transport}, p.URL+"/metrics", header)
			if ctx.Err() == nil {
				s.take(text, err)
			}
		}
	}()
	t.Cleanup(s.stop)
	return s
}

func (s *scraper) stop() {
	s.cancel()
	<-s.done
}

// get returns an exposition, uncompressed.
func get(ctx context.Context, client *http.Client, url string, header http.Header) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Header = header
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d", resp.StatusCode)
	}
	compressed := resp.Header.Get("Content-Encoding")
	if want := header.Get("Accept-Encoding"); want == "gzip" != (compressed == "gzip") {
		return "", fmt.Errorf("asked for %s, got %q", want, compressed)
	}
	body := io.Reader(resp.Body)
	if compressed == "gzip" {
		if body, err = gzip.NewReader(resp.Body); err != nil {
			return "", err
		}
	}
	text, err := io.ReadAll(body)
	return string(text), err
}

// take checks an answer.
func (s *scraper) take(text string, err error) {
	rev := 0
	if err == nil {
		rev, err = completeRevision(text, s.n)
	}
	if err == nil && s.count()%16 == 0 {
		parser := expfmt.NewTextParser(model.LegacyValidation)
		_, err = parser.TextToMetricFamilies(bytes.NewReader([]byte(text)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && rev < s.rev {
		err = fmt.Errorf("revision %d after %d", rev, s.rev)
	}
	if s.scrapes++; err != nil {
		s.errs = append(s.errs, fmt.Errorf("scrape %d: %w", s.scrapes, err))
		return
	}
	s.text, s.rev = text, rev
	s.revisions[rev]++
}

func (s *scraper) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text
}

func (s *scraper) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scrapes
}

// completeRevision returns the one revision of the rules that all series of an
// exposition are of, if each of n objects has its series of each family.
func completeRevision(text string, n int) (int, error) {
	rev := -1
	families := map[string][]bool{}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "e2e_thing_") {
			continue
		}
		family, rest, _ := strings.Cut(line, "{")
		_, name, ok := strings.Cut(rest, `name="o-`)
		_, number, labelled := strings.Cut(rest, `rev="`)
		if !ok || !labelled || len(name) < 6 {
			return 0, fmt.Errorf("odd line %q", line)
		}
		index, err := strconv.Atoi(name[:5])
		if err != nil {
			return 0, err
		}
		number, _, _ = strings.Cut(number, `"`)
		got, err := strconv.Atoi(number)
		if err != nil {
			return 0, err
		}
		if rev < 0 {
			rev = got
		}
		if got != rev {
			return 0, fmt.Errorf("revisions %d and %d in one scrape", rev, got)
		}
		if family == "e2e_thing_even_info" && !strings.Contains(rest, fmt.Sprintf(`extra%d="default"`, rev)) {
			return 0, fmt.Errorf("odd line %q", line)
		}
		if families[family] == nil {
			families[family] = make([]bool, n)
		}
		if families[family][index] {
			return 0, fmt.Errorf("twice: %q", line)
		}
		families[family][index] = true
	}
	want := map[bool]int{true: 2, false: 1}[rev%2 == 0]
	if len(families) != want {
		return 0, fmt.Errorf("%d families of revision %d, want %d", len(families), rev, want)
	}
	for family, found := range families {
		missing := 0
		for _, yes := range found {
			if !yes {
				missing++
			}
		}
		if missing > 0 || strings.Count(text, "# TYPE "+family+" ") != 1 {
			return 0, fmt.Errorf("%d of %d objects are missing in %s, or its type is", missing, n, family)
		}
	}
	return rev, nil
}
