package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/live"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

func newDeployWatch(s *session) *cobra.Command {
	f := following{progress: s.out}
	cmd := &cobra.Command{
		Use:   "watch ID",
		Short: "Follow a deployment until its run ends",
		Long: `Follow a deployment until its run ends: a live view on a terminal, one line per
change elsewhere, with -o jsonl each event as one line of JSON. The exit code
tells how it ended. Ctrl-C leaves; the deployment goes on.`,
		Example: `  apm deploy watch 550e8400-e29b-41d4-a716-446655440000
  apm deploy watch 550e8400 --timeout 10m
  apm deploy watch 550e8400 -o jsonl`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.connect()
			if err != nil {
				return err
			}
			d, err := s.known(cmd.Context(), c, args[0], f.timeout)
			if err != nil {
				return err
			}
			f.id, f.quietEnd = d.ID, !s.format.Machine()
			if s.format.Machine() {
				f.progress = s.err
			}
			return s.follow(cmd.Context(), c, f)
		},
	}
	cmd.Flags().Var((*span)(&f.timeout), "timeout", "leave after this `time` with exit code 8; 0: never")
	return cmd
}

// known asks for a deployment, for no longer than the watch may last; 0: for ever.
func (s *session) known(ctx context.Context, c *client.Client, id string, limit time.Duration) (apiv1.Deployment, error) {
	asked := ctx
	if limit > 0 {
		timed, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		asked = timed
	}
	d, err := c.Get(asked, id)
	if err != nil && ctx.Err() == nil && asked.Err() != nil {
		err = &exitError{code: ExitTimeout, err: &deployment.Error{
			Code: deployment.Unavailable, Err: err, Message: fmt.Sprintf("the host at %s did not answer within %s", s.reached, limit),
			Remedy: "give it more time, or name another host with --url or APM_URL",
		}}
	}
	return d, err
}

// watchFlags adds --watch and --timeout to a command that starts a run.
func watchFlags(flags *pflag.FlagSet, watch *bool, timeout *time.Duration) {
	flags.BoolVarP(watch, "watch", "w", false, "follow it until it has ended; the exit code tells how")
	flags.Var((*span)(timeout), "timeout", "leave the watch after this `time` with exit code 8; 0: never")
}

// following says what is followed and where that is shown.
type following struct {
	id      string
	run     int  // that must end; 0: the last one known
	back    bool // the run goes back on purpose
	replay  bool // from the deployment's first event
	timeout time.Duration
	// progress is where the picture or the lines go; quietEnd leaves out the
	// status at the end, because they have shown it.
	progress output.Writer
	quietEnd bool
}

// follow shows a deployment until its run has ended, and returns the exit code
// of how it ended.
func (s *session) follow(ctx context.Context, c *client.Client, f following) error {
	watched := ctx
	if f.timeout > 0 {
		timed, cancel := context.WithTimeout(ctx, f.timeout)
		defer cancel()
		watched = timed
	}
	after := client.FromNow
	if f.replay {
		after = 0
	}
	config := live.Config{
		Run: f.run, Replay: f.replay, Out: f.progress,
	}
	if s.inIs.Present {
		config.In = s.in
	}
	if s.format.Format == output.JSONL {
		printer := output.Printer{Options: s.format, Out: s.out}
		config.Event = func(e apiv1.Event) error { return printer.Line(e) }
	}
	var stream live.Stream = func(ctx context.Context, yield func(apiv1.Event) error) error {
		return c.Watch(ctx, f.id, after, yield)
	}
	if config.Event == nil { // a program gets what the host sends, and nothing else
		stream = live.WithEvidence(stream, func(ctx context.Context) (apiv1.EvidenceList, error) { return c.Evidence(ctx, f.id) })
	}
	_, err := live.Follow(watched, stream, config)
	switch {
	case errors.Is(err, live.ErrDetached), err != nil && ctx.Err() != nil:
		s.say("the deployment goes on; watch it again with: %s", s.again("deploy", "watch", f.id))
		return exitWith(ExitDetached)
	case err != nil && watched.Err() != nil:
		s.say("not ended within %s; the deployment goes on; watch it again with: %s", f.timeout, s.again("deploy", "watch", f.id))
		return exitWith(ExitTimeout)
	case err != nil:
		return err
	}
	return s.ended(ctx, c, f)
}

// ended prints the final status and returns the exit code of the run.
func (s *session) ended(ctx context.Context, c *client.Client, f following) error {
	d, err := c.Get(ctx, f.id)
	if err != nil {
		return err
	}
	seen := f.quietEnd || !s.format.Machine() && s.out.Present && f.progress.Control // the last picture stays
	if s.format.Format != output.JSONL && !seen {
		if err := s.printDeployments(d, []apiv1.Deployment{d}); err != nil {
			return err
		}
	}
	status := deployment.Status(d.Status)
	back := f.back
	if status == deployment.RolledBack || status == deployment.Completed {
		runs, err := c.Runs(ctx, d.ID)
		if err != nil {
			return err
		}
		back = back || wentBackOnPurpose(runs.Runs)
	}
	code, ok := runExit[status]
	if !ok {
		return fmt.Errorf("the run ended with the unknown status %q", d.Status)
	}
	if d.Failure != nil && d.Failure.Code == deployment.CodePlanOutOfDate {
		return exitWith(ExitPlanOutOfDate)
	}
	if back {
		return s.hint(code.back, d)
	}
	return s.hint(code.forward, d)
}

// hint says what to read next when a run did not end well.
func (s *session) hint(code ExitCode, d apiv1.Deployment) error {
	if code != ExitDone && !s.format.Machine() {
		s.say("why: %s", s.again("deploy", "explain", d.ID))
	}
	return exitWith(code)
}

// wentBackOnPurpose says whether the last run is a rollback that a person asked
// for: then rolled_back is its good end.
func wentBackOnPurpose(runs []apiv1.Run) bool {
	if len(runs) == 0 {
		return false
	}
	last := runs[len(runs)-1]
	return last.Kind == string(deployment.RunRollback) && last.Trigger == string(deployment.TriggerUser)
}
