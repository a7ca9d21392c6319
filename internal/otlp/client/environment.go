package client

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
)

// FromEnvironment returns the configuration of the variables
// OTEL_EXPORTER_OTLP_METRICS_* and OTEL_EXPORTER_OTLP_*, of which the former win,
// one by one. lookup is [os.Getenv]; an empty value is none. Endpoint is empty if
// no variable names one.
func FromEnvironment(lookup func(string) string) (Config, error) {
	e := environment{lookup: lookup}
	var c Config
	c.Endpoint = lookup(metricsPrefix + "ENDPOINT")
	if c.Endpoint == "" {
		c.Endpoint, c.AllSignals = lookup(generalPrefix+"ENDPOINT"), true
	}
	c.CAFile, _ = e.get("CERTIFICATE")
	c.CertFile, _ = e.get("CLIENT_CERTIFICATE")
	c.KeyFile, _ = e.get("CLIENT_KEY")
	e.read("PROTOCOL", func(v string) error {
		if c.Protocol = Protocol(v); c.Protocol != GRPC && c.Protocol != HTTP {
			return fmt.Errorf("the protocols are grpc and http/protobuf")
		}
		return nil
	})
	e.read("HEADERS", func(v string) (err error) {
		c.Headers, err = ParseHeaders(v)
		return err
	})
	e.read("TIMEOUT", func(v string) (err error) {
		c.Timeout, err = Milliseconds(v)
		return err
	})
	e.read("COMPRESSION", func(v string) error {
		if v != "gzip" && v != "none" {
			return fmt.Errorf("compressions are gzip and none")
		}
		c.Plain = v == "none"
		return nil
	})
	e.read("INSECURE", func(v string) (err error) {
		c.Insecure, err = strconv.ParseBool(v)
		return err
	})
	return c, e.err
}

const (
	generalPrefix = "OTEL_EXPORTER_OTLP_"
	metricsPrefix = generalPrefix + "METRICS_"
)

type environment struct {
	lookup func(string) string
	err    error // the first
}

// get returns the value of a variable and the name that it was found under.
func (e *environment) get(name string) (value, variable string) {
	if v := e.lookup(metricsPrefix + name); v != "" {
		return v, metricsPrefix + name
	}
	return e.lookup(generalPrefix + name), generalPrefix + name
}

func (e *environment) read(name string, set func(string) error) {
	value, variable := e.get(name)
	if value == "" {
		return
	}
	if err := set(value); err != nil {
		if name != "HEADERS" { // which may be secret
			err = fmt.Errorf("%q: %w", value, err)
		}
		e.err = cmp.Or(e.err, fmt.Errorf("environment variable %s: %w", variable, err))
	}
}

// Milliseconds reads a time as OpenTelemetry's variables have it.
func Milliseconds(text string) (time.Duration, error) {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms <= 0 || ms > int64(24*time.Hour/time.Millisecond) {
		return 0, fmt.Errorf("not a number of milliseconds, 1 to those of a day")
	}
	return time.Duration(ms) * time.Millisecond, nil
}
