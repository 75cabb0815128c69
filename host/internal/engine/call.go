package engine

import (
	"context"
	"errors"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// ask makes a call that changes nothing until it is answered: a plugin that is
// gone is awaited, a platform that is down is held for. What is not answered by
// the deadline is unknown.
func (o *owner) ask(ctx context.Context, d *deployment.Deployment, component, platform, doing string, call func(context.Context, sdk.Platform) error) error {
	var last error
	pause := o.engine.Retry / 10
	for {
		p, err := o.platform(ctx, d, component, platform)
		if err != nil {
			return named(err, component)
		}
		bounded, cancel := context.WithTimeout(ctx, o.engine.CallTimeout)
		err = call(bounded, p)
		cancel()
		switch {
		case err == nil:
			o.waitNoMore(d, component, deployment.WaitEnvironment)
			return nil
		case ctx.Err() != nil:
			return unanswered(ctx, component, doing, last)
		case throttled(err) && !errors.Is(err, sdk.ErrPluginGone):
			o.wait(ctx, d, component, deployment.WaitEnvironment, doing+": "+err.Error())
		case uncertain(err):
		default:
			return o.engine.counted(platform, fromPlatform(err, component, doing))
		}
		if last = err; !sleep(ctx, later(err, pause)) {
			return unanswered(ctx, component, doing, last)
		}
		pause = min(2*pause, o.engine.Retry)
	}
}

// unanswered is why a question has no answer when its time is over: nobody could
// look, so that nothing is undone for it.
func unanswered(ctx context.Context, component, doing string, last error) error {
	cause := context.Cause(ctx)
	var late *deadlineError
	if !errors.As(cause, &late) {
		return cause
	}
	message := late.Error() + ": could not " + doing
	if last != nil {
		message += ": " + last.Error()
	}
	return &failure{cause: last, Failure: deployment.Failure{
		Code: deployment.CodeUnknown, Component: component, Keep: true, Message: message,
		Suggestion: "find out why nobody could look, then start the wanted version anew",
	}}
}

// endOf is why something ended with its course: what a call said about that,
// else the course's own cause.
func endOf(ctx context.Context, err error) error {
	if isFailure(err) {
		return err
	}
	return context.Cause(ctx)
}

// later is how long to wait after err: what the platform asks for, else pause.
func later(err error, pause time.Duration) time.Duration {
	var answered *sdk.Error
	if errors.As(err, &answered) && answered.RetryAfter > 0 {
		return answered.RetryAfter
	}
	return pause
}

// named gives a failure the component that it is about.
func named(err error, component string) error {
	var f *failure
	if errors.As(err, &f) && f.Component == "" {
		f.Component = component
	}
	return err
}
