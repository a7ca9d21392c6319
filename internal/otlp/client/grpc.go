package client

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
)

// reconnect is how long the connection waits after a failure. That of requests is
// the caller's, who should not find a connection that waits still longer.
var reconnect = backoff.Config{BaseDelay: time.Second, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second}

type grpcClient struct {
	config Config
	conn   *grpc.ClientConn
	client pmetricotlp.GRPCClient
	opts   []grpc.CallOption
}

func newGRPC(c Config, d destination) (Client, error) {
	creds := insecure.NewCredentials()
	if d.tls {
		config, err := c.tlsConfig(d.host)
		if err != nil {
			return nil, err
		}
		creds = credentials.NewTLS(config)
	}
	conn, err := grpc.NewClient(d.target,
		grpc.WithTransportCredentials(creds), grpc.WithUserAgent(c.UserAgent), grpc.WithStatsHandler(sentHandler{}),
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: c.Timeout}),
	)
	if err != nil {
		return nil, fmt.Errorf("OTLP endpoint %q: %w", c.Endpoint, err)
	}
	g := &grpcClient{config: c, conn: conn, client: pmetricotlp.NewGRPCClient(conn)}
	if !c.Plain {
		g.opts = append(g.opts, grpc.UseCompressor(gzip.Name))
	}
	return g, nil
}

// Close ends the connection.
func (g *grpcClient) Close() error {
	return g.conn.Close()
}

// Export sends metrics in one call.
func (g *grpcClient) Export(ctx context.Context, md pmetric.Metrics) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, g.config.Timeout)
	defer cancel()
	if len(g.config.Headers) > 0 {
		headers := make(metadata.MD, len(g.config.Headers))
		for name, value := range g.config.Headers {
			headers.Set(strings.ToLower(name), value)
		}
		ctx = metadata.NewOutgoingContext(ctx, headers)
	}
	sent := new(atomic.Bool)
	ctx = context.WithValue(ctx, sentKey{}, sent)
	resp, err := g.client.Export(ctx, pmetricotlp.NewExportRequestFromMetrics(md), g.opts...)
	if err != nil {
		e := ofGRPC(err)
		e.Unsent = !sent.Load()
		return Result{}, e
	}
	p := resp.PartialSuccess()
	return said(p.RejectedDataPoints(), p.ErrorMessage()), nil
}

type sentKey struct{}

// sentHandler notes whether a call has sent anything.
type sentHandler struct{}

func (sentHandler) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (sentHandler) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if _, ok := s.(*stats.OutHeader); !ok {
		return
	}
	if sent, ok := ctx.Value(sentKey{}).(*atomic.Bool); ok {
		sent.Store(true)
	}
}

func (sentHandler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (sentHandler) HandleConn(context.Context, stats.ConnStats) {}
