package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// platform returns the platform as soon as its plugin answers. Meanwhile the
// deployment waits for the plugin, visibly, and says why. One that does not
// answer by the deadline leaves unknown what became of its operation.
func (o *owner) platform(ctx context.Context, d *deployment.Deployment, component, name string) (sdk.Platform, error) {
	p, err := o.engine.answers(name)
	for err != nil {
		if deployment.CodeOf(err) != deployment.Unavailable {
			return nil, &failure{Failure: deployment.Failure{
				Code: deployment.CodePluginError, Message: err.Error(),
				Suggestion: "bring the platform back into config.hcl",
			}}
		}
		o.waitForPlugin(ctx, d, component, err)
		if p, err = o.awaitNews(ctx, name); err != nil && ctx.Err() != nil {
			return nil, pluginDown(context.Cause(ctx), component, err)
		}
	}
	o.waitNoMore(d, component, deployment.WaitPlugin)
	o.read(func() { p = o.discreetly(p, d, component) })
	return p, nil
}

// answers returns the platform if its plugin answers now, be what it drives well
// or not: then the plugin's own words say more.
func (e *Engine) answers(name string) (sdk.Platform, error) {
	p, err := e.Platforms.Get(name)
	if err == nil || deployment.CodeOf(err) != deployment.Unavailable {
		return p, err
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	return e.Platforms.Await(now, name)
}

// awaitNews waits for the platform, but not for longer than until the next look
// at why it is not there.
func (o *owner) awaitNews(ctx context.Context, name string) (sdk.Platform, error) {
	bounded, cancel := context.WithTimeout(ctx, o.engine.Poll)
	defer cancel()
	p, err := o.engine.Platforms.Await(bounded, name)
	if err != nil && bounded.Err() == nil { // nobody waits for it any more there, but here
		sleep(ctx, o.engine.Retry)
	}
	return p, err
}

// waitForPlugin records that the deployment waits for a platform, with why that
// is not there. What it is shown to wait for already for somebody else stays.
func (o *owner) waitForPlugin(ctx context.Context, d *deployment.Deployment, component string, err error) {
	var other bool
	o.read(func() { other = d.Waiting != nil && o.waiter[d.ID] != component })
	if !other {
		o.wait(ctx, d, component, deployment.WaitPlugin, whyDown(err))
	}
}

// whyDown is in one line which platform is not there, why, and, where it will not
// come by itself, what to do.
func whyDown(err error) string {
	var e *deployment.Error
	if !errors.As(err, &e) {
		return oneLine(err.Error())
	}
	why := deployment.Error{Message: e.Message, Problems: e.Problems}
	if e.RetryAfter == 0 {
		why.Remedy = e.Remedy
	}
	return oneLine(why.Error())
}

// oneLine makes one line of a text.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// pluginDown is why something ended that needed a platform: at its deadline the
// platform, its state and the remedy are named.
func pluginDown(cause error, component string, down error) error {
	var late *deadlineError
	if !errors.As(cause, &late) {
		return cause
	}
	return &failure{Failure: deployment.Failure{
		Code: deployment.CodePluginDown, Component: component, Keep: true,
		Message:    clip(late.Error() + ": " + oneLine(down.Error())),
		Suggestion: "apm plugin list says how it is now; then start the wanted version anew",
	}}
}
