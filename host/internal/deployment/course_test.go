package deployment_test

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// course records facts about one deployment in the order in which an engine
// records them, chosen by chance, and holds every derived status against the
// one before it.
type course struct {
	*rapid.T
	d       *deployment.Deployment
	now     time.Time
	path    []deployment.Status
	percent map[int]float64 // the last, by number of run
	leave   bool            // on_failure
}

// newCourse is an accepted deployment of some components. Each may depend on
// those before it; the last ones may be dropped ones, which the lock adds.
func newCourse(t *rapid.T) *course {
	c := &course{T: t, now: began, percent: map[int]float64{}, leave: t2(t, "leave", 4)}
	c.d = &deployment.Deployment{
		ID: "d2", Target: shop, Version: "v2", Actor: alice, AcceptedAt: began,
		Status: deployment.Pending, Reason: "accepted",
		Runs: []deployment.Run{{Number: 1, Kind: deployment.RunDeploy, Trigger: deployment.TriggerUser, To: "v2", RequestedAt: began}},
	}
	c.d.Definition.Policy = deployment.DefaultPolicy()
	if c.chance("no bake", 5) {
		c.d.Definition.Policy.Bake = 0
	}
	if c.chance("removal", 6) {
		c.d.Remove, c.d.Runs[0].Kind, c.d.Runs[0].To = true, deployment.RunRemove, ""
		return c
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "components") {
		component := deployment.Component{Name: string(rune('a' + i)), Status: deployment.Pending}
		for _, earlier := range c.d.Components {
			if c.chance("depends", 2) {
				component.DependsOn = append(component.DependsOn, earlier.Name)
			}
		}
		c.d.Components = append(c.d.Components, component)
	}
	return c
}

var alice = deployment.Actor{Kind: deployment.ActorToken, Name: "alice"}

// t2 is true once in n times.
func t2(t *rapid.T, what string, n int) bool { return rapid.IntRange(1, n).Draw(t, what) == n }

func (c *course) chance(what string, n int) bool { return t2(c.T, what, n) }

// run is the last run.
func (c *course) run() *deployment.Run { return c.d.Run() }

// record makes the change, derives the statuses, and checks that they follow
// from those before.
func (c *course) record(mutate func()) {
	c.now = c.now.Add(time.Duration(rapid.IntRange(1, 20).Draw(c.T, "seconds")) * time.Second)
	mutate()
	status, reason := c.d.Derive()
	if again, _ := c.d.Derive(); again != status {
		c.Fatal("asked twice, it derives another status")
	}
	if status != c.d.Status && !c.d.Status.CanBecome(status) {
		c.Fatalf("%s → %s is no step of the state machine; so far %v", c.d.Status, status, c.path)
	}
	if c.d.Status.Terminal() && status != c.d.Status && !(c.run().Kind == deployment.RunRollback && c.run().Open()) {
		c.Fatalf("terminal %s became %s without a rollback run", c.d.Status, status)
	}
	if status.Terminal() == c.run().Open() {
		c.Fatalf("it is %s with its run open: %t", status, c.run().Open())
	}
	if reason == "" {
		c.Fatalf("%s without a reason", status)
	}
	if status != c.d.Status {
		c.path = append(c.path, status)
	}
	c.d.Status, c.d.Reason = status, reason
	for i := range c.d.Components {
		c.checkComponent(&c.d.Components[i])
	}
	c.checkProgress()
}

// checkComponent derives the status of a component and holds it against that of
// the deployment.
func (c *course) checkComponent(component *deployment.Component) {
	status, reason := c.d.DeriveComponent(component)
	component.Status, component.Reason = status, reason
	first, last := &c.d.Runs[0], c.run()
	busy := []deployment.Status{
		deployment.Pending, deployment.Preparing, deployment.Deploying, deployment.Verifying, deployment.RollingBack,
	}
	switch {
	case c.d.Status.Terminal() && slices.Contains(busy, status):
		c.Fatalf("component %s is %s in a deployment that is %s", component.Name, status, c.d.Status)
	case c.d.Status == deployment.Completed && !slices.Contains([]deployment.Status{deployment.Completed, deployment.Unchanged, deployment.Removed}, status):
		c.Fatalf("component %s is %s in a completed deployment", component.Name, status)
	case status == deployment.Completed && first.Open():
		c.Fatalf("component %s is completed while the deployment is %s", component.Name, c.d.Status)
	case status == deployment.Completed && first.Result != deployment.Completed && last.Number > 1 && !last.LockedAt.IsZero():
		c.Fatalf("component %s of a deployment that was never completed says so while it is %s", component.Name, c.d.Status)
	case c.d.Status == deployment.RolledBack && c.d.Changed(component) && status != deployment.RolledBack:
		c.Fatalf("component %s was changed and is %s in a deployment that is rolled back", component.Name, status)
	case (status == deployment.Failed || status == deployment.RollbackFailed) && reason == "":
		c.Fatalf("component %s is %s without a reason", component.Name, status)
	case (status == deployment.RolledBack || status == deployment.RollingBack || status == deployment.RollbackFailed) && last.Number == 1:
		c.Fatalf("component %s is %s without a rollback", component.Name, status)
	case status == deployment.Unchanged && !component.Unchanged:
		c.Fatalf("component %s was touched and is unchanged", component.Name)
	}
}

// checkProgress holds the progress against that of the same run before.
func (c *course) checkProgress() {
	r, p := c.run(), deployment.ProgressOf(c.d)
	good := !r.Open() && (r.Number == 1 && r.Result == deployment.Completed || r.Number > 1 && r.Result == deployment.RolledBack)
	refused := !r.Open() && r.LockedAt.IsZero()
	switch {
	case p.Percentage < c.percent[r.Number]:
		c.Fatalf("run %d fell from %v to %v %%", r.Number, c.percent[r.Number], p.Percentage)
	case p.Percentage < 0 || p.Percentage > 100:
		c.Fatalf("%v %%", p.Percentage)
	case good != (p.Percentage == 100) && !refused:
		c.Fatalf("%v %% with the run open %t, result %q", p.Percentage, r.Open(), r.Result)
	case p.CurrentStep < 1 || p.CurrentStep > p.TotalSteps:
		c.Fatalf("step %d of %d", p.CurrentStep, p.TotalSteps)
	case p.CurrentStage == "":
		c.Fatal("no stage")
	}
	c.percent[r.Number] = p.Percentage
	r.Percentage = max(r.Percentage, p.Percentage)
}

// finish ends the run.
func (c *course) finish(result deployment.Status, why string) {
	r := c.run()
	c.d.Waiting = nil
	r.EndedAt, r.Result, r.Why = c.now, result, why
}

// fail ends the deploy run as a failure, by policy with a rollback.
func (c *course) fail(component string, keep bool) {
	c.record(func() {
		f := &deployment.Failure{Code: deployment.CodeCheckFailed, Component: component, Message: "check front failed", Keep: keep}
		if s := c.run().Step(component); s != nil && s.PassedAt.IsZero() {
			s.Failure = f
		}
		c.run().Failure = f
		c.finish(deployment.Failed, "component "+component+": check front failed")
		if c.d.Began() && !keep && !c.leave {
			c.openRollback(deployment.TriggerPolicy, "check front failed")
		}
	})
}

// cancel ends the deploy run because a person said so.
func (c *course) cancel() {
	c.record(func() { c.run().Cancel = &deployment.Cancel{Actor: alice, At: c.now} })
	c.record(func() {
		c.finish(deployment.Cancelled, "cancelled by alice")
		if c.d.Began() {
			c.openRollback(deployment.TriggerUser, "cancelled by alice")
		}
	})
}

// openRollback appends the run that follows at once, with the lock.
func (c *course) openRollback(trigger deployment.Trigger, reason string) {
	c.d.Runs = append(c.d.Runs, deployment.Run{
		Number: len(c.d.Runs) + 1, Kind: deployment.RunRollback, Trigger: trigger, Actor: alice, Reason: reason,
		From: "v2", To: "v1", RequestedAt: c.now, LockedAt: c.now,
	})
}

// disturbed may end the deploy run here, and says whether it did.
func (c *course) disturbed(component string) bool {
	switch rapid.IntRange(1, 25).Draw(c.T, "disturbance") {
	case 23:
		c.fail(component, false)
	case 24:
		c.fail(component, true)
	case 25:
		c.cancel()
	default:
		return false
	}
	return true
}

// wait may record that the deployment waits, and that it waits no more.
func (c *course) wait(kind deployment.WaitKind, subject string) {
	if c.chance("waits", 4) {
		c.record(func() { c.d.Waiting = &deployment.Waiting{Kind: kind, For: subject, Since: c.now} })
		c.record(func() { c.d.Waiting = nil })
	}
}
