package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ksmFlags are the flags of kube-state-metrics, as far as they mean something
// here; ksmTable has all of them.
type ksmFlags struct {
	// compat says that the program was called as kube-state-metrics: then what
	// is not said is as it is there.
	compat bool

	inline, options               string
	customResourcesOnly           bool
	goOnWithout, goOnWithoutRules bool

	host, telemetryHost           string
	port, telemetryPort           int
	read, write, idle, readHeader time.Duration
	gzip                          bool
	tlsConfig                     string
	auth                          bool

	namespaces, namespacesDenylist commaList
	allow, deny, resources         commaList
	apiserver                      string
	apiserverCache                 bool

	shard             int32
	totalShards       int
	pod, podNamespace string
	memoryLimit       bool
	toStderr          bool
	memoryLimitRatio  float64
	verbosity         verbosity

	set      *pflag.FlagSet
	missing  []string // files to go on without
	warnings []ksmWarning
}

// ksmWarning says what to know about a flag that was given.
type ksmWarning struct {
	flag, text string
}

func (f *ksmFlags) warn(flag, format string, args ...any) {
	f.warnings = append(f.warnings, ksmWarning{flag, fmt.Sprintf(format, args...)})
}

// add defines all flags of kube-state-metrics that the command has not of its
// own. They are not in its help; if it stands in for
// that tool, those with a meaning are.
func (f *ksmFlags) add(cmd *cobra.Command) {
	f.set = cmd.Flags()
	for _, flag := range ksmTable(f) {
		if flag.bind == nil {
			continue
		}
		flag.define(f.set)
		f.set.Lookup(flag.name).Hidden = !flag.listed && (!f.compat || flag.warning != "")
	}
	for _, both := range [][]string{
		{"listen", "port"}, {"listen", "host"}, {"log-level", "v"}, {"auth", "auth-filter"},
		{"tls-config", "web.config.file", "tls-cert", "tls-self-signed"}, {"tls-config", "tls-client-ca"},
		{"from", "apiserver"}, {"from", "use-apiserver-cache"},
	} {
		cmd.MarkFlagsMutuallyExclusive(both...)
	}
	for _, file := range []string{"tls-config", "config"} {
		if err := cmd.MarkFlagFilename(file, "yaml", "yml"); err != nil {
			panic("BUG: " + err.Error())
		}
	}
}

// given reports whether one of the flags was given.
func (f *ksmFlags) given(names ...string) bool {
	for _, name := range names {
		if f.set.Changed(name) {
			return true
		}
	}
	return false
}

// ksmFlag is a flag of kube-state-metrics.
type ksmFlag struct {
	name string
	// option is its name in the file of --config, if it has one.
	option string
	// bind is where its value goes; nil if the command has this flag anyway.
	bind any
	// here is what it does here, for people who know what it does there.
	here string
	// warning is what to know when it is given.
	warning string
	// listed says that it stands in the help of kubevitals state.
	listed bool
}

// define adds the flag, with the value that it has as its default.
func (k ksmFlag) define(set *pflag.FlagSet) {
	usage := strings.NewReplacer("`", "", "as there", "as in "+ksmName).Replace(k.here)
	switch p := k.bind.(type) {
	case *bool:
		set.BoolVar(p, k.name, *p, usage)
	case *int:
		set.IntVar(p, k.name, *p, usage)
	case *int32:
		set.Int32Var(p, k.name, *p, usage)
	case *int64:
		set.Int64Var(p, k.name, *p, usage)
	case *uint64:
		set.Uint64Var(p, k.name, *p, usage)
	case *float64:
		set.Float64Var(p, k.name, *p, usage)
	case *string:
		set.StringVar(p, k.name, *p, usage)
	case *time.Duration:
		set.DurationVar(p, k.name, *p, usage)
	case *commaList:
		set.Var(p, k.name, usage)
	case *verbosity:
		set.VarP(p, k.name, k.name, usage)
	default:
		panic(fmt.Sprintf("BUG: flag --%s has a value of type %T", k.name, k.bind))
	}
}

// verbosity is how much klog is to say; its flag has one letter.
type verbosity int32

// Set parses a level.
func (v *verbosity) Set(value string) error {
	n, err := strconv.ParseInt(value, 10, 32)
	*v = verbosity(n)
	return err
}

// String returns the level as Set takes it.
func (v *verbosity) String() string { return strconv.Itoa(int(*v)) }

// Type is what help calls the value.
func (v *verbosity) Type() string { return "int" }

// commaList is a list of words that kube-state-metrics separates with commas,
// whatever they contain. Giving the flag again adds to it.
type commaList []string

var _ pflag.SliceValue = (*commaList)(nil)

// Set adds words.
func (l *commaList) Set(value string) error {
	for word := range strings.SplitSeq(value, ",") {
		if word = strings.TrimSpace(word); word != "" {
			*l = append(*l, word)
		}
	}
	return nil
}

// String returns the words as Set takes them.
func (l *commaList) String() string { return strings.Join(*l, ",") }

// Type is what help calls the value.
func (l *commaList) Type() string { return "strings" }

// Append adds words.
func (l *commaList) Append(value string) error { return l.Set(value) }

// Replace sets the words.
func (l *commaList) Replace(values []string) error {
	*l = nil
	return l.Set(strings.Join(values, ","))
}

// GetSlice returns the words.
func (l *commaList) GetSlice() []string { return *l }
