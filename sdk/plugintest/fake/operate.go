package fake

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

func (p *platform) Deploy(_ context.Context, r sdk.DeployRequest) (sdk.Handle, error) {
	var want content
	if err := json.Unmarshal(r.Release.State, &want); err != nil {
		return sdk.Handle{}, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "read release: %v", err)
	}
	if p.breaks("miserly") {
		if err := p.prune(r.Target); err != nil {
			return sdk.Handle{}, err
		}
	}
	return p.accept(r.Operation, r.Target, &want, r.ExpectedDigest)
}

func (p *platform) Rollback(_ context.Context, r sdk.RollbackRequest) (sdk.Handle, error) {
	want, err := p.read(r.Snapshot, r.Target)
	if err != nil {
		return sdk.Handle{}, err
	}
	if want != nil {
		want.Lines, want.Takes, want.Fails = 0, 0, "" // it comes up as it once did
	}
	if want, err = p.wrongWay(r, want); err != nil {
		return sdk.Handle{}, err
	}
	return p.accept(r.Operation, r.Target, want, r.ExpectedDigest)
}

// wrongWay breaks the rules of going back.
func (p *platform) wrongWay(r sdk.RollbackRequest, want *content) (*content, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if want == nil {
		if p.breaks("keep") {
			return &content{Text: "left behind"}, nil
		}
		return nil, nil
	}
	now := observed(*want)
	if p.breaks("rollback") || p.breaks("private") && !p.seen["snapshot "+now] {
		want.Text += "?"
	}
	if p.breaks("one_way") && p.seen["back "+now] && !p.seen["back by "+r.Operation.ID] {
		return nil, sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "somebody went back to %s already", now)
	}
	p.seen["back "+now], p.seen["back by "+r.Operation.ID] = true, true
	return want, nil
}

// admit finds the component and refuses a host that lost it.
func (p *platform) admit(o sdk.Operation, t sdk.Target) (*state, error) {
	s, err := p.state(t)
	if err != nil {
		return nil, err
	}
	if o.Epoch < s.Epoch && !p.breaks("epoch") {
		return nil, sdk.Errorf(sdk.Aborted, sdk.ReasonStaleEpoch, "epoch %d is stamped, yours is %d", s.Epoch, o.Epoch)
	}
	s.Epoch = max(s.Epoch, o.Epoch)
	return s, nil
}

func (p *platform) accept(o sdk.Operation, t sdk.Target, want *content, expected string) (sdk.Handle, error) {
	unlock, err := p.lock(t)
	if err != nil {
		return sdk.Handle{}, err
	}
	defer unlock()
	s, err := p.admit(o, t)
	if err != nil {
		return sdk.Handle{}, err
	}
	if known := s.Operations[o.ID]; known != nil {
		if known.RequestDigest != o.RequestDigest && !p.breaks("mismatch") {
			return sdk.Handle{}, sdk.Errorf(sdk.AlreadyExists, sdk.ReasonOperationMismatch, "operation %q has another digest", o.ID)
		}
		if p.breaks("twice") {
			return handleOf(o.ID + " again"), nil
		}
		p.drive(t, o.ID)
		return handleOf(o.ID), nil
	}
	live, runs, err := p.live(t)
	if err != nil {
		return sdk.Handle{}, err
	}
	now := digest()
	if runs {
		now = observed(live)
	}
	if expected != "" && expected != now && !p.breaks("expected") {
		changed := sdk.StateChanged("file", "", "file: the live state is %s, not %s", now, expected)
		if p.breaks("blameless") {
			changed.By = ""
		}
		return sdk.Handle{}, changed
	}
	s.Installation, s.Target, s.Last = p.installation, t, o.ID
	s.Target.Spec = nil
	s.Operations[o.ID] = &operation{Operation: o, Want: want, Accepted: time.Now(), Before: now}
	if err := p.save(t, s); err != nil {
		return sdk.Handle{}, err
	}
	p.drive(t, o.ID)
	return handleOf(o.ID), nil
}

// stepTime lies between two steps, so that a kill finds an operation between two.
const stepTime = 2 * time.Millisecond

// waitTime lies between two looks at what runs while a candidate waits.
const waitTime = 20 * time.Millisecond

// drive does one step after the other, each stored before the next, until there
// is nothing to do, beside the calls. The caller holds p.mu.
func (p *platform) drive(t sdk.Target, id string) {
	if p.driven[id] {
		return
	}
	p.driven[id] = true
	p.beside(func() {
		pause, more := p.step(t, id)
		for more {
			select {
			case <-time.After(pause):
			case <-p.gone:
				return // Recover has it gone on with
			}
			pause, more = p.step(t, id)
		}
	})
}

// step is one step. Whoever drives on after there is no more of them begins anew.
func (p *platform) step(t sdk.Target, id string) (pause time.Duration, more bool) {
	unlock, err := p.lock(t)
	if err != nil {
		p.log.Error("drive operation", "operation", id, "error", err)
		return 0, false
	}
	defer unlock()
	pause, more, err = p.stepLocked(t, id)
	if err != nil {
		p.log.Error("drive operation", "operation", id, "error", err)
		more = false
	}
	if !more {
		delete(p.driven, id)
	}
	return pause, more
}

func (p *platform) stepLocked(t sdk.Target, id string) (pause time.Duration, more bool, err error) {
	s, err := p.state(t)
	if err != nil {
		return 0, false, err
	}
	o := s.Operations[id]
	if o == nil || o.outcome() != nil {
		return 0, false, nil
	}
	changed, err := p.somebodyElse(t, o)
	if err != nil {
		return 0, false, err
	}
	candidate := o.candidate()
	switch {
	case changed && !p.breaks("unaware"):
		o.Events = append(o.Events, event{Outcome: &sdk.Outcome{
			Result: sdk.ResultSuperseded, SupersededBy: "unknown", Message: "the file is not what it was",
		}})
		if err := remove(p.path(t, candidateFile)); err != nil {
			return 0, false, err
		}
	case len(o.Events) == 0:
		o.Events = append(o.Events, event{Resource: &sdk.Resource{ID: "file", Kind: "file", Health: sdk.ResourcePending}})
	case len(o.Events) == 1 && o.Want != nil && o.Want.Lines > 0:
		o.Events = append(o.Events, event{Lines: o.Want.Lines})
	case o.Want != nil && candidate == nil && time.Since(o.Accepted) < o.Want.Takes:
		return stepTime, true, nil // it comes up slowly
	case o.Want != nil && candidate == nil && o.Want.Fails != "":
		o.Events = append(o.Events, event{Outcome: p.failed(o.Want.Fails)})
	case o.Staged && candidate == nil:
		if err := write(p.path(t, candidateFile), live{Content: o.Want}); err != nil {
			return 0, false, err
		}
		if p.breaks("eager") {
			if err := p.effect(t, id, o.Want); err != nil {
				return 0, false, err
			}
		}
		o.Events = append(o.Events, p.upTo(t, o, 0))
	case o.Staged && o.Percent > candidate.Percent && o.Percent < 100, o.Staged && o.Percent < candidate.Percent:
		if !p.breaks("hoards") {
			if err := write(p.path(t, candidateFile), live{Content: o.Want, Percent: o.Percent}); err != nil {
				return 0, false, err
			}
		}
		o.Events = append(o.Events, p.upTo(t, o, o.Percent))
	case o.Staged && o.Percent < 100:
		return waitTime, true, nil // for Promote
	default:
		if err := p.settle(t, o); err != nil {
			return 0, false, err
		}
	}
	return stepTime, o.outcome() == nil, p.save(t, s)
}

// somebodyElse says whether what runs is neither what ran before the operation nor
// its own doing.
func (p *platform) somebodyElse(t sdk.Target, o *operation) (bool, error) {
	var l live
	if _, err := read(p.path(t, liveFile), &l); err != nil {
		return false, err
	}
	now := digest()
	if l.Content != nil {
		now = observed(*l.Content)
	}
	n := len(l.Effects)
	return now != o.Before && (n == 0 || l.Effects[n-1] != o.ID), nil
}

// failed is the outcome of a spec that says so.
func (p *platform) failed(code string) *sdk.Outcome {
	const message = "the spec says that it fails"
	out := &sdk.Outcome{Result: sdk.ResultFailed, Message: message, Failure: &sdk.Failure{
		Code: code, Resource: "file", Message: message, Suggestion: "take fails out of the spec",
		Logs: []sdk.LogLine{{Resource: "file", Line: "last words"}},
	}}
	if p.breaks("speechless") {
		out.Failure.Logs = nil
	}
	return out
}

func (p *platform) upTo(t sdk.Target, o *operation, percent int) event {
	return event{Candidate: &sdk.Candidate{
		Addresses: map[string]string{"file": p.path(t, candidateFile)}, Revision: digest(o.Want.Text), Percent: percent,
	}}
}

// settle makes the content of the operation what runs.
func (p *platform) settle(t sdk.Target, o *operation) error {
	if err := remove(p.path(t, candidateFile)); err != nil {
		return err
	}
	runs := o.Want
	if runs != nil && strings.HasPrefix(runs.Text, "@") { // not frozen by Resolve
		text, err := os.ReadFile(runs.Text[1:])
		if err != nil {
			return err
		}
		late := *runs
		late.Text, runs = string(text), &late
	}
	if err := p.effect(t, o.ID, runs); err != nil {
		return err
	}
	o.Events = append(o.Events,
		event{Resource: &sdk.Resource{ID: "file", Kind: "file", Health: sdk.ResourceReady}},
		event{Outcome: &sdk.Outcome{Result: sdk.ResultSucceeded, Addresses: map[string]string{"file": p.path(t, liveFile)}}})
	return nil
}

// change applies a change to an operation that must be under way.
func (p *platform) change(o sdk.Operation, t sdk.Target, apply func(*operation) error) error {
	unlock, err := p.lock(t)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := p.admit(o, t)
	if err != nil {
		return err
	}
	known := s.Operations[o.ID]
	if known == nil && p.breaks("polite") {
		return nil
	}
	if known == nil {
		return sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "operation %q is not known", o.ID)
	}
	if known.outcome() != nil {
		return nil // it has ended, and Watch tells how
	}
	if err := apply(known); err != nil {
		return err
	}
	if err := p.save(t, s); err != nil {
		return err
	}
	p.drive(t, o.ID)
	return nil
}

func (p *platform) Promote(_ context.Context, r sdk.PromoteRequest) (sdk.Handle, error) {
	err := p.change(r.Operation, r.Target, func(o *operation) error {
		if o.candidate() == nil {
			return sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict, "operation %q has no candidate yet", o.ID)
		}
		if o.Percent = r.Percent; p.breaks("leaps") {
			o.Percent = 100
		}
		return nil
	})
	if err != nil {
		return sdk.Handle{}, err
	}
	return handleOf(r.Operation.ID), nil
}

// PromotesPercent says that steps below 100 are honoured.
func (p *platform) PromotesPercent() {}

func (p *platform) Cancel(_ context.Context, r sdk.CancelRequest) error {
	return p.change(r.Operation, r.Target, func(o *operation) error {
		if p.breaks("stubborn") {
			if err := p.effect(r.Target, o.ID, o.Want); err != nil {
				return err
			}
		}
		o.Events = append(o.Events, event{Outcome: &sdk.Outcome{Result: sdk.ResultCancelled, Message: "cancelled"}})
		return remove(p.path(r.Target, candidateFile))
	})
}

func (p *platform) Recover(_ context.Context, r sdk.RecoverRequest) (sdk.Recovery, error) {
	if p.breaks("forgetful") {
		return sdk.Recovery{Status: sdk.RecoverUnknown}, nil
	}
	if _, err := p.operationOf(r.Handle); err != nil {
		return sdk.Recovery{}, err
	}
	unlock, err := p.lock(r.Target)
	if err != nil {
		return sdk.Recovery{}, err
	}
	defer unlock()
	s, err := p.admit(r.Operation, r.Target)
	if err != nil {
		return sdk.Recovery{}, err
	}
	o := s.Operations[r.Operation.ID]
	if o != nil && o.candidate() != nil && p.breaks("impatient") {
		o.Percent = 100
	}
	if err := p.save(r.Target, s); err != nil {
		return sdk.Recovery{}, err
	}
	switch {
	case o == nil || p.breaks("denial"):
		return sdk.Recovery{Status: sdk.RecoverNotStarted}, nil
	case o.outcome() != nil:
		return sdk.Recovery{Status: sdk.RecoverFinished, Handle: handleOf(o.ID), Outcome: o.outcome()}, nil
	default:
		p.drive(r.Target, o.ID)
		return sdk.Recovery{Status: sdk.RecoverRunning, Handle: handleOf(o.ID)}, nil
	}
}
