package otelreceiver

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"

	"github.com/kubevitals/kubevitals/internal/otlp/client"
)

// format is what the collector's own metrics say that metrics were received as.
const format = "kubevitals"

// nextConsumer is the next consumer of a pipeline as a [client.Client].
type nextConsumer struct {
	next   consumer.Metrics
	report *receiverhelper.ObsReport
}

func newNext(settings receiver.Settings, next consumer.Metrics) (*nextConsumer, error) {
	report, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: settings.ID, Transport: "internal", LongLivedCtx: true, ReceiverCreateSettings: settings,
	})
	if err != nil {
		return nil, err
	}
	return &nextConsumer{next, report}, nil
}

// Export hands metrics over. A consumer that changes what it gets is given a copy:
// the same metrics are handed over again if it refuses them for now.
func (n *nextConsumer) Export(ctx context.Context, md pmetric.Metrics) (client.Result, error) {
	points := md.DataPointCount()
	if n.next.Capabilities().MutatesData {
		own := pmetric.NewMetrics()
		md.CopyTo(own)
		md = own
	}
	ctx = n.report.StartMetricsOp(ctx)
	err := n.next.ConsumeMetrics(ctx, md)
	n.report.EndMetricsOp(ctx, format, points, err)
	if err != nil {
		return client.Result{}, client.NewError(kindOf(err), err)
	}
	return client.Result{}, nil
}

// kindOf returns what to do after an error of a consumer.
func kindOf(err error) client.Kind {
	var said *consumererror.Error
	switch {
	case consumererror.IsPermanent(err):
		return client.Refused
	case errors.As(err, &said) && !said.IsRetryable():
		return client.Refused
	default:
		return client.Retry
	}
}

// Close does nothing: the pipeline is not ours.
func (*nextConsumer) Close() error { return nil }
