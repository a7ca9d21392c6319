package controlplane

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseAuditLog(t *testing.T) {
	const log = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","stage":"ResponseStarted","requestURI":"/api/v1/pods?watch=true","verb":"watch","user":{"username":"u"},"userAgent":"a/1","objectRef":{"resource":"pods","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"2026-01-02T03:04:05.000006Z","stageTimestamp":"2026-01-02T03:04:06.000000Z"}
{"stage":"ResponseComplete","requestURI":"/apis/g/v1/namespaces/n/things/x/status","verb":"update","objectRef":{"resource":"things","subresource":"status"},"responseStatus":{"code":409}}
{"stage":"ResponseStarted","requestURI":"/version","verb":"get","responseStatus":{"code":401}}
{"stage":"ResponseComp`
	got, err := parseAuditLog([]byte(log))
	if err != nil {
		t.Fatal(err)
	}
	want := []Request{
		{
			Time: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), User: "u", UserAgent: "a/1", Verb: "watch",
			URI: "/api/v1/pods?watch=true", Resource: "pods", Code: 200, Begun: true,
		},
		{Verb: "update", URI: "/apis/g/v1/namespaces/n/things/x/status", Resource: "things", Subresource: "status", Code: 409},
		{Verb: "get", URI: "/version", Code: 401},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if _, err := parseAuditLog([]byte("{}\nno\n")); err == nil {
		t.Error("a broken line is no error")
	}
}
