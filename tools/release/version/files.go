package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

const rock = "rockcraft.yaml"

var rockVersion = regexp.MustCompile(`(?m)^version: "([^"]*)"`)

func setRock(version string) error {
	data, err := os.ReadFile(rock)
	if err != nil {
		return err
	}
	if !rockVersion.Match(data) {
		return fmt.Errorf(`%s has no line 'version: "..."'`, rock)
	}
	line := `version: "` + strings.TrimPrefix(version, "v") + `"`
	return os.WriteFile(rock, rockVersion.ReplaceAllLiteral(data, []byte(line)), 0o644)
}

func checkRock(version string) error {
	data, err := os.ReadFile(rock)
	if err != nil {
		return err
	}
	if m := rockVersion.FindSubmatch(data); m == nil || "v"+string(m[1]) != version {
		return fmt.Errorf("%s is not of version %s: run make set-version VERSION=%s", rock, version, version)
	}
	return nil
}

const (
	changes = "CHANGELOG.md"
	pending = "## Unreleased\n"
)

// setChanges gives what is pending the name of the version, and leaves room for
// what comes. A version that has a section keeps it.
func setChanges(version string) error {
	data, err := os.ReadFile(changes)
	if err != nil {
		return err
	}
	text := string(data)
	if _, ok := section(text, version); ok {
		return nil
	}
	before, after, ok := strings.Cut(text, pending)
	if !ok {
		return fmt.Errorf("%s has no line %q", changes, strings.TrimSpace(pending))
	}
	return os.WriteFile(changes, []byte(before+pending+"\n## "+version+"\n"+after), 0o644)
}

func checkChanges(version string) error {
	_, err := readChanges(version)
	return err
}

// readChanges returns the section of a version without its heading.
func readChanges(version string) (string, error) {
	data, err := os.ReadFile(changes)
	if err != nil {
		return "", err
	}
	text, ok := section(string(data), version)
	if !ok {
		return "", fmt.Errorf("%s has no section %s: run make set-version VERSION=%s", changes, version, version)
	}
	if strings.TrimSpace(text) == "" {
		return "", errors.New(changes + ": the section " + version + " is empty: say what a user sees")
	}
	return text, nil
}

func section(text, version string) (string, bool) {
	_, after, ok := strings.Cut(text, "\n## "+version+"\n")
	if !ok {
		return "", false
	}
	after, _, _ = strings.Cut(after, "\n## ")
	return strings.TrimLeft(after, "\n"), true
}
