package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/store"
)

var apiResource = schema.GroupResource{Resource: "apis"}

// ClusterConfig says which cluster to read, and for which rules.
type ClusterConfig struct {
	REST *rest.Config
	// Set asks for kinds; Store takes their objects.
	Set   *rule.Set
	Store *store.Store
	Log   *slog.Logger
	// Poll is how often Watch asks what the cluster serves, unless it may
	// watch for it. The default is 10 seconds.
	Poll time.Duration
	// Cache is how long Scrape serves the last answer before it asks again.
	Cache time.Duration
	// Namespaces are the only ones to read, each on its own, so that
	// permissions for them are enough. Kinds outside of namespaces are read
	// all the same.
	Namespaces []string
	// NamespacesDenylist are namespaces not to read, when Namespaces is empty.
	NamespacesDenylist []string
	// APIServerCache makes Scrape take what the API server has in its cache.
	APIServerCache bool
}

// Cluster reads objects from an API server. Use either [Cluster.Watch] or
// [Cluster.Scrape].
type Cluster struct {
	ClusterConfig
	discoverer *discoverer
	objects    dynamic.Interface
	metadata   metadata.Interface
	requests   *requestCounter
	needs      rule.Needs
	kinds      kinds
	poke       chan struct{}

	scraping chan struct{} // holds one token: one Scrape or Discover at a time; guards the next three
	scraped  map[slot]scrapedKind
	finished time.Time // the end of the last Scrape
	last     time.Time // of the last Scrape in which all went well

	mu           sync.Mutex
	discovered   bool
	discoveryErr error
	learnErr     error  // why less is known of kinds than rules ask
	reconciled   bool   // watchers run for what was discovered
	wanted       int    // kinds that objects have looked up, as of then
	absent       string // kinds that rules name and the cluster does not serve
}

// ErrNoCluster says that nothing names a cluster.
var ErrNoCluster = errors.New("no cluster")

// Config returns the configuration of the cluster to read: the named file, else
// $KUBECONFIG, else ~/.kube/config, else the mounted ServiceAccount; else it is
// [ErrNoCluster].
func Config(kubeconfig string) (*rest.Config, error) {
	return ConfigContext(kubeconfig, "")
}

// ConfigContext is [Config] with the context of a name instead of the current one,
// unless the name is empty.
func ConfigContext(kubeconfig, name string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: name}).ClientConfig()
	if clientcmd.IsEmptyConfig(err) && kubeconfig != "" {
		return nil, fmt.Errorf("--kubeconfig %s: the file has no cluster, or no current context", kubeconfig)
	}
	if env := os.Getenv(clientcmd.RecommendedConfigPathEnvVar); clientcmd.IsEmptyConfig(err) && env != "" {
		return nil, fmt.Errorf("$KUBECONFIG is %s: there is no such file, or it has no current context", env)
	}
	if clientcmd.IsEmptyConfig(err) {
		return nil, ErrNoCluster
	}
	if err != nil {
		return nil, fmt.Errorf("loading the kubeconfig: %w", err)
	}
	return config, nil
}

// NewCluster returns a cluster. It makes no request.
func NewCluster(c ClusterConfig) (*Cluster, error) {
	if c.Poll <= 0 {
		c.Poll = 10 * time.Second
	}
	out := &Cluster{requests: newRequestCounter()}
	out.start(c)
	config := rest.CopyConfig(c.REST)
	config.QPS = -1 // requests are few, and a scrape must not queue behind itself
	config.Wrap(out.requests.wrap)
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the client: %w", err)
	}
	if out.discoverer, err = newDiscoverer(config, client); err != nil {
		return nil, fmt.Errorf("preparing discovery: %w", err)
	}
	if out.objects, err = dynamic.NewForConfigAndClient(config, client); err != nil {
		return nil, fmt.Errorf("preparing the client: %w", err)
	}
	if out.metadata, err = metadata.NewForConfigAndClient(config, client); err != nil {
		return nil, fmt.Errorf("preparing the client: %w", err)
	}
	return out, nil
}

// With returns the same cluster for other rules and another store. Clients and
// counts of requests are shared.
func (c *Cluster) With(set *rule.Set, s *store.Store) *Cluster {
	out := &Cluster{objects: c.objects, metadata: c.metadata, requests: c.requests}
	out.discoverer = c.discoverer.clone()
	config := c.ClusterConfig
	config.Set, config.Store = set, s
	out.start(config)
	return out
}

func (c *Cluster) start(config ClusterConfig) {
	c.ClusterConfig = config
	c.needs = config.Set.Needs()
	c.kinds = kinds{documents: make(map[string]document)}
	c.poke, c.scraping = make(chan struct{}, 1), make(chan struct{}, 1)
	c.scraped = make(map[slot]scrapedKind)
}

// requestTimeout ends requests that have no other limit: a server that accepts
// connections and says nothing must not be waited for.
const requestTimeout = 15 * time.Second

// discover asks what the cluster serves and notes the outcome.
func (c *Cluster) discover(ctx context.Context) (served, bool, error) {
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	s, changed, err := c.discoverer.discover(ctx, c.needs.Core || c.wantsCore())
	if err == nil && (c.needs.Labels || c.needs.Fields) {
		learned, learnErr := c.learn(ctx, s)
		changed = changed || learned
		c.noteLearned(learnErr)
	}
	if err == nil && changed {
		c.noteAbsent(s)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && ctx.Err() != nil && parent.Err() != nil {
		return s, changed, err // nobody wants to know any more
	}
	if err != nil && (c.discoveryErr == nil || c.discoveryErr.Error() != err.Error()) {
		c.Log.Error("Cluster does not answer, trying again", "err", err)
	}
	c.discovered = c.discovered || err == nil
	c.discoveryErr = err
	return s, changed, err
}

// wantsCore reports whether an object of the core group has been looked up.
func (c *Cluster) wantsCore() bool {
	return slices.ContainsFunc(c.Store.Wanted(), func(k rule.GVK) bool { return k.Group == "" })
}

// Discovered reports why it is not known yet what the cluster serves.
func (c *Cluster) Discovered(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.discovered && c.discoveryErr != nil:
		return c.discoveryErr
	case !c.discovered:
		return errors.New("the cluster has not been asked yet")
	}
	return nil
}

// noteLearned keeps why less is known of kinds than rules ask, and logs a new
// reason. What is known from before stays; rules that need more find no kinds.
func (c *Cluster) noteLearned(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && (c.learnErr == nil || c.learnErr.Error() != err.Error()) {
		c.Log.Error("Kinds that rules describe cannot be found", "err", err)
	}
	c.learnErr = err
}

// Warning returns why rules may find fewer kinds than there are, or nil.
func (c *Cluster) Warning() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.learnErr
}

// noteAbsent tells which kinds the rules name and the cluster does not serve, if
// they are others than before.
func (c *Cluster) noteAbsent(s served) {
	var absent []string
	for _, k := range c.Set.Kinds() {
		found := false
		for key := range s {
			found = found || key.group == k.Group && (k.Kind == "*" || key.kind == k.Kind)
		}
		if !found {
			absent = append(absent, k.String())
		}
	}
	text := strings.Join(absent, ", ")
	c.mu.Lock()
	defer c.mu.Unlock()
	if text != c.absent && text != "" {
		c.Log.Info("Kinds of the rules that the cluster does not serve are picked up when it does", "kinds", text)
	}
	c.absent = text
}

// noteReconciled notes that there are watchers for what was discovered, with so
// many kinds looked up.
func (c *Cluster) noteReconciled(wanted int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reconciled, c.wanted = true, wanted
}

// Listed reports why the objects of a watched cluster are not all known yet: it
// is not known what it serves, or a kind has been neither listed nor refused.
func (c *Cluster) Listed(ctx context.Context) error { return c.listed(ctx, false) }

// Tried is Listed, but a kind that has answered with an error is known as well
// as it will be for now.
func (c *Cluster) Tried(ctx context.Context) error { return c.listed(ctx, true) }

func (c *Cluster) listed(ctx context.Context, tried bool) error {
	if err := c.Discovered(ctx); err != nil {
		return err
	}
	c.Store.Settle() // objects may look up more once they have found the first
	wanted := len(c.Store.Wanted())
	c.mu.Lock()
	reconciled := c.reconciled && c.wanted >= wanted
	c.mu.Unlock()
	if !reconciled {
		return errors.New("what the cluster serves is not listed yet")
	}
	for _, k := range c.Store.Status() {
		if !k.Answered && k.Err != "" && tried {
			continue
		}
		if !k.Answered && k.Err != "" {
			return fmt.Errorf("%s is not listed: %s", k.GVK, k.Err)
		}
		if !k.Answered {
			return fmt.Errorf("%s is not listed yet", k.GVK)
		}
	}
	return nil
}

// Err returns why the cluster did not answer when it was last asked what it
// serves, or that it has not been asked.
func (c *Cluster) Err() error {
	if err := c.Discovered(context.Background()); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.discoveryErr
}

var _ http.RoundTripper = countingTransport{}
