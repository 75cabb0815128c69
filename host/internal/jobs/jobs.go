// Package jobs runs short background work of the host: retention, and later
// whatever else may be done again and may be late. The supervision of
// deployments is no such work. A job of one name never runs twice at once.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// ErrUnknown says that no job of that name is registered.
var ErrUnknown = errors.New("unknown job")

// Runner runs registered jobs, each by its period.
type Runner struct {
	log *slog.Logger

	mu      sync.Mutex
	jobs    map[string]*job
	started bool
}

// job is one piece of work.
type job struct {
	name    string
	every   time.Duration
	do      func(ctx context.Context) error
	trigger chan struct{}
}

// New returns a runner without jobs.
func New(log *slog.Logger) *Runner {
	return &Runner{log: log, jobs: map[string]*job{}}
}

// Register adds a job before Run. It is run once per period, for the first time
// within the first one, and when it is triggered. A period of 0 means triggered
// only. A job that returns an error is run again in its next turn.
func (r *Runner) Register(name string, every time.Duration, do func(ctx context.Context) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.started:
		return fmt.Errorf("register job %q: the jobs run already", name)
	case name == "" || do == nil || every < 0:
		return fmt.Errorf("register job %q: it needs a name, work and a period of 0 or more", name)
	case r.jobs[name] != nil:
		return fmt.Errorf("register job %q: there is one of that name", name)
	}
	r.jobs[name] = &job{name: name, every: every, do: do, trigger: make(chan struct{}, 1)}
	return nil
}

// Trigger runs a job as soon as possible; while it runs, once more afterwards.
// It does not wait for it. Before Run the job is run when Run begins.
func (r *Runner) Trigger(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.jobs[name]
	if j == nil {
		return fmt.Errorf("trigger job %q: %w", name, ErrUnknown)
	}
	select {
	case j.trigger <- struct{}{}:
	default: // it will run anyway
	}
	return nil
}

// Run runs the jobs until ctx ends, and returns when all that it started has
// ended. It may be called once.
func (r *Runner) Run(ctx context.Context) error {
	r.mu.Lock()
	if r.started {
		r.mu.Unlock()
		return errors.New("run jobs: they run already")
	}
	r.started = true
	var all sync.WaitGroup
	for _, j := range r.jobs {
		all.Go(func() { r.repeat(ctx, j) })
	}
	r.mu.Unlock()
	<-ctx.Done()
	all.Wait()
	return nil
}

// repeat runs a job again and again.
func (r *Runner) repeat(ctx context.Context, j *job) {
	// Hosts that start together do not work together.
	pause := time.Duration(rand.Float64() * float64(j.every))
	for {
		var due <-chan time.Time
		var timer *time.Timer
		if j.every > 0 {
			timer = time.NewTimer(pause)
			due = timer.C
		}
		select {
		case <-ctx.Done():
		case <-due:
		case <-j.trigger:
		}
		if timer != nil {
			timer.Stop()
		}
		if ctx.Err() != nil {
			return
		}
		began := time.Now()
		if err := run(ctx, j); err != nil && ctx.Err() == nil {
			r.log.Error("job failed", "job", j.name, "error", err, "duration", time.Since(began))
		}
		pause = jitter(j.every)
	}
}

// run does the work once. A panic is an error of the job, not of the host.
func run(ctx context.Context, j *job) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("panic: %v\n%s", caught, debug.Stack())
		}
	}()
	return j.do(ctx)
}

// jitter returns the period, a tenth more or less.
func jitter(every time.Duration) time.Duration {
	return time.Duration(float64(every) * (0.9 + 0.2*rand.Float64()))
}
