package otelreceiver

import (
	_ "github.com/google/go-cmp/cmp"
	_ "go.opentelemetry.io/collector/component/componenttest"
	_ "go.opentelemetry.io/collector/confmap"
	_ "go.opentelemetry.io/collector/confmap/xconfmap"
	_ "go.opentelemetry.io/collector/consumer/consumertest"
	_ "go.opentelemetry.io/collector/receiver/receivertest"
	_ "go.uber.org/goleak"
	_ "go.yaml.in/yaml/v3"
	_ "go.uber.org/zap"
)
