package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/live"
	"github.com/apm-deploy/apm/host/internal/cli/output"
)

// unbounded is the size of a picture that nothing cuts.
const unbounded = 10_000

func newDeployStatus(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "status ID",
		Short: "Show how a deployment stands",
		Example: `  apm deploy status 550e8400-e29b-41d4-a716-446655440000
  apm deploy status 550e8400 -o json --jq .progress.percentage`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.connect()
			if err != nil {
				return err
			}
			d, err := c.Get(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return s.printStatus(d)
		},
	}
}

func (s *session) printStatus(d apiv1.Deployment) error {
	return s.print(d, nil, func(g *output.Grid) {
		width := s.out.Width
		if width == 0 || g.Wide() {
			width = unbounded
		}
		state := live.State{Deployment: d, Known: true}
		g.Title("%s", state.Picture(width, unbounded, time.Now(), false))
		g.Note("")
		g.Note("id         %s", d.ID)
		g.Note("platforms  %s", strings.Join(d.Platforms, ", "))
		current := "no"
		if d.Current {
			current = "yes, this is what runs"
		}
		g.Note("current    %s", current)
		if d.PreviousVersion != "" {
			g.Note("before     %s", d.PreviousVersion)
		}
		g.Note("accepted   %s by %s", d.AcceptedAt.Local().Format(time.DateTime), d.Actor)
		if d.EndedAt != nil {
			g.Note("ended      %s after %s", d.EndedAt.Local().Format(time.DateTime), round(d.EndedAt.Sub(d.AcceptedAt)))
		}
		if d.Failure != nil {
			g.Note("failure    %s %s", d.Failure.Code, d.Failure.Message)
			if d.Failure.Suggestion != "" {
				g.Note("           %s", d.Failure.Suggestion)
			}
			g.Note("           %s", s.again("deploy", "explain", d.ID))
		}
	})
}
