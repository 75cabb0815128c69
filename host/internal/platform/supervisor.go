package platform

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// SupervisorConfig is what a Supervisor needs.
type SupervisorConfig struct {
	Catalog   *Catalog
	Platforms []Spec
	Setup     Setup
	Log       *slog.Logger // nil: nowhere
	// Changed is told each new state of each platform, in order; nil: nobody. It
	// must return soon and not call the supervisor.
	Changed func(State)
}

// Supervisor keeps one process running per platform. It is safe for concurrent
// use.
type Supervisor struct {
	config  SupervisorConfig
	log     *slog.Logger
	keepers map[string]*keeper
	names   []string
	stop    context.Context    // ends when Close begins
	cancel  context.CancelFunc // begin to stop
	hurry   context.CancelFunc // stop at once
	running sync.WaitGroup

	changing sync.Mutex // held while copies are made for an upgrade or removed

	mu        sync.Mutex
	closed    bool
	upgrading map[string]bool // plugins
}

// NewSupervisor starts the platforms and returns at once; Await waits for one.
// A platform that cannot be started does not keep the others from it. Close must
// be called.
func NewSupervisor(config SupervisorConfig) (*Supervisor, error) {
	log := config.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Supervisor{config: config, log: log, keepers: map[string]*keeper{}, upgrading: map[string]bool{}}
	for _, spec := range config.Platforms {
		if !nameShape.MatchString(spec.Name) {
			return nil, fmt.Errorf("platform %q: the name must be lower-case letters, digits, - and _", spec.Name)
		}
		if _, twice := s.keepers[spec.Name]; twice {
			return nil, fmt.Errorf("platform %q stands twice", spec.Name)
		}
		if _, err := config.Catalog.plugin(spec.Plugin); err != nil {
			return nil, fmt.Errorf("platform %q: %w", spec.Name, err)
		}
		s.keepers[spec.Name] = newKeeper(config, spec, log)
		s.names = append(s.names, spec.Name)
	}
	if err := sweepRunDirs(config.Catalog.config.RunDir); err != nil {
		log.Warn("sweep run directories", "error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	hurry, hurryUp := context.WithCancel(context.Background())
	s.stop, s.cancel, s.hurry = ctx, cancel, hurryUp
	for _, name := range s.names {
		s.running.Go(func() { s.keepers[name].run(ctx, hurry) })
	}
	s.running.Go(func() {
		for _, name := range s.names {
			if !s.keepers[name].pinned(ctx) {
				return
			}
		}
		s.prune(0)
	})
	return s, nil
}

// prune removes the private copies that no platform runs. Where a platform has
// none, nothing is removed: an old copy may be the good one. Nor is it while more
// than that many upgrades are under way, which may go back; they prune themselves.
func (s *Supervisor) prune(upgrades int) {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	others := len(s.upgrading) > upgrades
	s.mu.Unlock()
	if others {
		return
	}
	pins := make([]Pin, 0, len(s.names))
	for _, name := range s.names {
		pin := s.keepers[name].running()
		if pin == nil {
			return
		}
		pins = append(pins, *pin)
	}
	if err := s.config.Catalog.Prune(pins...); err != nil {
		s.log.Warn("prune plugin copies", "error", err)
	}
}

func (s *Supervisor) keeper(name string) (*keeper, error) {
	k, known := s.keepers[name]
	if !known {
		return nil, &deployment.Error{
			Code: deployment.NotFound, Message: fmt.Sprintf("platform %q is not in config.hcl", name),
			Remedy: "known platforms: " + list(s.names),
		}
	}
	return k, nil
}

// Get returns the platform if it is ready. The error is a *deployment.Error:
// NotFound for an unknown name, else Unavailable with the reason. The platform's
// calls fail with sdk.ErrPluginGone once its process has ended: get it afresh for
// each piece of work.
func (s *Supervisor) Get(name string) (sdk.Platform, error) {
	k, err := s.keeper(name)
	if err != nil {
		return nil, err
	}
	state, client, _ := k.look()
	if client == nil || state.Phase != Ready {
		return nil, state.unavailable(nil)
	}
	return client, nil
}

// Await returns the platform as soon as its plugin answers: Ready, or Unhealthy,
// where the plugin's own answer says more than waiting. It ends with ctx, or
// when the host is done with the platform, and then returns Get's error.
func (s *Supervisor) Await(ctx context.Context, name string) (sdk.Platform, error) {
	k, err := s.keeper(name)
	if err != nil {
		return nil, err
	}
	for {
		state, client, changed := k.look()
		switch {
		case client != nil:
			return client, nil
		case state.Phase == Stopped:
			return nil, state.unavailable(nil)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, state.unavailable(ctx.Err())
		}
	}
}

// Describe returns what the platform's plugin says about itself, also while it
// is down; before its first start the error is Get's.
func (s *Supervisor) Describe(name string) (sdk.Description, error) {
	k, err := s.keeper(name)
	if err != nil {
		return sdk.Description{}, err
	}
	return k.describe()
}

// Names returns the names of the platforms, in the order of config.hcl.
func (s *Supervisor) Names() []string { return append([]string(nil), s.names...) }

// States returns where the platforms stand, in the order of Names.
func (s *Supervisor) States() []State {
	states := make([]State, len(s.names))
	for i, name := range s.names {
		states[i], _, _ = s.keepers[name].look()
	}
	return states
}

// Restart drains and starts the platform again, from whatever state. The lock
// file is read anew, so that a newer binary that was locked is taken, whether it
// is any good or not. It returns at once; Await waits. While its plugin is
// upgraded the error is a conflict.
func (s *Supervisor) Restart(name string) error {
	k, err := s.keeper(name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.upgrading[k.spec.Plugin] {
		return busy(k.spec.Plugin)
	}
	k.give(&order{reason: "restarted by hand"})
	return nil
}

// Close drains and stops all platforms, and returns when nothing is left of
// them. When ctx ends they are killed.
func (s *Supervisor) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	unwatch := context.AfterFunc(ctx, s.hurry)
	s.running.Wait()
	unwatch()
	s.hurry()
	return nil
}
