package exposition

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// checkMessage compares two messages; NaN equals NaN.
func checkMessage(t *testing.T, what string, got, want *dto.MetricFamily) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Errorf("%s gives\n%s\nwant\n%s", what, prototext.Format(got), prototext.Format(want))
	}
	if unknown := got.ProtoReflect().GetUnknown(); len(unknown) > 0 {
		t.Errorf("%s: unknown fields % x", what, unknown)
	}
}

// TestProtobuf decodes with client_model what we encode.
func TestProtobuf(t *testing.T) {
	eachFamily(t, func(t *testing.T, f metric.Family) {
		data := encode(t, exposition.Protobuf, f)
		want := toDTO(f)

		var message dto.MetricFamily
		r := bytes.NewReader(data)
		if err := (protodelim.UnmarshalOptions{}).UnmarshalFrom(r, &message); err != nil {
			t.Fatal(err)
		}
		if r.Len() > 0 {
			t.Errorf("%d bytes follow the message", r.Len())
		}
		checkMessage(t, "protodelim", &message, want)

		var decoded dto.MetricFamily
		format := expfmt.Format(exposition.Protobuf.ContentType(exposition.AllowUTF8))
		if format.FormatType() != expfmt.TypeProtoDelim {
			t.Errorf("expfmt takes %q for %v", format, format.FormatType())
		}
		if err := expfmt.NewDecoder(bytes.NewReader(data), format).Decode(&decoded); err != nil {
			t.Fatal(err)
		}
		checkMessage(t, "expfmt", &decoded, want)
	})
}

// TestProtobufStream decodes many families of one exposition.
func TestProtobufStream(t *testing.T) {
	var families []metric.Family
	for seed := range uint64(300) {
		families = append(families, newGenerator(seed).family(metric.Type(seed%8)))
	}
	r := bufio.NewReader(bytes.NewReader(encode(t, exposition.Protobuf, families...)))
	for _, f := range families {
		var message dto.MetricFamily
		if err := protodelim.UnmarshalFrom(r, &message); err != nil {
			t.Fatal(err)
		}
		checkMessage(t, f.Name, &message, toDTO(f))
	}
	if err := protodelim.UnmarshalFrom(r, new(dto.MetricFamily)); !errors.Is(err, io.EOF) {
		t.Errorf("after all families: %v, want EOF", err)
	}
}
