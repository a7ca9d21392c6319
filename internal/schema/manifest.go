package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// documents splits a YAML stream at its document markers, so that one broken
// document does not take the others with it.
func documents(data []byte) [][]byte {
	var out [][]byte
	start := 0
	for at := 0; at < len(data); {
		end := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if line := data[at:end]; bytes.HasPrefix(line, []byte("---")) && (len(line) == 3 || strings.IndexByte(" \t\r\n", line[3]) >= 0) {
			if len(bytes.TrimSpace(data[start:at])) > 0 {
				out = append(out, data[start:at])
			}
			start = at + 3
		}
		at = end
	}
	return append(out, data[start:])
}

// eachObject calls read with each object of a document, as JSON. The document is
// YAML, or JSON values one after the other.
func eachObject(document []byte, read func(object []byte) error) error {
	if trimmed := bytes.TrimSpace(document); bytes.HasPrefix(trimmed, []byte("{")) {
		objects, err := values(trimmed)
		if err == nil || len(objects) > 0 {
			errs := make([]error, 0, len(objects)+1)
			for _, object := range objects {
				errs = append(errs, read(object))
			}
			return errors.Join(append(errs, err)...)
		}
		// It may be YAML that looks like JSON.
	}
	if err := checkYAML(document); err != nil {
		return err
	}
	object, err := yaml.YAMLToJSON(document)
	if err != nil {
		return err
	}
	if object = bytes.TrimSpace(object); bytes.Equal(object, []byte("null")) {
		return nil
	}
	if !bytes.HasPrefix(object, []byte("{")) {
		return errors.New("it is not an object")
	}
	return read(object)
}

// values returns the JSON values of a document, up to the first that is none.
func values(document []byte) ([]json.RawMessage, error) {
	var out []json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(document))
	for {
		var v json.RawMessage
		err := decoder.Decode(&v)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, v)
	}
}

var (
	anchor = regexp.MustCompile(`&[0-9A-Za-z_-]+`)
	alias  = regexp.MustCompile(`\*[0-9A-Za-z_-]+`)
)

// checkYAML refuses what a small document could grow large by: an alias of an
// anchor. Text may look like either, but hardly like both with one name. Other
// encodings than UTF-8 would hide them.
func checkYAML(document []byte) error {
	if !utf8.Valid(document) {
		return errors.New("it is not UTF-8")
	}
	anchors := make(map[string]bool)
	for _, a := range anchor.FindAll(document, -1) {
		anchors[string(a[1:])] = true
	}
	if len(anchors) == 0 {
		return nil
	}
	for _, a := range alias.FindAll(document, -1) {
		if anchors[string(a[1:])] {
			return fmt.Errorf("YAML aliases are not supported: %s", a)
		}
	}
	return nil
}
