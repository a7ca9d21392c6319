package cli

import (
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubevitals/kubevitals/internal/pods/target"
)

// podsFlags are the flags of the command pods, and where it looks for what no
// flag says.
type podsFlags struct {
	serve      serveFlags
	set        *pflag.FlagSet
	kubeconfig string
	selector   string
	timeout    time.Duration
	port       int
	choose     chooseFlags
	ask        askFlags
	treat      treatFlags
	push       pushFlags
}

// chooseFlags say which pods are scraped, and under which labels.
type chooseFlags struct {
	namespaces        []string
	ownNamespace      bool
	namespaceSelector string
	fieldSelector     string
	node              string
	cidrs             []string
	shard             string
	ipFamily          string
	hostPorts         string
	reservedPorts     []int
	pathAllow         string
	readyOnly         bool
	terminating       string
	stale             time.Duration
	labels            []string
	podLabel          string
	namespaceLabel    string
	limit             int
}

// askFlags say how pods are asked.
type askFlags struct {
	body, wire, budget quantity
	concurrency        int
	compression        bool
	auth               string
}

// treatFlags say what becomes of what pods answer.
type treatFlags struct {
	families, samples, labels, nameLength, valueLength, buckets int

	collisions    string
	timestamps    bool
	invalid       string
	fallback      string
	reports       bool
	allow, deny   []string
	relabel       string
	aggregate     []string
	aggregateKeep []string
}

// The defaults that are those of metrics-k8s-proxy.
const (
	defaultPodsPort    = 15090
	defaultPodsTimeout = 9 * time.Second
)

// add adds the flags to a command.
func (f *podsFlags) add(cmd *cobra.Command) {
	f.set = cmd.Flags()
	f.serve.listen = fmt.Sprintf(":%d", defaultPodsPort)
	f.serve.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig file (default $KUBECONFIG, ~/.kube/config, or the pod's ServiceAccount)")
	flags.StringVar(&f.selector, "selector", "", "scrape pods with these labels, such as app=web,tier in (a,b) (default $POD_LABEL_SELECTOR; one of both is needed)")
	flags.DurationVar(&f.timeout, "timeout", defaultPodsTimeout, "the most that a scrape of pods takes, if the scraper does not hang up earlier; $SCRAPE_TIMEOUT is the same")
	flags.IntVar(&f.port, "port", defaultPodsPort, "port to serve on, at all addresses; $PORT is the same")
	cmd.MarkFlagsMutuallyExclusive("listen", "port")
	f.choose.add(cmd)
	f.ask.add(flags)
	f.treat.add(cmd)
	f.push.add(cmd, "kubevitals-pods")
}

func (f *chooseFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.namespaces, "namespaces", nil, "scrape pods of these namespaces only (default all)")
	flags.BoolVar(&f.ownNamespace, "own-namespace", false, "scrape pods of the namespace only that this runs in, or of --namespaces as well")
	flags.StringVar(&f.namespaceSelector, "namespace-selector", "", "scrape pods of namespaces with these labels only")
	flags.StringVar(&f.fieldSelector, "field-selector", "", "scrape pods with these fields only, such as spec.serviceAccountName=web")
	flags.StringVar(&f.node, "node-name", "", "scrape pods of this node only, for a DaemonSet, in whose args it is --node-name=$(NODE_NAME)")
	flags.StringArrayVar(&f.cidrs, "pod-cidr", nil, "ask addresses in this network only, such as 10.244.0.0/16 (repeatable; default all that are not loopback, link-local or multicast)")
	flags.StringVar(&f.shard, "shard", "", "scrape one of several equal shares of the pods: INDEX/COUNT, from 0, or auto/COUNT for the ordinal of a StatefulSet's pod")
	flags.StringVar(&f.ipFamily, "ip-family", "", "address to ask of pods that have both: ipv4 or ipv6 (default the pod's first)")
	flags.StringVar(&f.hostPorts, "host-ports", "declared", "which ports of pods on the network of their node may be asked: declared, any or none")
	flags.IntSliceVar(&f.reservedPorts, "reserved-ports", nil, "ports never to ask at the address of a node, beside those of the kubelet and the control plane")
	flags.StringVar(&f.pathAllow, "path-allow", "", "regular expression that paths of pods must match as a whole, with the query (default all paths)")
	flags.BoolVar(&f.readyOnly, "ready-only", false, "scrape pods that are ready only")
	flags.StringVar(&f.terminating, "terminating", "grace", "pods that are being deleted: grace scrapes them until their grace period is over, scrape as long as they run, drop not at all")
	flags.DurationVar(&f.stale, "stale-after", 5*time.Minute, "not to be ready when nothing was heard of the API server for this long; the pods that are known are scraped all the same")
	flags.StringArrayVar(&f.labels, "target-label", nil, "further label of all samples, NAME=SOURCE: "+target.Sources()+" (repeatable)")
	flags.StringVar(&f.podLabel, "pod-name-label", "k8s_pod_name", "name of the label with the pod's name")
	flags.StringVar(&f.namespaceLabel, "namespace-label", "k8s_namespace", "name of the label with the pod's namespace")
	flags.IntVar(&f.limit, "target-limit", 0, "most targets to scrape, those of the oldest pods (default 0: no limit)")
	fixedValues(cmd, "ip-family", "ipv4", "ipv6")
	fixedValues(cmd, "host-ports", "declared", "any", "none")
	fixedValues(cmd, "terminating", "grace", "scrape", "drop")
}

func (f *askFlags) add(flags *pflag.FlagSet) {
	f.body, f.wire, f.budget = 16<<20, 4<<20, 512<<20
	flags.Var(&f.body, "body-size-limit", "most that a pod may send, uncompressed")
	flags.Var(&f.wire, "wire-size-limit", "most that a pod may send compressed")
	flags.Var(&f.budget, "budget", "most memory for what pods send, of all scrapes at once")
	flags.IntVar(&f.concurrency, "concurrency", 64, "how many pods to ask at once; a pod that does not answer stops counting after 250ms")
	flags.BoolVar(&f.compression, "compression", false, "ask pods to compress, for slow networks")
	flags.StringVar(&f.auth, "pod-auth", "", "YAML file with the TLS and the tokens to use with pods, by namespace and labels; read again when it changes")
}

func (f *treatFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&f.families, "family-limit", 10_000, "most metric families of a target, 0 for no limit")
	flags.IntVar(&f.samples, "sample-limit", 0, "most samples of a target (default 0: no limit)")
	flags.IntVar(&f.labels, "label-limit", 0, "most labels of a sample (default 0: no limit)")
	flags.IntVar(&f.nameLength, "label-name-length-limit", 0, "longest name of a label in bytes (default 0: no limit)")
	flags.IntVar(&f.valueLength, "label-value-length-limit", 0, "longest value of a label in bytes (default 0: no limit)")
	flags.IntVar(&f.buckets, "native-histogram-bucket-limit", 0, "most buckets of a native histogram (default 0: no limit)")
	flags.StringVar(&f.collisions, "label-collisions", "rename", "labels of pods that are called as those of the target: rename puts exported_ before the name, honor keeps the pod's, drop leaves it out")
	flags.BoolVar(&f.timestamps, "honor-timestamps", true, "keep the timestamps of samples")
	flags.StringVar(&f.invalid, "invalid-lines", "fail", "what an invalid line costs: fail its target, or drop the line")
	flags.StringVar(&f.fallback, "fallback-format", "", "what an answer is taken for whose Content-Type says nothing of metrics: text, openmetrics or protobuf (default: the target fails)")
	flags.BoolVar(&f.reports, "scrape-reports", true, "give the scrape_* series of each target, and not only up")
	flags.StringSliceVar(&f.allow, "allow", nil, "families to keep, with * for any characters (default all)")
	flags.StringSliceVar(&f.deny, "deny", nil, "families to leave out, with * for any characters")
	flags.StringVar(&f.relabel, "metric-relabel-configs", "", "YAML file with a list of rules as in Prometheus' metric_relabel_configs")
	flags.StringArrayVar(&f.aggregate, "aggregate", nil, "combine the samples of all pods, FAMILY=OP, such as http_requests_total=sum; OP is sum, max, min, avg or count (repeatable)")
	flags.StringSliceVar(&f.aggregateKeep, "aggregate-by", nil, "with --aggregate, labels of the target to keep apart, such as k8s_namespace")
	fixedValues(cmd, "label-collisions", "rename", "honor", "drop")
	fixedValues(cmd, "invalid-lines", "fail", "drop")
	fixedValues(cmd, "fallback-format", "text", "openmetrics", "protobuf")
}

// quantity is a number of bytes, such as 16Mi.
type quantity int64

// String returns the number with the largest unit that fits.
func (q *quantity) String() string {
	return resource.NewQuantity(int64(*q), resource.BinarySI).String()
}

// Set reads a quantity of Kubernetes.
func (q *quantity) Set(s string) error {
	parsed, err := resource.ParseQuantity(s)
	if err != nil {
		return fmt.Errorf("expected a number of bytes, such as 16Mi: %w", err)
	}
	n := parsed.Value()
	if n < 1 || n == math.MaxInt64 {
		return fmt.Errorf("expected a number of bytes from 1, such as 16Mi")
	}
	*q = quantity(n)
	return nil
}

// Type names the type in help texts.
func (*quantity) Type() string { return "bytes" }
