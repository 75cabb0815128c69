package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// restartTime is how long a restart is waited for where nobody says otherwise:
// five starts that fail, with their pauses, take less.
const restartTime = time.Minute

// lookEvery is how often it is asked how a restart goes on.
const lookEvery = 100 * time.Millisecond

func newPluginRestart(s *session) *cobra.Command {
	timeout := restartTime
	cmd := &cobra.Command{
		Use:   "restart PLATFORM",
		Short: "Restart the process of a platform, also of a broken one",
		Long: `Restart the process of a platform, from whatever state, and wait until it is
ready. A platform that does not come up is exit code 1 with the reason, one that
is not ready in time exit code 8. Deployments that wait for it, or ran when it was
ended, go on by themselves.`,
		Example: "  apm plugin restart process\n  apm plugin restart prod-eu --timeout 3m -o json",
		Args:    exactly("PLATFORM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.connect()
			if err != nil {
				return err
			}
			if _, err := c.RestartPlugin(cmd.Context(), args[0]); err != nil {
				return err
			}
			p, err := s.untilReady(cmd.Context(), c, args[0], timeout)
			if err != nil {
				return err
			}
			return s.print(p, nil, func(g *output.Grid) {
				g.Title("%s is ready: plugin %s %s, process %d", p.Platform, p.Plugin, p.Version, p.PID)
			})
		},
		ValidArgsFunction: s.completePlatforms,
	}
	cmd.Flags().Var((*span)(&timeout), "timeout", "leave after this `time` with exit code 8; 0: never")
	return cmd
}

// untilReady waits until a platform that is started again is ready, and tells
// each state on the way. The error says why it is not.
func (s *session) untilReady(ctx context.Context, c *client.Client, platform string, timeout time.Duration) (apiv1.Plugin, error) {
	var late <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		late = timer.C
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	told := ""
	for {
		p, err := c.Plugin(ctx, platform)
		if err != nil {
			return p, err
		}
		if stands := strings.TrimSuffix(p.State+": "+p.Reason, ": "); stands != told && p.State != "ready" {
			s.say("%s is %s", p.Platform, stands)
			told = stands
		}
		switch p.State {
		case "ready":
			return p, nil
		case "broken", "stopped":
			return p, notUp(p, "")
		}
		select {
		case <-tick.C:
		case <-late:
			return p, &exitError{code: ExitTimeout, err: notUp(p, fmt.Sprintf(" after %s", timeout))}
		case <-ctx.Done():
			return p, ctx.Err()
		}
	}
}

// notUp is the error of a platform that did not come up.
func notUp(p apiv1.Plugin, when string) error {
	message := fmt.Sprintf("platform %q is %s%s", p.Platform, p.State, when)
	if p.Reason != "" {
		message += ": " + p.Reason
	}
	return &deployment.Error{
		Code: deployment.Unavailable, Message: message, Remedy: "its last lines: apm plugin inspect " + p.Platform,
	}
}
