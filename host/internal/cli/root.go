package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/config"
)

// newRoot returns the whole tree of commands.
func newRoot(s *session) *cobra.Command {
	root := group(&cobra.Command{
		Use:   "apm",
		Short: "Deploy, follow, judge and roll back applications",
		Long: `APM deploys applications, follows them live, judges their health and rolls them
back by itself when they are bad.

"apm serve" is the host; every other command talks to it. Data goes to stdout,
progress to stderr.

Exit codes: 0 done, 1 error, 2 usage, 3 deployment failed, 4 not allowed,
5 failed and rolled back, 6 rollback failed, 7 not found, 8 watch timed out,
9 plan out of date, 130 detached by Ctrl-C (the deployment goes on).`,
		Example: `  apm serve
  apm deploy start --name my-app --version v2.0.0 --watch
  apm deploy list --status completed --limit 10`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return s.checkFormat() },
	},
		newServe(s), newDemo(s), newDoctor(s), newDeploy(s), newPlugin(s), newConfig(s),
		newToken(s), newAudit(s), newCompletion(), newVersion(s),
	)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(flagError)

	flags := root.PersistentFlags()
	flags.StringVar(&s.flags.url, "url", "", "the host's `URL` (APM_URL; default: the one that runs on the data directory)")
	flags.StringVar(&s.flags.token, "token", "", "`token` to use (APM_TOKEN; default: the local one of the data directory)")
	flags.StringVar(&s.flags.dataDir, "data-dir", "", "data `directory` of the host (APM_DATA_DIR; default: host.data_dir of config.hcl)")
	flags.StringVar(&s.flags.configFile, "config-file", "", "the host's `config.hcl` (APM_CONFIG_FILE; default: ./config.hcl)")
	flags.VarP(&s.format.Format, "output", "o", "`format` of the data: "+strings.Join(output.Formats(), ", "))
	flags.StringVar(&s.format.JQ, "jq", "", "jq `expression` over the JSON")
	flags.StringVar(&s.format.Template, "template", "", "Go `template` over the JSON")
	return root
}

// checkFormat is asked before a command begins: an expression that cannot be
// used must not be noticed after a deployment has.
func (s *session) checkFormat() error {
	if s.format.JQ != "" && s.format.Template != "" {
		return usage(errors.New("--jq and --template exclude each other"))
	}
	if err := s.format.Check(); err != nil {
		return usage(err)
	}
	return nil
}

// flagError puts what is wrong with a flag into our words, and adds to an unknown
// one the one that was most likely meant.
func flagError(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	if errors.As(err, &value) {
		remedy := value.Unwrap().Error()
		switch value.GetFlag().Value.Type() {
		case "int":
			remedy = "write a number"
		case "bool":
			remedy = "write true or false, or the flag alone"
		}
		return usage(fmt.Errorf("--%s %q: %s", value.GetFlag().Name, value.GetValue(), remedy))
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() != "" {
		return usage(err)
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if near := config.Nearest(unknown.GetSpecifiedName(), known); near != "" {
		err = fmt.Errorf("%w; did you mean --%s?", err, near)
	}
	return usage(err)
}

// group makes a command that only holds others.
func group(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(children...)
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		message := fmt.Sprintf("unknown command %q", args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			message += `; did you mean "` + strings.Join(near, `" or "`) + `"?`
		}
		return usage(errors.New(message))
	}
	cmd.SuggestionsMinimumDistance = 2
	return cmd
}

// exactly checks the number of arguments; what names them for the error.
func exactly(what ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(what):
			return usage(fmt.Errorf("the argument %s is missing", what[len(args)]))
		case len(args) > len(what):
			return usage(fmt.Errorf("unexpected argument %q", args[len(what)]))
		}
		if empty := slices.Index(args, ""); empty >= 0 {
			return usage(fmt.Errorf("the argument %s is empty", what[empty]))
		}
		return nil
	}
}

// atMost checks that no more arguments than named come.
func atMost(what ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= len(what) {
			return nil
		}
		return exactly(what...)(cmd, args)
	}
}
