package rollout_test

import (
	"context"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/sdk"
)

// A plan changes nothing, hides secrets, and its commands have the same effect.
func TestPlanCommandsHaveTheSameEffect(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.succeed("1", r.manifests("1", app("api", r.node.Image("v1"), "one")+"\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n"))
	before := r.snapshot(nil)
	v2 := r.manifests("2", app("api", r.node.Image("v2"), "two"))
	plan := r.plan(sdk.PlanRequest{Kind: sdk.OperationDeploy, Release: &v2})
	r.wants("digest", plan.ObservedDigest, before.ObservedDigest)
	r.wants("digest after the plan", r.snapshot(nil).ObservedDigest, before.ObservedDigest)
	r.wants("steps", steps(plan), "update ConfigMap, update Deployment, delete ConfigMap")
	if d := plan.Steps[1].Diff; !strings.Contains(d, "-      - ") && !strings.Contains(d, "-        image: "+r.node.Image("v1")) {
		t.Errorf("diff %s", d)
	}

	about := r.snapshot(&v2)
	r.succeed("2", v2)
	want := r.snapshot(nil).ObservedDigest
	r.is(r.back(about.Snapshot), sdk.ResultSucceeded)
	r.wants("digest after rollback", r.snapshot(nil).ObservedDigest, before.ObservedDigest)
	r.paste(plan)
	r.wants("digest after the commands", r.snapshot(&v2).ObservedDigest, want)

	back := r.plan(sdk.PlanRequest{Kind: sdk.OperationRollback, Snapshot: &about.Snapshot})
	r.paste(back)
	r.wants("digest after the commands of the rollback", r.snapshot(nil).ObservedDigest, before.ObservedDigest)
}

// Values of secrets are in no plan, not in its commands either.
func TestPlanHidesSecrets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v1 := r.manifests("1", strings.Replace(secret("hush-hush"), "\n---\n", "", 1))
	plan := r.plan(sdk.PlanRequest{Kind: sdk.OperationDeploy, Release: &v1})
	r.wants("steps", steps(plan), "create Secret")
	if s := plan.Steps[0]; strings.Contains(s.Diff+s.Command+s.Summary, "hush-hush") || strings.Contains(s.Diff+s.Command, "aHVzaC1odXNo") || s.Diff == "" {
		t.Errorf("step %+v", s)
	}
	r.succeed("1", v1)
	about := r.snapshot(nil)
	r.kubectl("delete", "secret", "password")
	plan = r.plan(sdk.PlanRequest{Kind: sdk.OperationRollback, Snapshot: &about.Snapshot})
	if s := plan.Steps[0]; strings.Contains(s.Diff+s.Command+s.Summary, "aHVzaC1odXNo") || strings.Contains(s.Diff, "hush-hush") {
		t.Errorf("step %+v", s)
	}
}

// A field that can only be set once is said to be so, with what to do.
func TestPlanOfImmutableField(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.succeed("1", r.manifests("1", app("api", r.node.Image("v1"), "one")))
	v2 := r.manifests("2", strings.ReplaceAll(app("api", r.node.Image("v1"), "one"), "app: api", "app: other"))
	plan := r.plan(sdk.PlanRequest{Kind: sdk.OperationDeploy, Release: &v2})
	if !plan.Diagnostics.HasErrors() || !strings.Contains(plan.Diagnostics[0].String(), "kubectl delete deployment.apps/api") {
		t.Errorf("diagnostics %v", plan.Diagnostics)
	}
	if _, err := r.Deploy(r.context(), sdk.DeployRequest{Operation: r.next(sdk.OperationDeploy), Target: r.target, Release: v2}); sdk.CodeOf(err) != sdk.InvalidArgument {
		t.Errorf("deploy: %v", err)
	}
	r.wants("selector of the Service", r.kubectl("get", "service", "api", "-o", "jsonpath={.spec.selector.app}"), "api")
}

func (r *rig) plan(request sdk.PlanRequest) sdk.Plan {
	r.Helper()
	request.Target = r.target
	plan, err := r.Plan(r.context(), request)
	if err != nil {
		r.Fatalf("plan: %v", err)
	}
	return plan
}

func steps(plan sdk.Plan) string {
	var all []string
	for _, s := range plan.Steps {
		all = append(all, s.Action+" "+strings.Fields(s.Resource)[1])
	}
	return strings.Join(all, ", ")
}

// paste runs the commands of a plan as a person would.
func (r *rig) paste(plan sdk.Plan) {
	r.Helper()
	for _, s := range plan.Steps {
		command, input, _ := strings.Cut(s.Command, " <<'EOF'\n")
		input = strings.TrimSuffix(input, "EOF")
		args := strings.Fields(command)
		if len(args) < 2 || args[0] != "kubectl" {
			r.Fatalf("command of %s %s: %q", s.Action, s.Resource, s.Command)
		}
		out, err := r.node.TryKubectl(context.WithoutCancel(r.context()), input, args[1:]...)
		if err != nil {
			r.Fatalf("%s: %v %s", s.Command, err, out)
		}
		r.Logf("%s: %s", s.Summary, strings.TrimSpace(out))
	}
	if strings.Contains(steps(plan), "Deployment") {
		r.kubectl("rollout", "status", "deployment/api")
	}
}
