package conform

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/apm-deploy/apm/sdk/plugintest"
)

// Options are what a person asks for on the command line.
type Options struct {
	// Binary is the plugin. Needed, but for List.
	Binary string
	// Config is the file; without it the one beside the binary.
	Config string
	// JSON and JUnit are files to write the report to; "-" is standard output, and
	// the table is then on standard error.
	JSON, JUnit string
	// Run is a regular expression: only cases whose name matches it run, and the
	// one that all others build on.
	Run string
	// Timeout bounds one operation and goes before that of the file.
	Timeout time.Duration
	// Verbose shows what the plugin wrote to standard error in cases that failed.
	Verbose bool
	// List names the cases instead of running them.
	List bool
}

// Flags defines the flags of the command; -v for verbose is the caller's to add.
func (o *Options) Flags(flags *flag.FlagSet) {
	flags.StringVar(&o.Config, "config", o.Config, "`file` with what the suite deploys (default: NAME.conform.hcl, else conform.hcl, beside the binary NAME)")
	flags.StringVar(&o.JSON, "json", o.JSON, "write the report as JSON to this `file`, - for standard output")
	flags.StringVar(&o.JUnit, "junit", o.JUnit, "write the report as JUnit XML to this `file`, - for standard output")
	flags.StringVar(&o.Run, "run", o.Run, "run only the cases whose name matches this `regexp`")
	flags.Var((*span)(&o.Timeout), "timeout", "`time` that one operation may take (default: that of the file, else 60s)")
	flags.BoolVar(&o.Verbose, "verbose", o.Verbose, "show what the plugin wrote to standard error in cases that failed")
	flags.BoolVar(&o.List, "list", o.List, "list the names of the cases and run none")
}

// span is a flag's time; package flag would say "parse error".
type span time.Duration

// Set parses text.
func (s *span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("write a number and a unit, as in 2m")
	}
	*s = span(d)
	return nil
}

// String returns the time, "" for none.
func (s *span) String() string {
	if s == nil || *s == 0 {
		return ""
	}
	return time.Duration(*s).String()
}

// Long is the text of the command's help.
const Long = `Run the conformance suite on a plugin's binary, in any language: every rule of
the plugin contract, over the real wire. No host is needed.

What the suite deploys stands in a file, NAME.conform.hcl or conform.hcl beside
the binary NAME: config { }, spec "v1" { } and spec "v2" { } of the plugin's own
keys, and more that is optional. Without it only the cases that need nothing to
deploy run. A case that the plugin's capabilities leave out is skipped, by name.

Exit codes: 0 all passed, 1 a case failed, 2 usage, a bad file, or a binary that
does not start.`

// Examples returns lines of help for a program of that name.
func Examples(program string) string {
	return "  " + program + " ./apm-plugin-files\n" +
		"  " + program + " ./apm-plugin-files --config files.hcl --run rollback -v\n" +
		"  " + program + " ./apm-plugin-files --json report.json --junit report.xml\n" +
		"  " + program + " --list"
}

// ErrUsage is matched by the errors of a wrong command line.
var ErrUsage = errors.New("usage")

type usageError struct{ error }

func (usageError) Is(target error) bool { return target == ErrUsage }
func (e usageError) Unwrap() error      { return e.error }

// Validate says what is wrong with the options by themselves.
func (o Options) Validate() error {
	switch {
	case o.Binary == "" && !o.List:
		return usageError{errors.New("the argument BINARY is missing")}
	case o.Timeout < 0:
		return usageError{fmt.Errorf("--timeout %v: write a time above zero, as in 2m", o.Timeout)}
	case o.JSON != "" && o.JSON == o.JUnit:
		return usageError{fmt.Errorf("--json and --junit both write to %q: name two files", o.JSON)}
	}
	names, err := o.Cases()
	if err == nil && len(names) == 0 {
		err = usageError{fmt.Errorf("--run %q matches no case: --list shows their names", o.Run)}
	}
	return err
}

// Cases returns the names of the cases that are asked for.
func (o Options) Cases() ([]string, error) {
	wanted, err := regexp.Compile(o.Run)
	if err != nil {
		return nil, usageError{fmt.Errorf("--run %q is no regular expression: %w", o.Run, err)}
	}
	return slices.DeleteFunc(plugintest.Cases(), func(name string) bool { return !wanted.MatchString(name) }), nil
}

// find returns the file to read, or "" where there is none.
func (o Options) find() (string, error) {
	if o.Config != "" {
		return o.Config, nil
	}
	dir, name := filepath.Split(o.Binary)
	for _, candidate := range []string{name + ".conform.hcl", "conform.hcl"} {
		path := cmp.Or(dir, "./") + candidate
		_, err := os.Stat(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("look for %q: %w; name the file with --config", path, reasonOf(err))
		}
	}
	return "", nil
}
