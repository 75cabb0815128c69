package engine

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// owner does all that happens to one target while this host holds its lease.
// Everything that it knows it has read from, or written to, the store under its
// epoch; mu guards the aggregates, which its goroutines share.
type owner struct {
	engine *Engine
	target deployment.Target
	epoch  uint64
	log    *slog.Logger

	ctx    context.Context // ends when the lease is lost or the engine stops
	cancel context.CancelFunc
	done   chan struct{}
	expiry *time.Timer
	bell   chan struct{}

	mu      sync.Mutex
	state   deployment.TargetState
	open    []*deployment.Deployment // oldest first
	current *deployment.Deployment
	handled map[string]bool // commands that were carried out
	ends    int             // deployments that were forgotten
	// waiter says for each deployment that waits which component it waits for.
	waiter  map[string]string
	changed chan struct{} // closed and replaced at every commit
	// active is the run that holds the lock; stopActive ends its course when a
	// person cancels.
	active     *deployment.Deployment
	activeDone chan struct{}
	stopActive context.CancelCauseFunc
	past       []deployment.PastRun // of the active run's kind, for estimates
	watching   *monitor
}

// newOwner returns an owner under the lease that was asked for at the time.
func newOwner(ctx context.Context, e *Engine, lease deployment.Lease, asked time.Time) *owner {
	o := &owner{
		engine: e, target: lease.Target, epoch: lease.Epoch,
		log:  e.Log.With("target", lease.Target.String(), "epoch", lease.Epoch),
		done: make(chan struct{}), bell: make(chan struct{}, 1),
		handled: map[string]bool{}, changed: make(chan struct{}), waiter: map[string]string{},
	}
	o.ctx, o.cancel = context.WithCancel(ctx)
	o.expiry = time.AfterFunc(o.left(asked, lease.For), func() {
		o.log.Warn("lease could not be renewed in time")
		o.cancel()
	})
	return o
}

// left is how long the owner may go on under a lease, counted from when it was
// asked for: its calls have ended before the lease does.
func (o *owner) left(asked time.Time, lasts time.Duration) time.Duration {
	return lasts - lasts/20 - o.engine.Now().Sub(asked)
}

// extend moves the end of the lease.
func (o *owner) extend(asked time.Time, lasts time.Duration) {
	if o.ctx.Err() == nil {
		o.expiry.Reset(o.left(asked, lasts))
	}
}

// lose stops the owner: it changes nothing any more.
func (o *owner) lose() { o.cancel() }

// wake makes the owner look for new work.
func (o *owner) wake() {
	select {
	case o.bell <- struct{}{}:
	default:
	}
}

// run loads the target's work and goes on with it until the lease ends.
func (o *owner) run() {
	defer close(o.done)
	defer o.expiry.Stop()
	defer o.cancel()
	poll := time.NewTicker(o.engine.Poll)
	defer poll.Stop()
	defer o.stopWork()
	for o.ctx.Err() == nil {
		if err := o.refresh(); err != nil {
			o.log.Warn("read the work of a target", "error", err)
		} else {
			o.step()
		}
		select {
		case <-o.ctx.Done():
		case <-o.bell:
		case <-poll.C:
		}
	}
}

// stopWork waits for what the owner started.
func (o *owner) stopWork() {
	o.cancel()
	o.mu.Lock()
	running, watching := o.activeDone, o.watching
	o.mu.Unlock()
	if running != nil {
		<-running
	}
	if watching != nil {
		watching.stop()
	}
}

// refresh reads deployments and commands that others recorded meanwhile. What
// the owner itself holds is newer than the store's copy and stays.
func (o *owner) refresh() error {
	call, cancel := context.WithTimeout(o.ctx, o.engine.Config.Renew)
	defer cancel()
	var ends int
	o.read(func() { ends = o.ends })
	work, err := o.engine.Store.Work(call, o.target)
	if err != nil {
		return err
	}
	o.mu.Lock()
	first := o.state.Application == ""
	if first {
		o.state = work.State
		o.state.Target = o.target
		if o.state.Components == nil {
			o.state.Components = map[string]deployment.Running{}
		}
	}
	if o.current == nil || o.current.ID != o.state.Current {
		o.current = nil
		if held := o.find(o.state.Current); held != nil { // one aggregate of each deployment
			o.current = held
		} else if work.Current != nil && work.Current.ID == o.state.Current {
			o.current = work.Current
		}
	}
	if ends == o.ends { // else one that ended meanwhile could come back as it was
		o.admit(work.Open)
	}
	o.mu.Unlock()
	handled := map[string]bool{} // those that are gone from the store are forgotten
	for _, command := range work.Commands {
		if !o.handled[command.ID] {
			o.carryOut(command)
		}
		handled[command.ID] = o.handled[command.ID]
	}
	o.handled = handled
	return nil
}

// admit adds the deployments that the owner does not hold yet. The current one
// may be held already, and have a rollback open all the same. Called under mu.
func (o *owner) admit(open []*deployment.Deployment) {
	for _, d := range open {
		held := false
		for _, other := range o.open {
			held = held || other.ID == d.ID
		}
		if o.current != nil && o.current.ID == d.ID {
			d = o.current
		}
		if r := d.Run(); !held && r != nil && r.Open() {
			o.open = append(o.open, d)
		}
	}
}

// find returns the aggregate that the owner holds, or nil.
func (o *owner) find(id string) *deployment.Deployment {
	for _, d := range o.open {
		if d.ID == id {
			return d
		}
	}
	if o.current != nil && o.current.ID == id {
		return o.current
	}
	return nil
}

// step starts the next run when none is active, tells those that wait what for,
// and watches what runs while nothing else does.
func (o *owner) step() {
	o.mu.Lock()
	if o.active != nil {
		o.mu.Unlock()
		o.heartbeat()
		o.tellQueue()
		return
	}
	next := nextRun(o.open, o.state)
	o.mu.Unlock()
	if next == nil {
		o.watchCurrent()
		return
	}
	o.stopWatching()
	o.begin(next)
	o.tellQueue()
}

// nextRun picks the deployment whose run goes on: the one that holds the lock;
// else a rollback; else the oldest.
func nextRun(open []*deployment.Deployment, state deployment.TargetState) *deployment.Deployment {
	var next *deployment.Deployment
	for _, d := range open {
		r := d.Run()
		if r == nil || !r.Open() {
			continue
		}
		switch {
		case d.ID == state.Holder || !r.LockedAt.IsZero():
			return d
		case next == nil:
			next = d
		case r.Kind == deployment.RunRollback && next.Run().Kind != deployment.RunRollback:
			next = d
		}
	}
	return next
}

// begin drives the deployment's open run in a goroutine.
func (o *owner) begin(d *deployment.Deployment) {
	course, stop := context.WithCancelCause(o.ctx)
	done := make(chan struct{})
	o.mu.Lock()
	o.active, o.activeDone, o.stopActive = d, done, stop
	cancelled := d.Run().Cancel != nil
	o.mu.Unlock()
	if cancelled {
		stop(errCancelled)
	}
	go func() {
		defer close(done)
		defer o.wake()
		defer stop(nil)
		o.drive(course, d)
		o.mu.Lock()
		defer o.mu.Unlock()
		o.active, o.activeDone, o.stopActive = nil, nil, nil
		o.forget(d)
	}()
}

// forget drops a deployment whose runs have all ended from the open ones.
func (o *owner) forget(d *deployment.Deployment) {
	if r := d.Run(); r != nil && r.Open() {
		return
	}
	kept := o.open[:0]
	for _, other := range o.open {
		if other != d {
			kept = append(kept, other)
		}
	}
	o.open = kept
	o.ends++
	delete(o.waiter, d.ID)
	if o.state.Current == d.ID {
		o.current = d
	}
}

// tellQueue records what each waiting deployment waits for.
func (o *owner) tellQueue() {
	o.mu.Lock()
	active := o.active
	var waiting []*deployment.Deployment
	if active != nil {
		for _, d := range o.open {
			r := d.Run()
			if d != active && r != nil && r.Open() && r.LockedAt.IsZero() &&
				(d.Waiting == nil || d.Waiting.For != active.ID) {
				waiting = append(waiting, d)
			}
		}
	}
	o.mu.Unlock()
	for _, d := range waiting {
		o.wait(o.ctx, d, "", deployment.WaitLock, active.ID)
	}
}
