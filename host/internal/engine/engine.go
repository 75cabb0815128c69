package engine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Config is what an engine is made of. The parts are required, the times have
// defaults.
type Config struct {
	Store       Store
	Platforms   Platforms
	Definitions Definitions
	Checker     Checker
	Bus         Bus
	Log         *slog.Logger
	// Confide is told what the plugin of a platform is told in confidence, before
	// it is; nil: nobody.
	Confide func(platform string, secrets []string)

	Host string // identity of this process on leases; required

	LeaseTTL time.Duration // default 15 s
	Renew    time.Duration // default a third of LeaseTTL
	Poll     time.Duration // beside the doorbell; default 1 s
	// Silence of a Watch stream after which it is opened again; default 45 s.
	Silence time.Duration
	// Retry bounds the pause between attempts at a platform that is down, which
	// doubles from a tenth of it; default 5 s.
	Retry time.Duration
	// CallTimeout bounds one call that answers at once; default 60 s.
	CallTimeout time.Duration

	Now   func() time.Time // default time.Now
	NewID func() string    // default a random UUID
}

// withDefaults returns the configuration with its defaults filled in.
func (c Config) withDefaults() Config {
	set := func(field *time.Duration, value time.Duration) {
		if *field <= 0 {
			*field = value
		}
	}
	set(&c.LeaseTTL, 15*time.Second)
	set(&c.Renew, c.LeaseTTL/3)
	set(&c.Poll, time.Second)
	set(&c.Silence, 45*time.Second)
	set(&c.Retry, 5*time.Second)
	set(&c.CallTimeout, 60*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewID == nil {
		c.NewID = uuid.NewString
	}
	return c
}

// Engine runs the deployments of every target that this host holds the lease of.
type Engine struct {
	Config

	// nudged: something was accepted here, so that nobody waits for the poll.
	nudged chan struct{}

	mu     sync.Mutex
	owners map[deployment.Target]*owner
	// orphans are targets whose owner gave up although the lease may still be
	// ours: they are released, to be claimed anew under a higher epoch.
	orphans []deployment.Target

	misdeeds misdeeds
	confided confided
}

// New returns an engine; nothing happens until Run.
func New(config Config) *Engine {
	return &Engine{
		Config: config.withDefaults(),
		nudged: make(chan struct{}, 1), owners: map[deployment.Target]*owner{},
	}
}

// Run claims targets and runs their work until ctx ends. It then lets go: the
// operations go on at their platforms, the leases are released, and another
// host, or this one when it is back, takes over from the record.
func (e *Engine) Run(ctx context.Context) error {
	var owners sync.WaitGroup
	defer e.releaseAll(ctx, &owners)

	claim := time.NewTicker(e.Poll)
	defer claim.Stop()
	renew := time.NewTicker(e.Config.Renew)
	defer renew.Stop()
	e.claim(ctx, &owners)
	for {
		select { // a renewal that is due goes before all else
		case <-renew.C:
			e.renew(ctx)
			continue
		default:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-e.nudged:
			e.wake()
			e.claim(ctx, &owners)
		case <-claim.C:
			e.claim(ctx, &owners)
		case <-renew.C:
			e.renew(ctx)
		}
	}
}

// claim takes every target that nobody holds and starts its owner.
func (e *Engine) claim(ctx context.Context, owners *sync.WaitGroup) {
	call, cancel := context.WithTimeout(ctx, e.Config.Renew)
	defer cancel()
	e.mu.Lock()
	orphans := e.orphans
	e.orphans = nil
	e.mu.Unlock()
	if len(orphans) > 0 {
		if err := e.Store.Release(call, e.Host, orphans...); err != nil {
			e.Log.Warn("release leases", "error", err)
			e.mu.Lock()
			e.orphans = append(e.orphans, orphans...)
			e.mu.Unlock()
		}
	}
	asked := e.Now()
	leases, err := e.Store.Claim(call, e.Host, e.LeaseTTL)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			e.Log.Warn("claim targets", "error", err)
		}
		return
	}
	for _, lease := range leases {
		e.start(ctx, lease, asked, owners)
	}
}

// start runs an owner under a fresh lease, in place of one whose lease ended.
func (e *Engine) start(ctx context.Context, lease deployment.Lease, asked time.Time, owners *sync.WaitGroup) {
	o := newOwner(ctx, e, lease, asked)
	e.mu.Lock()
	previous := e.owners[lease.Target]
	e.owners[lease.Target] = o
	e.orphans = slices.DeleteFunc(e.orphans, func(t deployment.Target) bool { return t == lease.Target })
	e.mu.Unlock()
	owners.Add(1)
	go func() {
		defer owners.Done()
		if previous != nil {
			previous.lose()
			<-previous.done
		}
		o.run()
		e.mu.Lock()
		if e.owners[lease.Target] == o {
			delete(e.owners, lease.Target)
			if ctx.Err() == nil { // claimed anew at the next poll, which also paces an owner that fails at once
				e.orphans = append(e.orphans, lease.Target)
			}
		}
		e.mu.Unlock()
	}()
}

// renew keeps the leases; an owner whose lease is gone stops at once.
func (e *Engine) renew(ctx context.Context) {
	call, cancel := context.WithTimeout(ctx, e.Config.Renew)
	defer cancel()
	asked := e.Now()
	leases, err := e.Store.Renew(call, e.Host, e.LeaseTTL)
	if err != nil {
		e.Log.Warn("renew leases", "error", err)
		return // each owner stops by itself before its lease ends
	}
	held := make(map[deployment.Target]deployment.Lease, len(leases))
	for _, lease := range leases {
		held[lease.Target] = lease
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for target, o := range e.owners {
		lease, still := held[target]
		if !still || lease.Epoch != o.epoch {
			o.lose()
			continue
		}
		o.extend(asked, lease.For)
	}
	for target := range held {
		if e.owners[target] == nil { // a claim whose answer was lost: ours, and yet nobody's
			e.orphans = append(e.orphans, target)
		}
	}
}

// nudge makes Run look for new work now.
func (e *Engine) nudge() {
	select {
	case e.nudged <- struct{}{}:
	default:
	}
}

// wake tells every owner to look for new work.
func (e *Engine) wake() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, o := range e.owners {
		o.wake()
	}
}

// releaseAll waits for the owners and gives every lease of this host back.
func (e *Engine) releaseAll(ctx context.Context, owners *sync.WaitGroup) {
	e.mu.Lock()
	for _, o := range e.owners {
		o.lose()
	}
	e.mu.Unlock()
	owners.Wait()
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.Config.Renew)
	defer cancel()
	if err := e.Store.Release(call, e.Host); err != nil {
		e.Log.Warn("release leases", "error", err)
	}
}
