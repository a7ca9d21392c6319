package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/ruletest"
	"github.com/kubevitals/kubevitals/internal/source"
)

// testNow is when ages are computed in tests that do not say, so that what they
// expect stays.
var testNow = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// testFlags are the flags of the command test.
type testFlags struct {
	eval    evalFlags
	run     string
	update  bool
	verbose bool
}

func newTest() *cobra.Command {
	f := &testFlags{eval: evalFlags{now: testNow}}
	cmd := &cobra.Command{
		Use:   "test FILE|DIR...",
		Short: "Test rules: objects and the metrics they must give, in one file",
		Long: `Test rules. A test is one text file in the txtar format with rules, objects and the
metrics that are expected of them; docs/testing-rules.md describes it. Of a
folder, all files below it that end in .txtar are run.`,
		Example: `  kubevitals test tests/

  # write down what the rules give now, to be read in a diff
  kubevitals test --update tests/`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("test needs tests: name files, or folders with .txtar files")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.test(cmd.OutOrStdout(), args) },
	}
	flags := cmd.Flags()
	f.eval.defineNow(flags, "(default 2026-01-01T00:00:00Z)")
	flags.StringVar(&f.run, "run", "", "run only the tests whose file name this `regexp` matches")
	flags.BoolVar(&f.update, "update", false, "rewrite what is expected, in place, to what the rules give")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "name the tests that pass, too")
	return cmd
}

// test runs the tests of some paths.
func (f *testFlags) test(w io.Writer, paths []string) error {
	files, err := f.files(paths)
	if err != nil {
		return err
	}
	failed := 0
	for _, file := range files {
		shown, err := f.one(file)
		if err != nil {
			shown += err.Error() + "\n"
		}
		switch {
		case shown != "":
			failed++
			_, err = fmt.Fprintf(w, "FAIL  %s\n%s", file, shown)
		case f.verbose:
			_, err = fmt.Fprintf(w, "ok    %s\n", file)
		default:
			err = nil
		}
		if err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d tests failed", failed, len(files))
	}
	_, err = fmt.Fprintf(w, "ok    %d tests\n", len(files))
	return err
}

// files returns the files to run, in order.
func (f *testFlags) files(paths []string) ([]string, error) {
	pattern, err := regexp.Compile(f.run)
	if err != nil {
		return nil, fmt.Errorf("--run: %w", err)
	}
	var files []string
	for _, path := range paths {
		found, err := testFiles(path)
		if err != nil {
			return nil, err
		}
		for _, file := range found {
			if pattern.MatchString(file) {
				files = append(files, file)
			}
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("--run %s: no test file has such a name", f.run)
	}
	return files, nil
}

// testFiles returns a file, or the tests of a folder.
func testFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	var files []string
	// The separator makes it follow a link.
	err = filepath.WalkDir(path+string(filepath.Separator), func(file string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(file) == ".txtar" {
			files = append(files, file)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: the folder has no .txtar file", path)
	}
	return files, err
}

// one runs the test of a file and returns what to show of a failure.
func (f *testFlags) one(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	a, err := ruletest.Read(file, data, f.env())
	if err != nil {
		return "", err
	}
	if f.update {
		if a, err = f.rewrite(file, data, a); err != nil {
			return "", err
		}
	}
	return a.Check()
}

// rewrite updates the file of an archive and returns it as it is then.
func (f *testFlags) rewrite(file string, before []byte, a *ruletest.Archive) (*ruletest.Archive, error) {
	data, err := a.Update()
	if err != nil || bytes.Equal(data, before) {
		return a, err
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return nil, err
	}
	return ruletest.Read(file, data, f.env())
}

// env returns how a test is evaluated: as the command eval does, with the flags of
// the test, which go before those of the command.
func (f *testFlags) env() ruletest.Env {
	eval := f.eval
	set := pflag.NewFlagSet("flags", pflag.ContinueOnError)
	set.Usage = func() {}
	eval.rules.define(set)
	eval.defineNow(set, "")
	return ruletest.Env{
		Rules: &eval.rules.Config,
		Parse: func(words []string) error {
			err := set.Parse(words)
			switch {
			case errors.Is(err, pflag.ErrHelp):
				return errors.New("there is no help here: kubevitals eval --help lists the flags")
			case err == nil && set.NArg() > 0:
				return fmt.Errorf("%q is no flag: the objects are files of the archive", set.Arg(0))
			}
			return err
		},
		Objects: func(r io.Reader) ([]map[string]any, error) { return source.ReadObjects([]string{"-"}, r) },
		Evaluate: func(rules *rule.Set, objects []map[string]any) (ruletest.Result, error) {
			e, err := eval.evaluation().run(rules, objects)
			return ruletest.Result{Problems: e.problems, Notes: e.notes, Print: func(w io.Writer, format string) error {
				return evalFormats[format](w, e)
			}}, err
		},
	}
}
