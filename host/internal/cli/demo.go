package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/apm-deploy/apm/host/internal/cli/demo"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

func newDemo(s *session) *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show three deployments of a small server: one comes up, one takes over, one is rolled back",
		Long: `Start a host on a data directory of its own and show three deployments of a small
HTTP server: v1 comes up; v2 comes up beside it, is checked and takes over; v3
takes over, goes bad and is rolled back by itself. A client that never retries
sends requests all the while.

On a terminal the host stays up afterwards, with commands to try; Ctrl-C removes
what was deployed and ends, a second Ctrl-C ends at once. Elsewhere, and with
--once, it ends by itself: exit code 0 only if the deployments ended completed,
completed and rolled_back, and no request failed.`,
		Example: "  apm demo\n  apm demo --once -o json\n  apm demo --data-dir /tmp/apm-demo",
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.demo(cmd, once) },
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the third deployment")
	return cmd
}

func (s *session) demo(cmd *cobra.Command, once bool) error {
	dir, err := s.demoDir()
	if err != nil {
		return err
	}
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	// From here on every command that is shown, and every call, is for the
	// demo's own host.
	s.flags = globals{dataDir: dir}
	cleanUp := strings.Join([]string{
		quote(first(s.program, "apm")), "--config-file", quote(filepath.Join(dir, "config.hcl")), "doctor", "--clean",
	}, " ")
	state := s.userDir("XDG_STATE_HOME", filepath.Join(".local", "state"))
	if state != "" {
		state = filepath.Join(state, "apm", "process")
	}
	result, err := demo.Run(cmd.Context(), demo.Config{
		Dir: dir, Executable: executable, PlatformState: state,
		Stay:    !once && !s.format.Machine() && s.out.Present,
		Connect: s.connect, Again: s.again, CleanUp: cleanUp,
		Progress: s.err, Environ: withoutOurs(os.Environ()),
	})
	switch {
	case errors.Is(err, demo.ErrInterrupted):
		s.say("The demo was ended early; nothing that it deployed runs any more.")
		return exitWith(ExitDetached)
	case errors.Is(err, demo.ErrAbandoned):
		return &exitError{code: ExitDetached, err: err}
	}
	if len(result.Deployments) > 0 {
		if printed := s.printDemo(result); printed != nil {
			return errors.Join(err, printed)
		}
	}
	if err == nil && !result.Good() {
		return exitWith(ExitError)
	}
	return err
}

// demoDir is the demo's own data directory.
func (s *session) demoDir() (string, error) {
	if dir := first(s.flags.dataDir, s.getenv("APM_DATA_DIR")); dir != "" {
		return filepath.Abs(s.expandHome(dir))
	}
	if dir := s.userDir("XDG_DATA_HOME", filepath.Join(".local", "share")); dir != "" {
		return filepath.Join(dir, "apm-demo"), nil
	}
	return "", &deployment.Error{
		Code: deployment.Invalid, Message: "the demo has no data directory: HOME is not set",
		Remedy: "name one with --data-dir",
	}
}

// withoutOurs drops the variables that would lead the demo's host elsewhere.
func withoutOurs(environ []string) []string {
	var kept []string
	for _, variable := range environ {
		if !strings.HasPrefix(variable, "APM_") {
			kept = append(kept, variable)
		}
	}
	return kept
}

func (s *session) printDemo(result demo.Result) error {
	return s.print(result, elements(result.Deployments), func(g *output.Grid) {
		g.Columns(output.Column{Name: "VERSION"}, output.Column{Name: "STATUS"}, output.Column{Name: "REQUESTS"},
			output.Column{Name: "FAILURES"}, output.Column{Name: "REASON", Flex: true})
		for _, d := range result.Deployments {
			g.Row(d.Version, d.Status, strconv.Itoa(d.Client.Requests), strconv.Itoa(d.Client.Failures), d.Reason)
		}
		g.Note("%d POSTs sent, %d lost, %d repeated", result.Posts.Sent, result.Posts.Lost, result.Posts.Repeated)
	})
}
