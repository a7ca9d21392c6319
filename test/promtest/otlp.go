package promtest

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/storage/remote"
)

// OTLPPath is where a Prometheus takes metrics by OTLP.
const OTLPPath = "/api/v1/otlp/v1/metrics"

// OTLP returns the handler with which a Prometheus takes metrics by OTLP, in its
// default configuration.
func (s *Server) OTLP() http.Handler {
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return remote.NewOTLPWriteHandler(log, prometheus.NewRegistry(), s.db, func() config.Config { return config.DefaultConfig }, remote.OTLPOptions{})
}
