package cli

import (
	"errors"
	"flag"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/sdk/conform"
)

// newPluginTest is sdk/cmd/conform as a command of apm.
func newPluginTest(s *session) *cobra.Command {
	var o conform.Options
	cmd := &cobra.Command{
		Use:     "test BINARY",
		Short:   "Run the conformance suite on a plugin's binary",
		Long:    conform.Long,
		Example: conform.Examples("apm plugin test"),
		Args: func(cmd *cobra.Command, args []string) error {
			if o.List {
				return atMost("BINARY")(cmd, args)
			}
			return exactly("BINARY")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.Binary = args[0]
			}
			if o.List {
				return conformError(s.listCases(o))
			}
			return s.pluginTest(cmd, o)
		},
	}
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	o.Flags(flags)
	flags.VisitAll(func(f *flag.Flag) {
		own := pflag.PFlagFromGoFlag(f)
		switch f.Name {
		case "verbose":
			own.Shorthand = "v"
		case "timeout":
			own.DefValue = "0" // none to show: the usage says what holds
		}
		cmd.Flags().AddFlag(own)
	})
	return cmd
}

func (s *session) listCases(o conform.Options) error {
	if !s.format.Machine() {
		return conform.WriteCases(s.out, o)
	}
	names, err := o.Cases()
	if err != nil {
		return err
	}
	return s.print(names, elements(names), nil)
}

func (s *session) pluginTest(cmd *cobra.Command, o conform.Options) error {
	streams := conform.Streams{Out: s.out, Err: s.err, Control: s.out.Control, Width: s.out.Width}
	if s.format.Machine() {
		if o.JSON == conform.Stdout || o.JUnit == conform.Stdout {
			return usage(errors.New("--output, --jq and --template write to standard output, and so do --json - and --junit -: name a file, or leave one out"))
		}
		streams.Out = s.err // the table is progress then
		streams.Control, streams.Width = s.err.Control, s.err.Width
	}
	report, err := conform.Conform(cmd.Context(), streams, o)
	if err != nil {
		return conformError(err)
	}
	if s.format.Machine() {
		if err := s.print(report, elements(report.Cases), func(*output.Grid) {}); err != nil {
			return err
		}
	}
	return exitWith(ExitCode(conform.Code(report, nil)))
}

// conformError ends the command with the code of the suite: nothing was tested.
func conformError(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code: ExitUsage, err: err}
}
