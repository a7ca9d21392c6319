package operator_test

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
)

// TestSelfMetricsFromTheStart runs in a bubble, where a call takes 0 seconds.
func TestSelfMetricsFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		o.Collect("c", emits())
		o.AddPart("p", renders("a"))
		o.Daemon("d", func(context.Context) error { return nil })
		want := `# TYPE a gauge
a 1
# HELP operator_collector_duration_seconds How long the last finished call of the collector took.
# TYPE operator_collector_duration_seconds gauge
operator_collector_duration_seconds{collector="c"} 0
operator_collector_duration_seconds{collector="p"} 0
# HELP operator_collector_failures_total Calls of the collector that gave nothing, by reason.
# TYPE operator_collector_failures_total counter
operator_collector_failures_total{collector="c",reason="busy"} 0
operator_collector_failures_total{collector="c",reason="error"} 0
operator_collector_failures_total{collector="c",reason="limit"} 0
operator_collector_failures_total{collector="c",reason="panic"} 0
operator_collector_failures_total{collector="c",reason="timeout"} 0
operator_collector_failures_total{collector="p",reason="busy"} 0
operator_collector_failures_total{collector="p",reason="error"} 0
operator_collector_failures_total{collector="p",reason="limit"} 0
operator_collector_failures_total{collector="p",reason="panic"} 0
operator_collector_failures_total{collector="p",reason="timeout"} 0
# HELP operator_collector_up Whether the collector has given its samples to this scrape.
# TYPE operator_collector_up gauge
operator_collector_up{collector="c"} 1
operator_collector_up{collector="p"} 1
# HELP operator_daemon_restarts_total Restarts of the daemon after an error or a panic.
# TYPE operator_daemon_restarts_total counter
operator_daemon_restarts_total{daemon="d"} 0
# HELP operator_daemon_running Whether the daemon runs, 0 while it waits for its next start.
# TYPE operator_daemon_running gauge
operator_daemon_running{daemon="d"} 0
# HELP operator_samples_dropped_total Samples of the collector that could not be exposed, by reason.
# TYPE operator_samples_dropped_total counter
operator_samples_dropped_total{collector="c",reason="conflict"} 0
operator_samples_dropped_total{collector="c",reason="duplicate"} 0
operator_samples_dropped_total{collector="c",reason="invalid"} 0
operator_samples_dropped_total{collector="p",reason="conflict"} 0
operator_samples_dropped_total{collector="p",reason="duplicate"} 0
operator_samples_dropped_total{collector="p",reason="invalid"} 0
`
		if got := scrape(t, o); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
		om := scrape(t, o, "Accept", "application/openmetrics-text")
		wantLines(t, om,
			"# TYPE operator_collector_failures counter",
			"# UNIT operator_collector_duration_seconds seconds",
			"# TYPE operator_daemon_restarts counter",
			"# EOF")
	})
}

func TestSelfMetricsPrefix(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Collect("c", emits(gauge("a", 1)))
	o.SelfMetrics("kubevitals")
	body := scrape(t, o)
	wantLines(t, body, "a 1", `kubevitals_collector_up{collector="c"} 1`)
	if strings.Contains(body, "operator_") {
		t.Errorf("the old prefix is still there:\n%s", body)
	}
	o.SelfMetrics("")
	if got, want := scrape(t, o), "# TYPE a gauge\na 1\n"; got != want {
		t.Errorf("switched off: %q, want %q", got, want)
	}
}

// TestSelfMetricsNamesAreFreeElsewhere: only the names in use are taken.
func TestSelfMetricsNamesAreFreeElsewhere(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Collect("c", emits(gauge("operator_collector_up", 7), gauge("operator_queue", 1), gauge("x_collector_up", 8), gauge("_collector_up", 9)))
	wantLines(t, scrape(t, o), "operator_queue 1", "x_collector_up 8", up("c", 1), droppedLine("c", "conflict", 1))
	o.SelfMetrics("x")
	wantLines(t, scrape(t, o), "operator_queue 1", "operator_collector_up 7", `x_collector_up{collector="c"} 1`)
	o.SelfMetrics("")
	wantLines(t, scrape(t, o), "operator_queue 1", "operator_collector_up 7", "x_collector_up 8", "_collector_up 9")
}

func TestSelfMetricsWithNothingRegistered(t *testing.T) {
	if got := scrape(t, newOperator(operator.Options{})); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}

func TestSelfMetricsDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		takes := 2 * time.Second
		o.Collect("c", func(context.Context, func(operator.Metric)) error {
			time.Sleep(takes)
			return errors.New("no luck")
		})
		o.Collect("panics", func(context.Context, func(operator.Metric)) error {
			time.Sleep(takes / 2)
			panic("p")
		})
		wantLines(t, scrape(t, o),
			`operator_collector_duration_seconds{collector="c"} 2`,
			`operator_collector_duration_seconds{collector="panics"} 1`)
		takes = 500 * time.Millisecond
		wantLines(t, scrape(t, o), `operator_collector_duration_seconds{collector="c"} 0.5`)
	})
}

// TestSelfMetricsOfTheRest: timers, decisions and the certificate have theirs
// only where they are used.
func TestSelfMetricsOfTheRest(t *testing.T) {
	cert := certificate(t, time.Unix(2_000_000_000, 0))
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
		o.Timer("t", time.Minute, func(context.Context) error { return nil })
		o.Protect(marks("m"))
		stop := background(t, o)
		defer stop()
		const want = `# HELP operator_auth_decisions_total Requests for protected routes, by what became of them.
# TYPE operator_auth_decisions_total counter
operator_auth_decisions_total{result="allowed"} 0
operator_auth_decisions_total{result="forbidden"} 0
operator_auth_decisions_total{result="other"} 0
operator_auth_decisions_total{result="unauthenticated"} 0
operator_auth_decisions_total{result="unavailable"} 0
# HELP operator_cert_expiry_timestamp_seconds When the certificate ends that the server shows.
# TYPE operator_cert_expiry_timestamp_seconds gauge
operator_cert_expiry_timestamp_seconds 2e+09
# HELP operator_timer_failures_total Calls of the timer's function that failed.
# TYPE operator_timer_failures_total counter
operator_timer_failures_total{timer="t"} 0
# HELP operator_timer_last_success_timestamp_seconds When the timer's function last returned without an error.
# TYPE operator_timer_last_success_timestamp_seconds gauge
operator_timer_last_success_timestamp_seconds{timer="t"} 9.466848e+08
`
		if got := scrape(t, o); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
		wantLines(t, scrape(t, o), decisionLine("allowed", 1)) // that scrape was protected
	})
}

// TestSelfMetricsAreReserved, all of them, also while they have no samples.
func TestSelfMetricsAreReserved(t *testing.T) {
	names := []string{
		"auth_decisions_total", "cert_expiry_timestamp_seconds", "collector_duration_seconds", "collector_failures_total", "collector_up",
		"daemon_restarts_total", "daemon_running", "samples_dropped_total", "timer_failures_total", "timer_last_success_timestamp_seconds",
	}
	for _, accept := range []string{allowUTF8, underscores, values, formats["OpenMetrics"]} {
		o := newOperator(operator.Options{})
		o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
			for _, name := range names {
				emit(gauge("operator_"+name, 1, "taken", "yes"))
			}
			return nil
		})
		body := scrape(t, o, "Accept", accept)
		if strings.Contains(body, "taken") {
			t.Errorf("%s: a self-metric's name was taken:\n%s", accept, body)
		}
		wantLines(t, body, up("c", 1), droppedLine("c", "conflict", len(names)))
	}
}
