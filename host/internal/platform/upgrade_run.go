package platform

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// upgrade is one upgrade of a plugin under way.
type upgrade struct {
	supervisor *Supervisor
	result     UpgradeResult
	pin        Pin
	changes    []*change
}

// change is an upgrade's part of one platform.
type change struct {
	keeper   *keeper
	old      *Pin
	wasReady bool
	fresh    *process // waits to be taken; nil: was
	stays    bool
}

// prepare does all that can be done while the old binary is in charge.
func (u *upgrade) prepare(ctx context.Context) (err error) {
	s := u.supervisor
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.stop, cancel)()
	s.changing.Lock()
	defer s.changing.Unlock()

	keepers := s.of(u.result.Plugin)
	u.from(keepers[0])
	if u.pin, err = s.config.Catalog.Install(ctx, u.result.Plugin); err != nil {
		return u.kept(err)
	}
	u.result.ToSHA256 = u.pin.SHA256
	for _, k := range keepers {
		old := k.running()
		if old != nil && old.SHA256 == u.pin.SHA256 {
			continue
		}
		state, _, _ := k.look()
		if len(u.changes) == 0 {
			u.from(k)
		}
		u.changes = append(u.changes, &change{keeper: k, old: old, wasReady: state.Phase == Ready})
	}
	if len(u.changes) == 0 {
		u.result.Unchanged, u.result.ToVersion = true, u.result.FromVersion
		return nil
	}
	for _, c := range u.changes {
		fresh, description, err := s.config.Catalog.audition(ctx, u.pin, c.keeper.spec, s.config.Setup)
		if err != nil {
			u.discard()
			return u.kept(err)
		}
		c.fresh, u.result.ToVersion = fresh, description.Version
	}
	return nil
}

// from notes what runs now.
func (u *upgrade) from(k *keeper) {
	u.result.FromVersion, u.result.FromSHA256 = "", ""
	if old := k.running(); old != nil {
		state, _, _ := k.look()
		u.result.FromVersion, u.result.FromSHA256 = state.Version, old.SHA256
	}
}

// discard ends the new processes that nobody has taken.
func (u *upgrade) discard() {
	for _, c := range u.changes {
		if c.fresh == nil {
			continue
		}
		if err := c.fresh.discard(); err != nil {
			c.keeper.log.Warn("stop plugin", "error", err)
		}
		c.fresh = nil
	}
}

// carryOut changes one platform, and the others when it stays. Where one does not
// stay, all go back.
func (u *upgrade) carryOut() error {
	for _, round := range [][]*change{u.changes[:1], u.changes[1:]} {
		if err := u.change(round); err != nil {
			u.discard()
			u.goBack()
			return u.kept(err)
		}
	}
	for _, c := range u.changes {
		u.result.Platforms = append(u.result.Platforms, c.keeper.spec.Name)
	}
	u.supervisor.log.Info("plugin upgraded", "plugin", u.result.Plugin, "from", u.result.FromVersion, "to", u.result.ToVersion)
	u.supervisor.prune(1)
	return nil
}

// change gives the platforms their new processes and waits until each has
// settled, or not.
func (u *upgrade) change(round []*change) error {
	told := make([]chan error, len(round))
	for i, c := range round {
		told[i] = make(chan error, 1)
		pin := u.pin
		o := &order{
			reason: "upgraded to version " + u.result.ToVersion, pin: &pin, fresh: c.fresh,
			told: told[i], old: c.old, wasReady: c.wasReady,
		}
		c.fresh = nil
		if !c.keeper.give(o) {
			o.drop(errInterrupted)
		}
	}
	var found []error
	for i, c := range round {
		err := <-told[i]
		c.stays = err == nil
		found = append(found, err)
	}
	return errors.Join(found...)
}

// goBack puts the old binary back where the new one stays, and waits until it is
// ready everywhere, not for long.
func (u *upgrade) goBack() {
	waiting, cancel := context.WithTimeout(u.supervisor.stop, putBack)
	defer cancel()
	for _, c := range u.changes {
		if c.stays && c.old != nil {
			c.keeper.give(&order{reason: "the old version is put back", pin: c.old})
		}
	}
	for _, c := range u.changes {
		c.keeper.rests(waiting)
	}
}

// rests waits until the platform is ready or nothing makes it so any more.
func (k *keeper) rests(ctx context.Context) {
	for {
		state, _, changed := k.look()
		switch state.Phase {
		case Ready, Unhealthy, Broken, Stopped:
			return
		case Backoff:
			if !state.NextStart.IsZero() && time.Until(state.NextStart) > 0 {
				return
			}
		default:
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// kept is the error of an upgrade that did not come about.
func (u *upgrade) kept(cause error) error {
	e := &deployment.Error{
		Code: deployment.Unavailable, Err: cause,
		Message: fmt.Sprintf("plugin %q was not upgraded: %s; %s", u.result.Plugin, firstMessage(cause), u.inCharge()),
	}
	var told *deployment.Error
	if errors.As(cause, &told) {
		e.Remedy, e.Problems = told.Remedy, told.Problems
	}
	if u.pin.SHA256 != "" { // the files are the new one's
		after := "lock a binary that is good: a restart takes what is locked, good or not"
		if e.Remedy != "" {
			after = e.Remedy + "; " + after
		}
		e.Remedy = after
	}
	return e
}

// inCharge says what runs, as a clause.
func (u *upgrade) inCharge() string {
	switch {
	case u.result.FromSHA256 == "":
		return "nothing ran before"
	case u.result.FromVersion == "":
		return "the old one stays in charge"
	default:
		return fmt.Sprintf("the old one, version %s, stays in charge", u.result.FromVersion)
	}
}

// firstMessage is what a person reads of an error, without its remedy.
func firstMessage(err error) string {
	var e *deployment.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}
