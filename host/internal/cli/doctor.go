package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/apm-deploy/apm/host/internal/cli/doctor"
	"github.com/apm-deploy/apm/host/internal/cli/output"
)

// cleaned is what `apm doctor --clean` has done to one component.
type cleaned struct {
	doctor.Left
	Removed bool   `json:"removed"`
	Error   string `json:"error,omitempty"`
}

// forgotten is what it has done to what a platform kept of an installation.
type forgotten struct {
	doctor.Kept
	Removed bool   `json:"removed"`
	Error   string `json:"error,omitempty"`
}

func newDoctor(s *session) *cobra.Command {
	var (
		clean, yes   bool
		installation string
	)
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what keeps the host from working, and for what was left running",
		Long: `Check configuration, data directory, token, host, clock, port, plugins and their
checksums, and list what runs of installations whose host does not. Exit code 1
when a check fails.

With --clean, list and then remove what an installation left running, even if
its data directory is gone, and what its platforms keep for rollbacks of it (with
--installation also where nothing runs). What belongs to a host that runs is never
touched.`,
		Example: `  apm doctor
  apm doctor --clean
  apm doctor --clean --installation 0198c2d4-6f0e-7c3a-9a51-2f4f5d0b7e11 --yes`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if installation != "" && !clean {
				return usage(errors.New("--installation goes with --clean"))
			}
			c, err := s.doctor()
			if err != nil {
				return err
			}
			if clean {
				return s.clean(cmd.Context(), c, installation, yes)
			}
			return s.examine(cmd.Context(), c)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&clean, "clean", false, "remove what an installation left running")
	flags.StringVar(&installation, "installation", "", "only of the installation with this `id`")
	flags.BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (s *session) doctor() (doctor.Config, error) {
	c := doctor.Config{Version: Version, CleanUp: s.again("doctor", "--clean")}
	c.Config, c.ConfigErr = s.config()
	if data := s.userDir("XDG_DATA_HOME", filepath.Join(".local", "share")); data != "" {
		c.DataHome = data
	}
	var err error
	if c.DataDir, err = s.dataDir(); err != nil && c.ConfigErr == nil {
		return c, err
	}
	return c, nil
}

func (s *session) examine(ctx context.Context, c doctor.Config) error {
	findings := c.Examine(ctx)
	err := s.print(map[string]any{"findings": findings}, elements(findings), func(g *output.Grid) {
		g.Columns(output.Column{Name: "STATE"}, output.Column{Name: "CHECK"}, output.Column{Name: "FOUND"})
		for _, f := range findings {
			g.Row(string(f.State), f.Check, f.Message)
		}
		for _, f := range findings {
			if f.Remedy != "" {
				g.Note("%s: %s", f.Check, f.Remedy)
			}
		}
	})
	if err == nil && doctor.Worst(findings) == doctor.Fail {
		return exitWith(ExitError)
	}
	return err
}

func (s *session) clean(ctx context.Context, c doctor.Config, installation string, yes bool) error {
	if c.ConfigErr != nil {
		return c.ConfigErr
	}
	left, err := c.Find(ctx, installation)
	if err != nil {
		return err
	}
	installations := installationsOf(left)
	if installation != "" {
		installations = []string{installation}
	}
	kept, err := c.Kept(ctx, installations...)
	if err != nil {
		return err
	}
	for _, l := range left {
		s.say("%s", l)
	}
	for _, k := range kept {
		s.say("%s", k)
	}
	if n := len(left) + len(kept); n > 0 {
		if err := s.confirm(yes, fmt.Sprintf("Stop and remove these %d?", n)); err != nil {
			return err
		}
	}
	results, gone, failures := remove(ctx, c, left, kept)
	err = s.print(map[string]any{"cleaned": results, "forgotten": gone}, append(elements(results), elements(gone)...), func(g *output.Grid) {
		if len(results)+len(gone) == 0 {
			g.Title("nothing is left running")
		}
		for _, r := range results {
			showRemoved(g, r.Left, r.Error)
		}
		for _, f := range gone {
			showRemoved(g, f.Kept, f.Error)
		}
	})
	if err == nil && failures > 0 {
		return exitWith(ExitError)
	}
	return err
}

// remove removes the components and then what was kept of them, as far as it
// gets.
func remove(ctx context.Context, c doctor.Config, left []doctor.Left, kept []doctor.Kept) (results []cleaned, gone []forgotten, failures int) {
	results, gone = []cleaned{}, []forgotten{}
	for _, l := range left {
		result := cleaned{Left: l, Removed: true}
		if err := c.Remove(ctx, l); err != nil {
			result.Removed, result.Error = false, err.Error()
			failures++
		}
		results = append(results, result)
	}
	for _, k := range kept {
		result := forgotten{Kept: k, Removed: true}
		if err := c.Forget(ctx, k); err != nil {
			result.Removed, result.Error = false, err.Error()
			failures++
		}
		gone = append(gone, result)
	}
	return results, gone, failures
}

func showRemoved(g *output.Grid, what fmt.Stringer, problem string) {
	if problem == "" {
		g.Title("removed %s", what)
	} else {
		g.Title("not removed %s: %s", what, problem)
	}
}

// installationsOf returns the installations of what is left, each once.
func installationsOf(left []doctor.Left) []string {
	var ids []string
	for _, l := range left {
		if !slices.Contains(ids, l.Installation) {
			ids = append(ids, l.Installation)
		}
	}
	return ids
}
