package otelreceiver

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
)

// Type is what the receiver is called in the configuration of a collector.
var Type = component.MustNewType("kubevitals_state")

// stability is that of the metrics.
const stability = component.StabilityLevelAlpha

// NewFactory returns what makes receivers. It is what the builder of a collector
// calls.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(Type, defaultConfig, receiver.WithMetrics(newMetrics, stability))
}

// defaultConfig returns the configuration with its defaults.
func defaultConfig() component.Config {
	return &Config{
		CELBudget:          250 * time.Millisecond,
		Collect:            collectWatch,
		DiscoveryInterval:  10 * time.Second,
		CollectionInterval: time.Minute,
		MinInterval:        5 * time.Second,
		RetryInterval:      time.Second,
		Resource:           resourceNone,
		SelfMetrics:        true,
		MaxSeries:          1_000_000,
	}
}

// newMetrics is a [receiver.CreateMetricsFunc].
func newMetrics(_ context.Context, settings receiver.Settings, config component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	c, ok := config.(*Config)
	if !ok {
		return nil, fmt.Errorf("%s: a configuration of type %T, expected *otelreceiver.Config", Type, config)
	}
	return newReceiver(c, settings, next)
}
