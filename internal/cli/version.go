package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// A release stamps these by -ldflags "-X ...": a version such as v1.2.3, the
// whole hash of the commit, and its time as RFC 3339.
var version, commit, date string

// currentVersion returns the stamped version, else what the Go toolchain knows.
func currentVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return cmp.Or(version, "unknown")
	}
	known := info.Main.Version
	if known == "(devel)" {
		known = setting(info, "vcs.revision")
	}
	return cmp.Or(version, known, "development")
}

// origin returns the commit and its time, as far as they are known.
func origin() (revision, when string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return commit, date
	}
	return cmp.Or(commit, setting(info, "vcs.revision")), cmp.Or(date, setting(info, "vcs.time"))
}

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// versionLine is what "kubevitals version" prints.
func versionLine() string {
	var details []string
	revision, when := origin()
	if revision != "" {
		details = append(details, "commit "+revision)
	}
	if when != "" {
		details = append(details, when)
	}
	details = append(details, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH)
	return fmt.Sprintf("kubevitals %s (%s)", currentVersion(), strings.Join(details, ", "))
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), versionLine())
			return err
		},
	}
}
