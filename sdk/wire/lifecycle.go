package wire

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// lifecycle knows whether the process is configured and draining, and which
// mutating calls and operations are under way.
type lifecycle struct {
	mu        sync.Mutex
	tried     bool // Configure was called
	ready     bool // and succeeded
	draining  bool
	calls     map[string][]call   // mutating calls under way, by operation id, in order
	following map[string]struct{} // accepted operations whose Outcome was not sent
	idle      chan struct{}       // closed when calls becomes empty while draining
}

// call is closed when the call has ended.
type call chan struct{}

func newLifecycle() *lifecycle {
	return &lifecycle{calls: map[string][]call{}, following: map[string]struct{}{}, idle: make(chan struct{})}
}

// configure admits the one Configure of the process.
func (l *lifecycle) configure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tried {
		return sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict,
			"the plugin was configured already: start it again to configure it anew")
	}
	l.tried = true
	return nil
}

func (l *lifecycle) configured() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = true
}

// check refuses calls before a successful Configure.
func (l *lifecycle) check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.checkLocked()
}

func (l *lifecycle) checkLocked() error {
	if !l.ready {
		return sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonNotConfigured,
			"the plugin is not configured: Configure must succeed before this call")
	}
	return nil
}

// begin admits a mutating call; end must be called when it is done. earlier are
// the calls about the same operation that are still under way.
func (l *lifecycle) begin(id string) (end func(), earlier []call, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.checkLocked(); err != nil {
		return nil, nil, err
	}
	if l.draining {
		return nil, nil, sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable,
			"the plugin is draining and takes no new work: call its successor")
	}
	own := make(call)
	earlier = l.calls[id]
	l.calls[id] = append(slices.Clip(earlier), own)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		close(own)
		left := slices.DeleteFunc(slices.Clone(l.calls[id]), func(other call) bool { return other == own })
		if l.calls[id] = left; len(left) == 0 {
			delete(l.calls, id)
		}
		l.signalLocked()
	}, earlier, nil
}

// await returns when the calls have ended.
func await(ctx context.Context, calls []call) error {
	for _, one := range calls {
		select {
		case <-one:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (l *lifecycle) accepted(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.following[id] = struct{}{}
}

func (l *lifecycle) ended(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.following, id)
}

func (l *lifecycle) signalLocked() {
	if !l.draining || len(l.calls) > 0 {
		return
	}
	select {
	case <-l.idle:
	default:
		close(l.idle)
	}
}

// drain refuses new mutating calls from now on and waits for those under way,
// for at most grace.
func (l *lifecycle) drain(ctx context.Context, grace time.Duration) {
	l.mu.Lock()
	l.draining = true
	l.signalLocked()
	l.mu.Unlock()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-l.idle:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// inFlight lists the operations that are not known to have ended.
func (l *lifecycle) inFlight() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := make([]string, 0, len(l.calls)+len(l.following))
	for id := range l.calls {
		ids = append(ids, id)
	}
	for id := range l.following {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
