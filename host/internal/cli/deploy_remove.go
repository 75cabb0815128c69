package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// removeFlags are those of `apm deploy remove`.
type removeFlags struct {
	name, environment, reason, key, plan string
	dryRun, yes, watch                   bool
	timeout                              time.Duration
}

func newDeployRemove(s *session) *cobra.Command {
	f := &removeFlags{}
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove an application from an environment",
		Long: `Remove an application from an environment. It is a deployment without components:
it goes the same way, and can be rolled back.`,
		Example: `  apm deploy remove my-app --environment production --reason "Retired"
  apm deploy remove --name my-app --environment production --dry-run
  apm deploy remove my-app --environment staging --yes --watch`,
		Args: atMost("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if f.name != "" && f.name != args[0] {
					return usage(fmt.Errorf("two applications are named: %q and %q", args[0], f.name))
				}
				f.name = args[0]
			}
			return s.deployRemove(cmd, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "", "`application` to remove")
	flags.StringVar(&f.environment, "environment", "", "`environment`; default: the only one it runs in")
	flags.StringVar(&f.reason, "reason", "", "why; recorded")
	flags.StringVar(&f.key, "idempotency-key", "", "`key` that makes a repeated request the same removal")
	flags.StringVar(&f.plan, "plan", "", "carry out the plan in `FILE` (of --dry-run -o json), or refuse with exit code 9")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would be done, and do nothing")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	watchFlags(flags, &f.watch, &f.timeout)
	return cmd
}

func (s *session) deployRemove(cmd *cobra.Command, f *removeFlags) error {
	ctx := cmd.Context()
	request := apiv1.RemoveRequest{Reason: f.reason}
	if f.plan != "" {
		plan, err := readPlan(f.plan, "remove")
		if err != nil {
			return err
		}
		f.name, f.environment, request.Planned = plan.Name, plan.Environment, &plan.Planned
	}
	if f.name == "" {
		return usage(errors.New("the argument NAME is missing: it names the application"))
	}
	c, err := s.connect()
	if err != nil {
		return err
	}
	if f.environment == "" {
		if f.environment, err = onlyEnvironment(ctx, c, f.name); err != nil {
			return err
		}
	}
	if f.dryRun {
		var plan apiv1.Plan
		err := s.patiently(ctx, func() (err error) { plan, err = c.PlanRemove(ctx, f.name, f.environment); return err })
		if err != nil {
			return err
		}
		return s.printPlan(plan, "deploy", "remove", "--plan", "FILE")
	}
	if err := s.confirm(f.yes, fmt.Sprintf("Remove %s from %s?", f.name, f.environment)); err != nil {
		return err
	}
	var d apiv1.Deployment
	key := first(f.key, client.NewKey())
	err = s.patiently(ctx, func() (err error) { d, err = c.Remove(ctx, f.name, f.environment, request, key); return err })
	if err != nil {
		return err
	}
	if !f.watch {
		s.say("accepted; follow it with: %s", s.again("deploy", "watch", d.ID))
		return s.printDeployments(d, []apiv1.Deployment{d})
	}
	return s.follow(ctx, c, following{id: d.ID, run: max(d.Run, 1), replay: true, timeout: f.timeout, progress: s.err})
}

// onlyEnvironment returns the environment that an application runs in, when
// there is just one.
func onlyEnvironment(ctx context.Context, c *client.Client, name string) (string, error) {
	targets, err := c.Targets(ctx)
	if err != nil {
		return "", err
	}
	var environments []string
	for _, target := range targets.Targets {
		if target.Application == name && len(target.Components) > 0 {
			environments = append(environments, target.Environment)
		}
	}
	switch len(environments) {
	case 0:
		return "", &deployment.Error{
			Code: deployment.NotFound, Message: fmt.Sprintf("nothing of %q runs in any environment", name),
			Remedy: "apm deploy list shows what was deployed",
		}
	case 1:
		return environments[0], nil
	default:
		return "", usage(fmt.Errorf("%s runs in %s: say which with --environment", name, strings.Join(environments, ", ")))
	}
}
