package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// podAuthEntry is an entry of the file of --pod-auth.
type podAuthEntry struct {
	Namespaces []string   `yaml:"namespaces"`
	Selector   string     `yaml:"selector"`
	TLS        podAuthTLS `yaml:"tls"`
	TokenFile  string     `yaml:"bearerTokenFile"`
}

type podAuthTLS struct {
	CA         string `yaml:"ca"`
	Cert       string `yaml:"cert"`
	Key        string `yaml:"key"`
	ServerName string `yaml:"serverName"`
	Insecure   bool   `yaml:"insecureSkipVerify"`
}

// parsePodAuth reads the entries of a file in the folder dir, which is where
// relative names of files begin.
func parsePodAuth(data []byte, dir string) ([]podAuthEntry, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	var entries []podAuthEntry
	if err := decoder.Decode(&entries); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("expected a list of entries with namespaces, selector, tls and bearerTokenFile: %w", plainYAML(err))
	}
	if len(entries) == 0 {
		return nil, errors.New("the file has no entries: write a list of them, or leave the flag out")
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("the file has several documents: write one list of entries")
	}
	for i := range entries {
		e := &entries[i]
		for _, file := range []*string{&e.TLS.CA, &e.TLS.Cert, &e.TLS.Key, &e.TokenFile} {
			if *file != "" && !filepath.IsAbs(*file) {
				*file = filepath.Join(dir, *file)
			}
		}
	}
	return entries, nil
}

var (
	yamlUnknown = regexp.MustCompile(`field (.*) not found in type \S+$`)
	yamlType    = regexp.MustCompile("cannot unmarshal !!(\\w+)( `.*`)? into (\\S+)$")
)

// yamlKinds are what values are called of the types that a podAuthEntry is made of.
var yamlKinds = map[string]string{
	"[]cli.podAuthEntry": "a list of entries", "cli.podAuthEntry": "an entry with fields", "cli.podAuthTLS": "ca, cert, key, serverName and insecureSkipVerify",
	"[]string": "a list of texts", "string": "a text", "bool": "true or false",
	"map": "a mapping", "seq": "a list", "str": "the text", "int": "the number", "float": "the number", "null": "nothing",
}

// plainYAML says in the words of who has written a file what is wrong in it, and not
// in those of Go.
func plainYAML(err error) error {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) {
		return err
	}
	var errs []error
	for _, text := range wrong.Errors {
		text = yamlUnknown.ReplaceAllString(text, "there is no field $1")
		if m := yamlType.FindStringSubmatch(text); m != nil {
			has, wants := m[1], m[3]
			if kind, ok := yamlKinds[has]; ok {
				has = kind
			}
			if kind, ok := yamlKinds[wants]; ok {
				wants = kind
			}
			text = yamlType.ReplaceAllLiteralString(text, "expected "+wants+", and not "+has+m[2])
		}
		errs = append(errs, errors.New(text))
	}
	return errors.Join(errs...)
}
