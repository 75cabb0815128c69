package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// putBack is how long Upgrade waits for the old binary to be ready again.
const putBack = 20 * time.Second

// UpgradeResult says what an upgrade of a plugin did.
type UpgradeResult struct {
	Plugin                 string
	FromVersion, ToVersion string // From is "" where nothing ran before
	FromSHA256, ToSHA256   string
	Platforms              []string // that were upgraded, in the order of config.hcl
	Unchanged              bool     // what is pinned runs already; nothing was done
}

// Upgrade replaces the binary of a plugin that runs by the one that is pinned
// now, on all its platforms. The new one is verified, started and asked beside
// the old one, whose place it takes only when that has ended; first on one
// platform, and when it stayed ready there for Times.Settle on the others. To the
// engine that looks like a plugin that was restarted.
//
// The error is a *deployment.Error. It says that the old one stays in charge,
// also where the new one had begun: then the old one was put back on every
// platform. NotFound is an unknown plugin; Conflict one that is upgraded already,
// or that no platform uses. Where what is pinned is the binary that a platform has
// already, and does not run there, it says so.
//
// The end of ctx ends an upgrade that has changed nothing yet; later it only ends
// the waiting, and the upgrade goes on.
func (s *Supervisor) Upgrade(ctx context.Context, plugin string) (UpgradeResult, error) {
	result, err := s.upgrade(ctx, plugin)
	if err == nil && result.Unchanged {
		err = s.runs(plugin)
	}
	return result, err
}

// runs says which platform of a plugin is not up.
func (s *Supervisor) runs(plugin string) error {
	for _, k := range s.of(plugin) {
		state, _, _ := k.look()
		if state.Phase == Ready || state.Phase == Unhealthy {
			continue
		}
		e := state.unavailable(nil)
		e.Message = fmt.Sprintf("plugin %q has the pinned binary already, so that nothing was upgraded, but %s", plugin, e.Message)
		e.Remedy = cmp.Or(e.Remedy, "apm plugin list says how it goes on")
		return e
	}
	return nil
}

// upgrade is Upgrade, which is content where there was nothing to do.
func (s *Supervisor) upgrade(ctx context.Context, plugin string) (UpgradeResult, error) {
	release, err := s.claim(plugin)
	if err != nil {
		return UpgradeResult{}, err
	}
	u := &upgrade{supervisor: s, result: UpgradeResult{Plugin: plugin}}
	if err := u.prepare(ctx); err != nil || u.result.Unchanged {
		release()
		return u.result, err
	}
	done := make(chan error, 1)
	go func() {
		defer release()
		done <- u.carryOut()
	}()
	select {
	case err := <-done:
		return u.result, err
	case <-ctx.Done():
		return UpgradeResult{Plugin: plugin}, &deployment.Error{
			Code: deployment.Unavailable, Err: ctx.Err(), RetryAfter: s.config.Catalog.config.Times.Settle,
			Message: fmt.Sprintf("plugin %q: its upgrade takes longer than was waited for, and goes on", plugin),
			Remedy:  "apm plugin list says what runs",
		}
	}
}

// UpgradeChanged upgrades each plugin whose pinned binary is not the one that
// runs, one after the other. What was upgraded is returned also where others
// could not be.
func (s *Supervisor) UpgradeChanged(ctx context.Context) ([]UpgradeResult, error) {
	var plugins []string
	for _, name := range s.names {
		if plugin := s.keepers[name].spec.Plugin; !slices.Contains(plugins, plugin) {
			plugins = append(plugins, plugin)
		}
	}
	var results []UpgradeResult
	var found []error
	for _, plugin := range plugins {
		result, err := s.upgrade(ctx, plugin)
		switch {
		case err != nil:
			found = append(found, err)
		case !result.Unchanged:
			results = append(results, result)
		}
	}
	return results, errors.Join(found...)
}

// claim lets nobody else restart or upgrade the plugin until release, for which
// Close waits.
func (s *Supervisor) claim(plugin string) (release func(), err error) {
	if _, err := s.config.Catalog.plugin(plugin); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, unusable(nil, "start the host", "plugin %q was not upgraded: the host is stopping", plugin)
	}
	if s.upgrading[plugin] {
		return nil, busy(plugin)
	}
	if len(s.of(plugin)) == 0 {
		return nil, &deployment.Error{
			Code: deployment.Conflict, Message: fmt.Sprintf("plugin %q runs for no platform", plugin),
			Remedy: "there is nothing to upgrade: the next start takes what is locked",
		}
	}
	s.upgrading[plugin] = true
	s.running.Add(1)
	return func() {
		defer s.running.Done()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.upgrading, plugin)
	}, nil
}

func busy(plugin string) error {
	return &deployment.Error{
		Code: deployment.Conflict, Message: fmt.Sprintf("plugin %q is being upgraded", plugin),
		Remedy: "wait until that has ended: apm plugin list says what runs",
	}
}

// of returns the keepers of a plugin's platforms.
func (s *Supervisor) of(plugin string) []*keeper {
	var keepers []*keeper
	for _, name := range s.names {
		if k := s.keepers[name]; k.spec.Plugin == plugin {
			keepers = append(keepers, k)
		}
	}
	return keepers
}
