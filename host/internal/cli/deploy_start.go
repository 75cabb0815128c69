package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
)

// startFlags are those of `apm deploy start`.
type startFlags struct {
	request    apiv1.StartRequest
	configFile string
	set        []string
	key        string
	plan       string
	dryRun     bool
	watch      bool
	timeout    time.Duration
}

func newDeployStart(s *session) *cobra.Command {
	f := &startFlags{}
	cmd := &cobra.Command{
		Use:   "start --name NAME --version VERSION",
		Short: "Bring a version of an application to an environment",
		Long: `Bring a version of an application to an environment. The application is known
from its file, from its last accepted deployment, or it is what --platform and
--config say: from the second time on, name and version are enough.

--config FILE (HCL or JSON) and --set KEY=VALUE override the spec, keyed by
component when there are several. Relative paths in them begin at the file, or
at the working directory.`,
		Example: `  apm deploy start --name my-app --version v2.0.0 --platform kubernetes --environment production
  apm deploy start --name my-app --version v2.0.0 --watch
  apm deploy start --name my-app --version v2.0.0 --platform process --environment production \
    --set 'command=["./server"]' --set port.http.listen=127.0.0.1:8088
  apm deploy start --name my-app --version v2.0.0 --dry-run -o json > plan.json
  apm deploy start --plan plan.json --watch`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return s.deployStart(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.request.Name, "name", "", "`application` to deploy")
	flags.StringVar(&f.request.Version, "version", "", "`version` to bring up")
	flags.StringVar(&f.request.Platform, "platform", "", "`platform` of components that name none")
	flags.StringVar(&f.request.Environment, "environment", "", "`environment`; default: the application's, then config.hcl's")
	flags.StringVar(&f.request.Reason, "reason", "", "why; recorded")
	flags.StringVar(&f.configFile, "config", "", "`FILE` (HCL or JSON) that overrides the spec")
	flags.StringArrayVar(&f.set, "set", nil, "`KEY=VALUE` that overrides the spec; the value may be JSON")
	flags.StringVar(&f.key, "idempotency-key", "", "`key` that makes a repeated request the same deployment")
	flags.StringVar(&f.plan, "plan", "", "carry out the plan in `FILE` (of --dry-run -o json), or refuse with exit code 9")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would be done, and do nothing")
	watchFlags(flags, &f.watch, &f.timeout)
	s.completeStart(cmd, f)
	return cmd
}

func (s *session) deployStart(cmd *cobra.Command, f *startFlags) error {
	ctx := cmd.Context()
	request := f.request
	if f.plan != "" {
		planned, err := f.fromPlan(cmd)
		if err != nil {
			return err
		}
		request = planned
	}
	switch {
	case request.Name == "":
		return usage(errors.New("--name is missing: it names the application"))
	case request.Version == "":
		return usage(errors.New("--version is missing: it names the version to bring up"))
	}
	c, err := s.connect()
	if err != nil {
		return err
	}
	if f.configFile != "" || len(f.set) > 0 {
		if request.Configuration, err = s.configuration(ctx, c, request, f.configFile, f.set); err != nil {
			return err
		}
	}
	if f.dryRun {
		var plan apiv1.Plan
		err := s.patiently(ctx, func() (err error) { plan, err = c.PlanStart(ctx, request); return err })
		if err != nil {
			return err
		}
		return s.printPlan(plan, "deploy", "start", "--plan", "FILE")
	}
	var d apiv1.Deployment
	key := first(f.key, client.NewKey()) // one request, however often it is sent
	err = s.patiently(ctx, func() (err error) { d, err = c.Start(ctx, request, key); return err })
	if err != nil {
		return err
	}
	if !f.watch {
		s.say("accepted; follow it with: %s", s.again("deploy", "watch", d.ID))
		return s.printDeployments(d, []apiv1.Deployment{d})
	}
	return s.follow(ctx, c, following{id: d.ID, run: max(d.Run, 1), replay: true, timeout: f.timeout, progress: s.err})
}

// fromPlan reads the request back from the file of a dry run.
func (f *startFlags) fromPlan(cmd *cobra.Command) (apiv1.StartRequest, error) {
	for _, name := range []string{"name", "version", "platform", "environment", "config", "set"} {
		if cmd.Flags().Changed(name) {
			return apiv1.StartRequest{}, usage(fmt.Errorf("--%s and --plan exclude each other: the plan holds the request", name))
		}
	}
	plan, err := readPlan(f.plan, "deploy")
	if err != nil {
		return apiv1.StartRequest{}, err
	}
	if plan.Request == nil {
		return apiv1.StartRequest{}, usage(fmt.Errorf("%s holds no request: make it with --dry-run -o json", f.plan))
	}
	request := *plan.Request
	request.Planned = &plan.Planned
	if f.request.Reason != "" {
		request.Reason = f.request.Reason
	}
	return request, nil
}
