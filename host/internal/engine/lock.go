package engine

import (
	"context"
	"errors"
	"sort"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// lock takes the target for the deployment and fixes what it starts from.
func (o *owner) lock(d *deployment.Deployment) error {
	var locked bool
	o.read(func() { locked = !d.Run().LockedAt.IsZero() })
	if locked {
		return nil
	}
	dropped, err := o.dropped(d)
	if err != nil {
		return err
	}
	return o.commit(d, func(c *change) {
		stopWaiting(d, c)
		c.state = true
		o.state.Holder = d.ID
		d.Previous, d.PreviousVersion = o.state.Current, o.state.Version
		d.Components = append(d.Components, dropped...)
		r := d.Run()
		r.LockedAt, r.From = c.now, o.state.Version
		r.Steps = nil
		for i := range d.Components {
			component := &d.Components[i]
			if running, runs := o.state.Components[component.Name]; runs {
				component.BeforeFrom, component.BeforeVersion = running.Deployment, running.Version
				component.BeforeRunning = &running
			}
			action := deployment.ActionDeploy
			if component.Dropped {
				action = deployment.ActionRemove
			}
			r.Steps = append(r.Steps, deployment.Step{Component: component.Name, Action: action})
		}
	})
}

// dropped returns the components that run and that the definition no longer has.
func (o *owner) dropped(d *deployment.Deployment) ([]deployment.Component, error) {
	var names []string
	running := map[string]deployment.Running{}
	o.read(func() {
		for name, r := range o.state.Components {
			if d.Component(name) == nil {
				names = append(names, name)
				running[name] = r
			}
		}
	})
	sort.Strings(names)
	components := make([]deployment.Component, 0, len(names))
	for _, name := range names {
		definition, err := o.definitionOf(running[name].Deployment, name)
		if err != nil {
			return nil, err
		}
		definition.Platform = running[name].Platform
		components = append(components, deployment.Component{
			Name: name, Platform: running[name].Platform, DependsOn: definition.DependsOn,
			Definition: definition, Dropped: true, Status: deployment.Pending,
		})
	}
	return components, nil
}

// definitionOf returns the definition of a component in a deployment, an empty
// one where the deployment is not known any more.
func (o *owner) definitionOf(id, component string) (deployment.ComponentDefinition, error) {
	empty := deployment.ComponentDefinition{
		Name: component, Monitor: deployment.DefaultMonitor(), Promotion: deployment.DefaultPromotion(),
	}
	if id == "" {
		return empty, nil
	}
	var source *deployment.Deployment
	err := o.fetch(func(ctx context.Context) error {
		var err error
		source, err = o.engine.Store.Deployment(ctx, id)
		return err
	})
	if errors.Is(err, deployment.ErrNotFound) {
		return empty, nil
	}
	if err != nil {
		return empty, err
	}
	if c := source.Component(component); c != nil {
		return c.Definition, nil
	}
	return empty, nil
}
