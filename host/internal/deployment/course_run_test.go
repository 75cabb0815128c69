package deployment_test

import (
	"time"

	"pgregory.net/rapid"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// deploy goes through the deploy run to its end, and through the rollback that
// may follow from it.
func (c *course) deploy() {
	c.record(func() {})
	c.wait(deployment.WaitLock, "d1")
	if c.disturbed("") {
		return
	}
	c.lock()
	if c.prepare() && c.deployAll() && c.bake() {
		c.record(func() { c.finish(deployment.Completed, "every component passed") })
	}
	if c.run().Open() {
		c.rollBack()
	}
}

// lock takes the lock and adds what the definition dropped.
func (c *course) lock() {
	c.record(func() {
		c.run().LockedAt = c.now
		for i := range rapid.IntRange(0, 2).Draw(c.T, "dropped") {
			c.d.Components = append(c.d.Components, deployment.Component{
				Name: string(rune('x' + i)), Dropped: true, Status: deployment.Pending,
			})
		}
		for _, component := range c.d.Components {
			action := deployment.ActionDeploy
			if component.Dropped {
				action = deployment.ActionRemove
			}
			c.run().Steps = append(c.run().Steps, deployment.Step{Component: component.Name, Action: action})
		}
	})
}

// prepare takes the snapshots. It and those below say whether the run goes on.
func (c *course) prepare() bool {
	for i := range c.d.Components {
		component := &c.d.Components[i]
		c.wait(deployment.WaitPlugin, "process")
		if c.disturbed(component.Name) {
			return false
		}
		c.record(func() {
			component.Before = &deployment.SnapshotRef{Key: component.Name, Empty: !component.Dropped && c.chance("nothing ran", 3)}
		})
	}
	c.record(func() {
		for i := range c.d.Components {
			component := &c.d.Components[i]
			component.Unchanged = !component.Dropped && !component.Before.Empty && c.chance("unchanged", 3)
		}
		c.run().PreparedAt = c.now
	})
	return true
}

// deployAll brings up the components, some of them side by side: all may have
// begun when the first fails.
func (c *course) deployAll() bool {
	r := c.run()
	for i := range c.d.Components {
		name := c.d.Components[i].Name
		if c.d.Components[i].Unchanged {
			c.record(func() { r.Step(name).PassedAt = c.now })
			continue
		}
		if c.disturbed(name) {
			return false
		}
		c.begin(r.Step(name), deployment.OperationDeploy)
		if c.chance("refused", 8) {
			c.record(func() { c.outcome(r.Step(name), deployment.ResultRefused) })
			if c.chance("for good", 2) {
				c.fail(name, false)
				return false
			}
			c.begin(r.Step(name), deployment.OperationDeploy)
		}
		if c.disturbed(name) || !c.settled(name, true) {
			return false
		}
	}
	for i := range c.d.Components {
		name := c.d.Components[i].Name
		if s := r.Step(name); s.SettledAt.IsZero() && s.PassedAt.IsZero() && !c.settled(name, false) {
			return false
		}
		c.wait(deployment.WaitEnvironment, "node n1 is down")
		if c.disturbed(name) {
			return false
		}
		c.record(func() {
			if s := r.Step(name); s.PassedAt.IsZero() {
				s.PassedAt = c.now
			}
		})
	}
	c.record(func() { r.DeployedAt = c.now })
	return true
}

// begin records an intent and that the platform has it.
func (c *course) begin(s *deployment.Step, kind deployment.OperationKind) {
	c.record(func() {
		if s.StartedAt.IsZero() {
			s.StartedAt = c.now
		}
		s.Operations = append(s.Operations, deployment.Operation{ID: "op", Kind: kind, Staged: c.chance("staged", 2), IntentAt: c.now})
	})
	if c.chance("crash", 10) {
		return
	}
	c.record(func() { s.Operation().AcceptedAt = c.now })
	for range rapid.IntRange(0, 3).Draw(c.T, "states") {
		c.record(func() { // a plugin that lies
			s.Operation().Fraction = rapid.Float64().Draw(c.T, "fraction")
			s.Operation().Message = rapid.SampledFrom([]string{"", "waiting for pods"}).Draw(c.T, "message")
		})
	}
}

// settled takes an operation of the deploy to its outcome, or, with later, not
// yet to it.
func (c *course) settled(name string, later bool) bool {
	s := c.run().Step(name)
	if op := s.Operation(); op.Staged && op.Percent < 100 {
		c.record(func() { op.Candidate = &deployment.Candidate{} })
		if c.disturbed(name) {
			return false
		}
		c.record(func() { op.CandidateOK = c.now })
		for _, percent := range []int{10, 50, 100} {
			c.record(func() { op.Percent, op.PercentAt = percent, c.now })
			if c.disturbed(name) {
				return false
			}
		}
	}
	if later && c.chance("side by side", 3) {
		return true
	}
	if c.chance("fails", 10) {
		c.record(func() { c.outcome(s, deployment.ResultFailed) })
		c.fail(name, false)
		return false
	}
	c.record(func() { c.outcome(s, deployment.ResultSucceeded) })
	return true
}

// outcome ends the operation that counts.
func (c *course) outcome(s *deployment.Step, result deployment.Result) {
	op := s.Operation()
	op.Outcome, op.EndedAt = &deployment.Outcome{Result: result}, c.now
	switch result {
	case deployment.ResultSucceeded:
		s.SettledAt, s.Undone = c.now, false
	case deployment.ResultCancelled:
		s.Undone = op.Staged && op.Percent < 100
	default:
		s.Undone = result == deployment.ResultRefused
	}
}

// bake lets the window pass.
func (c *course) bake() bool {
	for c.run().Baked < c.d.Definition.Policy.Bake {
		c.record(func() { c.run().Baked += 17 * time.Second })
		name := ""
		if n := len(c.d.Components); n > 0 {
			name = c.d.Components[rapid.IntRange(0, n-1).Draw(c.T, "component")].Name
		}
		if c.disturbed(name) {
			return false
		}
	}
	return true
}

// rollBack goes through a rollback run that has the lock.
func (c *course) rollBack() {
	if c.chance("cannot come to rest", 12) {
		c.record(func() { c.finish(deployment.RollbackFailed, "rollback failed: the plugin is gone") })
		return
	}
	for i := range c.d.Runs[0].Steps {
		s := &c.d.Runs[0].Steps[i]
		if op := s.Operation(); op != nil && op.Outcome == nil {
			result := rapid.SampledFrom([]deployment.Result{
				deployment.ResultCancelled, deployment.ResultSucceeded, deployment.ResultFailed, deployment.ResultRefused,
			}).Draw(c.T, "settles as")
			c.record(func() { c.outcome(s, result) })
		}
	}
	r := c.run()
	c.record(func() { r.Steps = c.d.RollbackSteps() })
	failed := false
	for i := range r.Steps {
		s := &r.Steps[len(r.Steps)-1-i]
		if s.Action == deployment.ActionNone || failed && c.chance("never begun", 2) {
			continue
		}
		c.begin(s, deployment.OperationRollback)
		c.record(func() { c.outcome(s, deployment.ResultSucceeded) })
		if c.chance("restore fails", 8) {
			c.record(func() { s.Failure = &deployment.Failure{Code: deployment.CodeDeadline, Message: "took too long"} })
			failed = true
			continue
		}
		c.record(func() { s.PassedAt = c.now })
	}
	c.record(func() {
		if failed {
			r.Failure = &deployment.Failure{Message: "took too long"}
			c.finish(deployment.RollbackFailed, "rollback failed: took too long")
			return
		}
		c.finish(deployment.RolledBack, "back on v1")
	})
}

// rollBackLater is a rollback that a person asks for after the end: it waits
// for its turn, and may be withdrawn or refused then.
func (c *course) rollBackLater() {
	before, why := c.d.Status, c.d.Reason
	c.record(func() {
		c.d.Runs = append(c.d.Runs, deployment.Run{
			Number: len(c.d.Runs) + 1, Kind: deployment.RunRollback, Trigger: deployment.TriggerUser, Actor: alice,
			Reason: "too slow", From: "v2", To: "v1", RequestedAt: c.now,
		})
	})
	c.wait(deployment.WaitLock, "d3")
	if c.d.Status != deployment.Pending {
		c.Fatalf("a rollback waits, and it is %s", c.d.Status)
	}
	if c.chance("refused when its turn comes", 4) {
		c.record(func() { c.finish(before, why+"; a rollback was refused") })
		if c.d.Status != before {
			c.Fatalf("a rollback that was refused made %s of %s", c.d.Status, before)
		}
		return
	}
	c.record(func() { c.run().LockedAt = c.now })
	c.rollBack()
}
