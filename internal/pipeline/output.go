package pipeline

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubevitals/kubevitals/internal/otlp/client"
	"github.com/kubevitals/kubevitals/internal/rule"
)

const otlpPath = "spec.output.otlp"

// otlpOutput is spec.output.otlp as it is written, with the values of Secrets.
type otlpOutput struct {
	d    *document
	node *yaml.Node

	protocol, path       string
	endpoint             value
	user, password       value
	basic                bool
	headers              map[string]string
	insecure, skipVerify bool
	ca, cert, key        value
}

// otlp reads spec.output.otlp. It returns nil if anything is wrong with it.
func (d *document) otlp(r rule.Reporter, n *yaml.Node) *Output {
	before := errorsIn(d.found)
	o := &otlpOutput{d: d, node: n, headers: make(map[string]string)}
	at := func(name string) rule.Reporter { return r.In("%s.%s", otlpPath, name) }
	r = r.In(otlpPath)
	r.Fields(n, false, map[string]func(*yaml.Node){
		"protocol": func(n *yaml.Node) {
			if r.Text(&o.protocol)(n); o.protocol != "grpc" && o.protocol != "http" {
				r.Errorf(n, "protocol %q: expected grpc or http", o.protocol)
			}
		},
		"path":           r.Text(&o.path),
		"endpoint":       d.value(at("endpoint"), &o.endpoint),
		"headers":        func(n *yaml.Node) { at("headers").Each(n, func(n *yaml.Node) { o.header(at("headers"), n) }) },
		"tls":            func(n *yaml.Node) { o.tls(at("tls"), n) },
		"authentication": func(n *yaml.Node) { o.authentication(at("authentication"), n) },
	})
	if errorsIn(d.found) > before {
		return nil
	}
	out := o.complete(r)
	if errorsIn(d.found) > before {
		return nil
	}
	return out
}

// header reads one header.
func (o *otlpOutput) header(r rule.Reporter, n *yaml.Node) {
	var name, prefix string
	var v value
	fields := o.d.valueFields(r, &v)
	fields["name"], fields["prefix"] = r.Text(&name), r.Text(&prefix)
	r.Fields(n, false, fields)
	if name == "" {
		r.Errorf(n, "a header has no name")
		return
	}
	o.d.resolve(r.In("%s.headers: header %q", otlpPath, name), &v, n)
	if prefix != "" {
		v.text = prefix + " " + v.text
	}
	o.set(r, n, name, v.text)
}

// set sets a header.
func (o *otlpOutput) set(r rule.Reporter, n *yaml.Node, name, text string) {
	name = http.CanonicalHeaderKey(name)
	if _, twice := o.headers[name]; twice {
		r.Errorf(n, "header %q is there twice", name)
	}
	// The value is not shown, it may be secret. gRPC has no other characters.
	if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
		r.Errorf(n, "header %q: the value has characters that a header cannot have: they must be printable ASCII", name)
	}
	o.headers[name] = text
}

func (o *otlpOutput) authentication(r rule.Reporter, n *yaml.Node) {
	r.Fields(n, false, map[string]func(*yaml.Node){
		"basic": func(n *yaml.Node) {
			o.basic = true
			r.In(otlpPath+".authentication.basic").Fields(n, false, map[string]func(*yaml.Node){
				"user":     o.d.value(r.In(otlpPath+".authentication.basic.user"), &o.user),
				"password": o.d.value(r.In(otlpPath+".authentication.basic.password"), &o.password),
			})
			if o.user.node == nil || o.password.node == nil {
				r.Errorf(n, "basic: give both user and password")
				return
			}
			credentials := base64.StdEncoding.EncodeToString([]byte(o.user.text + ":" + o.password.text))
			o.set(r, n, "Authorization", "Basic "+credentials)
		},
		"oauth2": func(n *yaml.Node) { r.Errorf(n, "oauth2 is not supported: use basic, or a header with a token") },
	})
}

func (o *otlpOutput) tls(r rule.Reporter, n *yaml.Node) {
	r.Fields(n, false, map[string]func(*yaml.Node){
		"insecure":           r.Bool(&o.insecure),
		"insecureSkipVerify": r.Bool(&o.skipVerify),
		"ca":                 o.d.value(r.In(otlpPath+".tls.ca"), &o.ca),
		"cert":               o.d.value(r.In(otlpPath+".tls.cert"), &o.cert),
		"key":                o.d.value(r.In(otlpPath+".tls.key"), &o.key),
	})
	switch {
	case (o.cert.node == nil) != (o.key.node == nil):
		r.Errorf(n, "give both cert and key, or neither")
	case o.cert.text != "" && o.key.text != "":
		if _, err := tls.X509KeyPair(o.cert.pem(), o.key.pem()); err != nil {
			r.Errorf(n, "cert and key cannot be used: %v", err)
		}
	}
	if o.ca.text != "" && !x509.NewCertPool().AppendCertsFromPEM(o.ca.pem()) {
		r.Errorf(n, "ca has no certificate in PEM")
	}
}

// complete returns the configuration of the client.
func (o *otlpOutput) complete(r rule.Reporter) *Output {
	if o.endpoint.node == nil {
		r.Errorf(o.node, "there is no endpoint")
		return nil
	}
	r, n := r.In(otlpPath+".endpoint"), o.endpoint.node
	c := client.Config{
		Endpoint: strings.TrimSpace(o.endpoint.text), Protocol: client.GRPC, Headers: o.headers,
		Insecure: o.insecure, SkipVerify: o.skipVerify, CA: o.ca.pem(), Cert: o.cert.pem(), Key: o.key.pem(),
	}
	if o.protocol == "http" {
		c.Protocol, c.AllSignals = client.HTTP, o.path == ""
	}
	switch scheme, _, ok := strings.Cut(c.Endpoint, "://"); {
	case c.Endpoint == "":
		r.Errorf(n, "it is empty")
		return nil
	case ok && scheme != "http" && scheme != "https":
		r.Errorf(n, "neither a URL with http or https nor a host and a port")
		return nil
	case scheme == "https" && ok && o.insecure:
		r.Errorf(n, "it says https, and tls.insecure says no TLS: choose one")
	case o.path != "" && c.Protocol == client.GRPC:
		r.In(otlpPath).Errorf(o.node, "path is for the protocol http")
	case o.path != "":
		c.Endpoint = withPath(c.Endpoint, o.path)
	}
	if err := c.Validate(); err != nil {
		if o.endpoint.secret {
			err = fmt.Errorf("what the Secret has cannot be used: expected a URL, or a host and a port, and headers with valid names")
		}
		r.Errorf(n, "%v", err)
	}
	return &Output{Client: c}
}

// withPath appends a path to an endpoint. One that is no URL stays as it is, and
// is refused later.
func withPath(endpoint, path string) string {
	const some = "https://"
	whole := endpoint
	if !strings.Contains(endpoint, "://") {
		whole = some + endpoint
	}
	u, err := url.Parse(whole)
	if err != nil {
		return endpoint
	}
	text := u.JoinPath(path).String()
	if whole != endpoint {
		text = strings.TrimPrefix(text, some)
	}
	return text
}

// value is a text of a document, or of a Secret that it refers to.
type value struct {
	node                 *yaml.Node // nil if there is none
	text                 string
	from                 *yaml.Node // the reference, if any
	namespace, name, key string     // of the reference
	secret               bool
}

// value reads a value and what it refers to.
func (d *document) value(r rule.Reporter, v *value) func(*yaml.Node) {
	return func(n *yaml.Node) {
		r.Fields(n, false, d.valueFields(r, v))
		d.resolve(r, v, n)
	}
}

// valueFields are the fields of a value.
func (d *document) valueFields(r rule.Reporter, v *value) map[string]func(*yaml.Node) {
	return map[string]func(*yaml.Node){
		"value": r.Text(&v.text),
		"valueFrom": func(n *yaml.Node) {
			r.Fields(n, false, map[string]func(*yaml.Node){
				"secretKeyRef": func(n *yaml.Node) {
					v.from = n
					r.Fields(n, false, map[string]func(*yaml.Node){
						"namespace": r.Text(&v.namespace), "name": r.Text(&v.name), "key": r.Text(&v.key),
					})
				},
			})
		},
	}
}

// resolve fetches what a value refers to.
func (d *document) resolve(r rule.Reporter, v *value, n *yaml.Node) {
	v.node = n
	switch {
	case v.from == nil:
		if v.text == "" {
			r.Errorf(n, "there is neither a value nor a valueFrom.secretKeyRef")
		}
		return
	case v.text != "":
		r.Errorf(n, "give either value or valueFrom, not both")
		return
	case v.namespace == "" || v.name == "" || v.key == "":
		r.Errorf(v.from, "a secretKeyRef needs name, namespace and key")
		return
	case d.secrets == nil:
		r.Errorf(v.from, "Secrets cannot be read without a cluster: give the value itself")
		return
	}
	v.secret = true
	data, err := d.secrets(v.namespace, v.name, v.key)
	switch v.text = strings.TrimRight(string(data), "\r\n"); {
	case err != nil:
		r.Errorf(v.from, "Secret %s/%s, key %q: %v", v.namespace, v.name, v.key, err)
	case v.text == "":
		r.Errorf(v.from, "Secret %s/%s, key %q: it is empty", v.namespace, v.name, v.key)
	}
}

// pem returns the text as PEM, of which line breaks may be written as \n. It is nil
// if there is none.
func (v *value) pem() []byte {
	if v.text == "" {
		return nil
	}
	return bytes.ReplaceAll([]byte(v.text), []byte(`\n`), []byte("\n"))
}
