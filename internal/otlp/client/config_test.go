package client

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestDestination(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   destination
		bad    string
	}{
		{config: Config{Endpoint: "http://h:4318", AllSignals: true}, want: destination{HTTP, "http://h:4318/v1/metrics", "", "h", false}},
		{config: Config{Endpoint: "http://h:4318"}, want: destination{HTTP, "http://h:4318/", "", "h", false}},
		{config: Config{Endpoint: "https://h/x/", AllSignals: true}, want: destination{HTTP, "https://h/x/v1/metrics", "", "h", true}},
		{config: Config{Endpoint: "https://h/x", AllSignals: true}, want: destination{HTTP, "https://h/x/v1/metrics", "", "h", true}},
		{config: Config{Endpoint: "https://h/x?y=z"}, want: destination{HTTP, "https://h/x?y=z", "", "h", true}},
		{config: Config{Endpoint: "http://h:4317", AllSignals: true}, want: destination{GRPC, "", "h:4317", "h", false}},
		{config: Config{Endpoint: "http://h:4317", Protocol: HTTP, AllSignals: true}, want: destination{HTTP, "http://h:4317/v1/metrics", "", "h", false}},
		{config: Config{Endpoint: "https://h", Protocol: GRPC}, want: destination{GRPC, "", "h:443", "h", true}},
		{config: Config{Endpoint: "https://[::1]:9", Protocol: GRPC, Insecure: true}, want: destination{GRPC, "", "[::1]:9", "::1", true}},
		{config: Config{Endpoint: "h:4317"}, want: destination{GRPC, "", "h:4317", "h", true}},
		{config: Config{Endpoint: "h:4317", Insecure: true}, want: destination{GRPC, "", "h:4317", "h", false}},
		{config: Config{Endpoint: "h:4318", Protocol: HTTP, Insecure: true, AllSignals: true}, want: destination{HTTP, "http://h:4318/v1/metrics", "", "h", false}},
		{config: Config{Endpoint: "h:4318", Protocol: HTTP, AllSignals: true}, want: destination{HTTP, "https://h:4318/v1/metrics", "", "h", true}},
		{config: Config{Endpoint: "unix:///run/x", Insecure: true}, want: destination{GRPC, "", "unix:///run/x", "localhost", false}},
		{bad: "there is none"},
		{config: Config{Endpoint: "ftp://h"}, bad: "scheme"},
		{config: Config{Endpoint: "http://"}, bad: "no host"},
		{config: Config{Endpoint: "http://h h"}, bad: "invalid"},
		{config: Config{Endpoint: ":4317"}, bad: "neither"},
		{config: Config{Endpoint: "http://h", Protocol: "http/json"}, bad: "http/json"},
		{config: Config{Endpoint: "http://h", CertFile: "x"}, bad: "both"},
		{config: Config{Endpoint: "http://h", Headers: map[string]string{"a b": "c"}}, bad: "a b"},
	} {
		got, err := c.config.destination()
		if err == nil {
			err = c.config.Validate()
		}
		if c.bad != "" {
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%+v: error %v, want one with %q", c.config, err, c.bad)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(destination{})); diff != "" || err != nil {
			t.Errorf("%+v: %v (-want +got):\n%s", c.config, err, diff)
		}
	}
}

func TestFromEnvironment(t *testing.T) {
	general := "OTEL_EXPORTER_OTLP_"
	for _, c := range []struct {
		name string
		env  map[string]string
		want Config
		bad  string
	}{
		{name: "nothing"},
		{
			name: "general",
			env: map[string]string{
				general + "ENDPOINT": "http://h", general + "PROTOCOL": "grpc", general + "HEADERS": "a=b%20c, d=e=f", general + "TIMEOUT": "1500",
				general + "COMPRESSION": "none", general + "INSECURE": "true", general + "CERTIFICATE": "ca", general + "CLIENT_CERTIFICATE": "crt",
				general + "CLIENT_KEY": "key",
			},
			want: Config{
				Endpoint: "http://h", AllSignals: true, Protocol: GRPC, Headers: map[string]string{"a": "b c", "d": "e=f"}, Timeout: 1500 * time.Millisecond,
				Plain: true, Insecure: true, CAFile: "ca", CertFile: "crt", KeyFile: "key",
			},
		}, {
			name: "that of metrics wins, one by one",
			env: map[string]string{
				general + "ENDPOINT": "http://h", general + "METRICS_ENDPOINT": "http://m", general + "TIMEOUT": "1", general + "METRICS_TIMEOUT": "2",
				general + "COMPRESSION": "none", general + "METRICS_COMPRESSION": "gzip", general + "HEADERS": "a=b", general + "METRICS_HEADERS": "c=d",
				general + "PROTOCOL": "http/protobuf", general + "METRICS_INSECURE": "",
			},
			want: Config{Endpoint: "http://m", Timeout: 2 * time.Millisecond, Headers: map[string]string{"c": "d"}, Protocol: HTTP},
		},
		{name: "protocol", env: map[string]string{general + "METRICS_PROTOCOL": "http/json"}, bad: `METRICS_PROTOCOL: "http/json"`},
		{name: "timeout", env: map[string]string{general + "TIMEOUT": "10s"}, bad: `OTLP_TIMEOUT: "10s"`},
		{name: "compression", env: map[string]string{general + "COMPRESSION": "zstd"}, bad: "gzip and none"},
		{name: "insecure", env: map[string]string{general + "INSECURE": "perhaps"}, bad: "perhaps"},
		{name: "headers", env: map[string]string{general + "HEADERS": "secret"}, bad: "header 1"},
	} {
		got, err := FromEnvironment(func(name string) string { return c.env[name] })
		if c.bad != "" {
			if err == nil || !strings.Contains(err.Error(), c.bad) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: error %v, want one with %q", c.name, err, c.bad)
			}
			continue
		}
		if c.want.Endpoint == "" || strings.HasPrefix(c.want.Endpoint, "http://h") {
			c.want.AllSignals = true
		}
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "x": 0, "99999999": MaxAfter, now.Add(30 * time.Second).Format(http.TimeFormat): 30 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	for _, s := range []string{"a=b,c=d%20e", "a", "=", "a=%zz", ",,", "a=b=c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		headers, err := ParseHeaders(text)
		if err == nil {
			err = Config{Endpoint: "http://h", Headers: headers}.Validate()
		} else {
			err = nil
		}
		if err != nil {
			t.Errorf("%q: accepted, and then %v", text, err)
		}
	})
}
