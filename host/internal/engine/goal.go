package engine

import (
	"context"
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// fixSteps decides, once, what the run restores.
func (o *owner) fixSteps(d *deployment.Deployment) error {
	var fixed bool
	var goal string
	o.read(func() { fixed, goal = len(d.Run().Steps) > 0, d.Run().Goal })
	if fixed {
		return nil
	}
	var steps []deployment.Step
	var added []deployment.Component
	if goal != "" {
		var err error
		if steps, added, err = o.goalSteps(d, goal); err != nil {
			return err
		}
	} else {
		o.read(func() { steps = d.RollbackSteps() })
	}
	if err := o.fillGoals(d, steps, added); err != nil {
		return err
	}
	return o.commit(d, func(*change) {
		d.Components = append(d.Components, added...)
		d.Run().Steps = steps
	})
}

// fillGoals gives each step the checks and the spec stored with the deployment
// whose state is restored. Where APM knows none, Probe alone judges.
func (o *owner) fillGoals(d *deployment.Deployment, steps []deployment.Step, added []deployment.Component) error {
	for i := range steps {
		s := &steps[i]
		if s.Action != deployment.ActionRestore || s.GoalFrom == "" {
			continue
		}
		definition, err := o.definitionOf(s.GoalFrom, s.Component)
		if err != nil {
			return err
		}
		s.GoalChecks, s.GoalSpec = definition.Checks, definition.Spec
	}
	return nil
}

// goalSteps are the steps to the `after` of a completed deployment: components
// that it had are restored, those that it had not are removed.
func (o *owner) goalSteps(d *deployment.Deployment, goal string) (steps []deployment.Step, added []deployment.Component, err error) {
	var source *deployment.Deployment
	err = o.fetch(func(ctx context.Context) error {
		var err error
		source, err = o.engine.Store.Deployment(ctx, goal)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read deployment %q, the goal of the rollback: %w", goal, err)
	}
	running := map[string]deployment.Running{}
	o.read(func() {
		for name, r := range o.state.Components {
			running[name] = r
		}
	})
	o.read(func() { steps, added = stepsToGoal(d, source, running) })
	return steps, added, nil
}

// stepsToGoal decides what a rollback to the `after` of source does to each
// component, given what runs.
func stepsToGoal(d, source *deployment.Deployment, running map[string]deployment.Running) (steps []deployment.Step, added []deployment.Component) {
	known := map[string]bool{}
	add := func(name string, platform string, definition deployment.ComponentDefinition) {
		known[name] = true
		s := deployment.Step{Component: name, Action: deployment.ActionNone}
		now, runs := running[name]
		then := source.Component(name)
		switch {
		case then != nil && !then.Dropped && then.After != nil && runs && runsAs(now, then.After):
		case then != nil && !then.Dropped && then.After != nil:
			s.Action, s.Goal, s.GoalFrom = deployment.ActionRestore, then.After, source.ID
			if then.Release != nil {
				s.GoalRelease = then.Release.Digest
			}
		case runs:
			s.Action = deployment.ActionRemove
			s.Goal = &deployment.SnapshotRef{Empty: true}
		}
		steps = append(steps, s)
		if d.Component(name) == nil {
			added = append(added, deployment.Component{
				Name: name, Platform: platform, DependsOn: definition.DependsOn,
				Definition: definition, Status: deployment.Pending,
			})
		}
	}
	for i := range d.Components {
		c := &d.Components[i]
		add(c.Name, c.Platform, c.Definition)
	}
	for i := range source.Components {
		c := &source.Components[i]
		if !known[c.Name] && !c.Dropped {
			add(c.Name, c.Platform, c.Definition)
		}
	}
	return steps, added
}

// runsAs says whether a component runs as the snapshot has it: it is the one that
// was brought there last, and nobody is known to have changed it since.
func runsAs(now deployment.Running, snapshot *deployment.SnapshotRef) bool {
	return now.Snapshot != nil && now.Snapshot.Key == snapshot.Key && now.Drifted == ""
}
