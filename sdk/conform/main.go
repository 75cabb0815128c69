package conform

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// The exit codes of the command.
const (
	ExitPassed = 0
	ExitFailed = 1 // a case failed
	ExitUsage  = 2 // the command line or the file is wrong, or the binary does not start
)

// Code is the exit code for what [Conform] returned.
func Code(report *Report, err error) int {
	switch {
	case err != nil:
		return ExitUsage
	case report.Failed > 0:
		return ExitFailed
	default:
		return ExitPassed
	}
}

// Main is the command: args are its arguments without its name. It returns the
// code to end the process with.
func Main(ctx context.Context, s Streams, args []string) int {
	var o Options
	flags := flag.NewFlagSet("conform", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	o.Flags(flags)
	flags.BoolVar(&o.Verbose, "v", false, "")
	err := parse(flags, args, &o.Binary)
	if errors.Is(err, flag.ErrHelp) {
		help(s.Out, flags)
		return ExitPassed
	}
	if err == nil && o.List {
		if err = WriteCases(s.Out, o); err == nil {
			return ExitPassed
		}
	}
	var report *Report
	if err == nil {
		report, err = Conform(ctx, s, o)
	}
	if err != nil {
		fmt.Fprintln(s.Err, "conform: "+clean(err.Error()))
	}
	if errors.Is(err, ErrUsage) {
		fmt.Fprintln(s.Err, "  conform --help shows how it is used")
	}
	return Code(report, err)
}

// parse reads flags wherever they stand, and the one argument among them.
func parse(flags *flag.FlagSet, args []string, binary *string) error {
	for {
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return err
			}
			return usageError{flagError(flags, err)}
		}
		args = flags.Args()
		if len(args) == 0 {
			return nil
		}
		if *binary != "" {
			return usageError{fmt.Errorf("unexpected argument %q: one binary at a time", args[0])}
		}
		*binary, args = args[0], args[1:]
	}
}

// flagError names an unknown flag as it is written, and the one that was most
// likely meant.
func flagError(flags *flag.FlagSet, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return err
	}
	var known []string
	flags.VisitAll(func(f *flag.Flag) {
		if len(f.Name) > 1 {
			known = append(known, "--"+f.Name)
		}
	})
	return fmt.Errorf("unknown flag --%s; %s", name, suggest("--"+name, known))
}

func help(w io.Writer, flags *flag.FlagSet) {
	var lines strings.Builder
	flags.VisitAll(func(f *flag.Flag) {
		value, usage := flag.UnquoteUsage(f)
		name := "--" + f.Name
		switch f.Name {
		case "v":
			return
		case "verbose":
			name = "-v, --verbose"
		}
		fmt.Fprintf(&lines, "  %-18s %s\n", strings.TrimSpace(name+" "+value), usage)
	})
	fmt.Fprintf(w, "%s\n\nUsage:\n  conform BINARY [flags]\n\nExamples:\n%s\n\nFlags:\n%s", Long, Examples("conform"), lines.String())
}
