package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// rollbackFlags are those of `apm deploy rollback`.
type rollbackFlags struct {
	request apiv1.RollbackRequest
	key     string
	plan    string
	yes     bool
	watch   bool
	timeout time.Duration
}

func newDeployRollback(s *session) *cobra.Command {
	f := &rollbackFlags{}
	cmd := &cobra.Command{
		Use:   "rollback ID",
		Short: "Bring back what ran before a deployment",
		Long: `Bring back what ran before a deployment, or with --to-version a version that was
completed before. Only the deployment that is current can be rolled back; while
one runs, a rollback cancels it and restores what was there.`,
		Example: `  apm deploy rollback 550e8400-e29b-41d4-a716-446655440000 --reason "Performance degradation"
  apm deploy rollback 550e8400-e29b-41d4-a716-446655440000 --dry-run
  apm deploy rollback 550e8400 --to-version v1.9.0 --watch
  apm deploy rollback 550e8400 --dry-run -o json > plan.json
  apm deploy rollback 550e8400 --plan plan.json`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error { return s.deployRollback(cmd, args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.request.Reason, "reason", "", "why; recorded")
	flags.StringVar(&f.request.TargetVersion, "to-version", "", "`version` to go back to; default: what ran before")
	flags.BoolVar(&f.request.DryRun, "dry-run", false, "show what would be done, with commands and diffs, and do nothing")
	flags.StringVar(&f.key, "idempotency-key", "", "`key` that makes a repeated request the same rollback")
	flags.StringVar(&f.plan, "plan", "", "carry out the plan in `FILE` (of --dry-run -o json), or refuse with exit code 9")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask where nothing ran before")
	watchFlags(flags, &f.watch, &f.timeout)
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "target-version" { // the name it has in the API
			name = "to-version"
		}
		return pflag.NormalizedName(name)
	})
	return cmd
}

func (s *session) deployRollback(cmd *cobra.Command, id string, f *rollbackFlags) error {
	ctx := cmd.Context()
	request := f.request
	if f.plan != "" && request.DryRun {
		return usage(errors.New("--dry-run and --plan exclude each other"))
	}
	c, err := s.connect()
	if err != nil {
		return err
	}
	d, err := c.Get(ctx, id)
	if err != nil {
		return err
	}
	if f.plan != "" {
		if request, err = f.fromPlan(d.ID); err != nil {
			return err
		}
	}
	if request.DryRun {
		var plan apiv1.Plan
		err := s.patiently(ctx, func() (err error) { plan, err = c.PlanRollback(ctx, d.ID, request); return err })
		if err != nil {
			return err
		}
		return s.printPlan(plan, "deploy", "rollback", d.ID, "--plan", "FILE")
	}
	acts := d.Current || !deployment.Status(d.Status).Terminal() // else it is refused
	if acts && d.PreviousVersion == "" && request.TargetVersion == "" {
		question := fmt.Sprintf("Nothing ran in %s before %s %s: this removes the application. Go on?", d.Environment, d.Name, d.Version)
		if err := s.confirm(f.yes, question); err != nil {
			return err
		}
	}
	var answer apiv1.Deployment
	key := first(f.key, client.NewKey())
	err = s.patiently(ctx, func() (err error) { answer, err = c.Rollback(ctx, d.ID, request, key); return err })
	if err != nil {
		return err
	}
	if !f.watch {
		s.say("accepted; follow it with: %s", s.again("deploy", "watch", d.ID))
		return s.printDeployments(answer, []apiv1.Deployment{answer})
	}
	return s.follow(ctx, c, following{id: answer.ID, run: answer.Run, back: true, timeout: f.timeout, progress: s.err})
}

func (f *rollbackFlags) fromPlan(id string) (apiv1.RollbackRequest, error) {
	plan, err := readPlan(f.plan, "rollback")
	if err != nil {
		return apiv1.RollbackRequest{}, err
	}
	if plan.DeploymentID != id {
		return apiv1.RollbackRequest{}, usage(fmt.Errorf("%s is a plan for deployment %s, not for %s", f.plan, plan.DeploymentID, id))
	}
	if f.request.TargetVersion != "" && f.request.TargetVersion != plan.TargetVersion {
		return apiv1.RollbackRequest{}, usage(errors.New("--to-version and --plan exclude each other: the plan holds the version"))
	}
	return apiv1.RollbackRequest{Reason: f.request.Reason, TargetVersion: plan.TargetVersion, Planned: &plan.Planned}, nil
}
