package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"
)

// The environment of metrics-k8s-proxy. A flag counts for more, and an empty
// variable for nothing.
const (
	envSelector = "POD_LABEL_SELECTOR"
	envTimeout  = "SCRAPE_TIMEOUT"
	envPort     = "PORT"
)

// basics are what both the flags and the environment can say.
type basics struct {
	selector labels.Selector
	timeout  time.Duration
}

// environment completes the flags by the environment. What is wrong is named by
// where it comes from.
func (f *podsFlags) environment() (b basics, err error) {
	b.selector, err = f.podSelector()
	timeout, timeoutErr := f.scrapeTimeout()
	b.timeout = timeout
	return b, errors.Join(err, timeoutErr, f.address())
}

// given returns what a flag or, if that was not given, a variable says, and what
// that is called; name is empty if neither was given.
func (f *podsFlags) given(flag, variable string) (name, value string) {
	if f.set.Changed(flag) {
		return "--" + flag, f.set.Lookup(flag).Value.String()
	}
	if value = os.Getenv(variable); value != "" {
		return variable, value
	}
	return "", ""
}

func (f *podsFlags) podSelector() (labels.Selector, error) {
	name, text := f.given("selector", envSelector)
	switch {
	case name == "":
		return nil, fmt.Errorf("there is no label selector: say which pods to scrape, by --selector or the environment variable %s, such as app=web", envSelector)
	case strings.TrimSpace(text) == "":
		return nil, fmt.Errorf("%s is set to nothing: %s", name, selectorHint)
	}
	selector, err := labels.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w; write it as for kubectl get -l, such as app=web,tier in (a,b)", name, text, err)
	}
	if selector.Empty() {
		return nil, fmt.Errorf("%s %q selects all pods: %s", name, text, selectorHint)
	}
	return selector, nil
}

// selectorHint says what to write as a selector that has to be there.
const selectorHint = "give labels, such as app=web, or, for all pods with the annotation prometheus.io/scrape, a label that none has: '!not-scraped'"

func (f *podsFlags) scrapeTimeout() (time.Duration, error) {
	name, text := f.given("timeout", envTimeout)
	if name == "" {
		return f.timeout, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%s %q: expected a time that is more than 0, with its unit, such as 9s", name, text)
	}
	return d, nil
}

// address decides where to serve.
func (f *podsFlags) address() error {
	if f.set.Changed("listen") {
		return nil
	}
	name, text := f.given("port", envPort)
	if name == "" {
		return nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return fmt.Errorf("%s %q: expected a port, which is a number from 1 to 65535", name, text)
	}
	f.serve.listen, f.serve.listenFlag = fmt.Sprintf(":%d", port), name
	return nil
}
