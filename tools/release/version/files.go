package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

const (
	rock  = "rockcraft.yaml"
	chart = "deploy/chart/Chart.yaml"
)

var (
	rockVersion   = regexp.MustCompile(`(?m)^version: "([^"]*)"`)
	chartVersions = regexp.MustCompile(`(?m)^(version: |appVersion: )"?([^"\n]*)"?$`)
)

func setRock(version string) error {
	return replace(rock, rockVersion, 1, `version: "`+strings.TrimPrefix(version, "v")+`"`)
}

// setChart sets the chart's own version and that of the image.
func setChart(version string) error {
	return replace(chart, chartVersions, 2, `${1}"`+strings.TrimPrefix(version, "v")+`"`)
}

// replace replaces lines of a file, of which there must be so many.
func replace(file string, lines *regexp.Regexp, n int, with string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if found := len(lines.FindAll(data, -1)); found != n {
		return fmt.Errorf("%s has %d lines like %s, want %d", file, found, lines, n)
	}
	return os.WriteFile(file, lines.ReplaceAll(data, []byte(with)), 0o644)
}

func checkRock(version string) error  { return check(rock, rockVersion, version) }
func checkChart(version string) error { return check(chart, chartVersions, version) }

// check wants that all lines of a file have a version in their last group.
func check(file string, lines *regexp.Regexp, version string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	found := lines.FindAllSubmatch(data, -1)
	for _, m := range found {
		if "v"+string(m[len(m)-1]) != version {
			found = nil
		}
	}
	if len(found) == 0 {
		return fmt.Errorf("%s is not of version %s: run make set-version VERSION=%s", file, version, version)
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
