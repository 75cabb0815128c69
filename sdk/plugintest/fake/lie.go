package fake

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// wrongRevision is what a platform says that lies about it.
const wrongRevision = "revision-of-something-else"

// spacing lies between two events that must not be coalesced.
const spacing = 100 * time.Millisecond

// Watch follows an operation, or lies about it.
func (p *faulty) Watch(ctx context.Context, r sdk.WatchRequest, sink sdk.Sink) error {
	m := moment{call: callWatch, target: r.Target, kind: r.Operation.Kind}
	if p.faults.lasting(kindMistake, mistakeOperation, r.Target, r.Operation.Kind) {
		r.Operation.ID = p.anotherOperation(r.Target, r.Operation.ID)
	}
	r.Target = p.other(r.Target)
	_, err := around(p, m, func() (struct{}, error) {
		err := p.platform.Watch(ctx, r, p.lying(ctx, m, sink))
		if errors.Is(err, errUnfinished) {
			err = nil // and no outcome was sent: a broken stream
		}
		return struct{}{}, err
	})
	return err
}

var errUnfinished = errors.New("end without an outcome")

// WatchTarget follows what runs.
func (p *faulty) WatchTarget(ctx context.Context, r sdk.WatchTargetRequest, sink sdk.Sink) error {
	m := moment{call: callWatchTarget, target: r.Target}
	r.Target = p.other(r.Target)
	_, err := around(p, m, func() (struct{}, error) {
		return struct{}{}, p.platform.WatchTarget(ctx, r, p.lying(ctx, m, sink))
	})
	return err
}

// lying passes events on, and what the faults make of them.
func (p *faulty) lying(ctx context.Context, m moment, sink sdk.Sink) sdk.Sink {
	began := false
	return func(events ...sdk.Event) error {
		for _, event := range events {
			if event.Outcome != nil {
				if end, err := p.lieAtTheEnd(ctx, m, &event, sink); end {
					return err
				}
			}
			if err := sink(event); err != nil {
				return err
			}
			if !began {
				began = true
				if err := p.flood(ctx, m, sink); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// lieAtTheEnd changes an outcome and what comes before it. It says whether Watch
// ends here.
func (p *faulty) lieAtTheEnd(ctx context.Context, m moment, event *sdk.Event, sink sdk.Sink) (ends bool, err error) {
	lies := func(what string) bool { return p.faults.lasting(kindLie, what, m.target, m.kind) }
	outcome := *event.Outcome
	event.Outcome = &outcome
	if lies(lieProgress) || p.breaks("backwards") {
		if err := p.backwards(ctx, sink); err != nil {
			return true, err
		}
	}
	if lies(lieUnfinished) {
		return true, errUnfinished
	}
	if lies(lieFailure) {
		outcome.Result, outcome.Message = sdk.ResultFailed, "it runs, and the platform says that it does not"
		outcome.Failure = &sdk.Failure{Code: sdk.CodeOther, Message: outcome.Message}
	}
	if lies(lieRevision) {
		outcome.Revision = wrongRevision
	}
	return false, nil
}

// other returns the target that is answered for: this one, or by mistake another
// component of its application.
func (p *faulty) other(t sdk.Target) sdk.Target {
	if !p.faults.lasting(kindMistake, mistakeComponent, t, 0) {
		return t
	}
	all, err := filepath.Glob(componentFile(p.config.Root, sdk.Target{Application: t.Application, Environment: t.Environment}, "*"))
	if err == nil {
		for _, dir := range all {
			if name := filepath.Base(dir); name != t.Component {
				t.Component = name
				return t
			}
		}
	}
	t.Component = "somebody-elses"
	return t
}

// foreign returns the handle of another operation where that is the fault.
func (p *faulty) foreign(handle sdk.Handle, t sdk.Target, o sdk.Operation) sdk.Handle {
	if handle.IsZero() || !p.faults.lasting(kindMistake, mistakeOperation, t, o.Kind) {
		return handle
	}
	return handleOf(p.anotherOperation(t, o.ID))
}

// anotherOperation returns an operation of the component that is not the one.
func (p *faulty) anotherOperation(t sdk.Target, id string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.state(t)
	if err == nil {
		for _, other := range sortedKeys(s.Operations) {
			if other != id && s.Operations[other].outcome() != nil {
				return other
			}
		}
	}
	return neverGiven
}

// output is standard error of the process, whatever the SDK has put there.
func output() *os.File { return os.Stderr }
