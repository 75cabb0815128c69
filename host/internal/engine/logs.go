package engine

import (
	"context"
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// Logs sends the log lines of a deployment's components, one component after
// the other, or with Follow all side by side until ctx ends.
func (e *Engine) Logs(ctx context.Context, id string, query deployment.LogQuery, send func(component string, lines ...deployment.LogLine) error) error {
	d, err := e.Store.Deployment(ctx, id)
	if err != nil {
		return storeError(err)
	}
	if query.Component != "" && d.Component(query.Component) == nil {
		return &deployment.Error{
			Code: deployment.Invalid, Message: "no such component",
			Problems: []deployment.Problem{{Field: "component", Message: fmt.Sprintf("deployment %s has no component %q", id, query.Component)}},
		}
	}
	graph := deployment.Graph{}
	for i := range d.Components {
		if query.Component == "" || d.Components[i].Name == query.Component {
			graph[d.Components[i].Name] = nil
		}
	}
	if !query.Follow {
		for i := range d.Components {
			if _, wanted := graph[d.Components[i].Name]; wanted {
				if err := e.logsOf(ctx, d, &d.Components[i], query, send); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return inOrder(ctx, graph, func(ctx context.Context, name string) error {
		return e.logsOf(ctx, d, d.Component(name), query, send)
	})
}

// logsOf sends the log lines of one component.
func (e *Engine) logsOf(ctx context.Context, d *deployment.Deployment, c *deployment.Component, query deployment.LogQuery, send func(string, ...deployment.LogLine) error) error {
	p, err := e.Platforms.Get(c.Platform)
	if err != nil {
		return err
	}
	ids := []string{d.ID, d.Previous}
	if state, err := e.Store.State(ctx, d.Target); err == nil {
		ids = append(ids, state.Components[c.Name].Deployment)
	}
	p = e.discreetFor(ctx, p, d.Target, d.Version, c.Definition, ids...)
	reader, reads := p.(sdk.LogReader)
	if !reads || !sdk.CapabilitiesOf(p).Logs {
		return &deployment.Error{Code: deployment.Invalid, Message: "platform " + c.Platform + " cannot read logs"}
	}
	err = reader.Logs(ctx, sdk.LogsRequest{
		Target:   targetOf(d.Target, c.Name, d.Version, c.Definition.Spec),
		Resource: query.Resource, Since: query.Since, Tail: query.Tail,
		Follow: query.Follow, Previous: query.Previous,
	}, func(lines ...sdk.LogLine) error {
		converted := make([]deployment.LogLine, 0, len(lines))
		for _, line := range lines {
			converted = append(converted, fromLog(line))
		}
		return send(c.Name, converted...)
	})
	if err != nil && ctx.Err() == nil {
		return platformError(err, c.Platform, "read the logs of component "+c.Name)
	}
	return nil
}
