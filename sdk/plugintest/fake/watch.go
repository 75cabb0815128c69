package fake

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// Watch sends the events that are stored with the operation and waits for more.
// The token is how many of them were sent.
func (p *platform) Watch(ctx context.Context, r sdk.WatchRequest, sink sdk.Sink) error {
	if _, err := p.operationOf(r.Handle); err != nil {
		return err
	}
	next := 0
	if token := string(r.ResumeToken); token != "" {
		id, count, _ := strings.Cut(token, " ")
		n, err := strconv.Atoi(count)
		if (err != nil || id != r.Operation.ID) && !p.breaks("token") {
			return sdk.Errorf(sdk.OutOfRange, sdk.ReasonResumeExpired, "token %q is not of operation %q", token, r.Operation.ID)
		}
		if next = n; p.breaks("rewind") {
			if err := rewind(sink); err != nil {
				return err
			}
			next = 0
		}
	} else if !p.breaks("stateless") {
		if err := sink(sdk.Event{State: &sdk.State{Phase: sdk.PhaseProgressing, Message: "watching", Resources: whole}}); err != nil {
			return err
		}
	}
	if p.breaks("weary") && p.asked(r.Operation.ID) > patience {
		return nil
	}
	for {
		events, changed, err := p.eventsSince(r, next)
		if err != nil {
			return err
		}
		for _, one := range events {
			next++
			if err := p.send(sink, one, fmt.Sprint(r.Operation.ID, " ", next)); err != nil {
				return err
			}
			if one.Outcome != nil {
				return nil
			}
		}
		select {
		case <-changed:
		case <-time.After(waitTime): // another process may drive it
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// patience is how often a platform that is weary tells an outcome.
const patience = 3

// asked returns how often an operation was asked about.
func (p *platform) asked(id string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watched[id]++
	return p.watched[id]
}

// rewind sends what was sent before the token, as resources that are not coalesced.
func rewind(sink sdk.Sink) error {
	for n := range 10 {
		if err := sink(sdk.Event{Resource: &sdk.Resource{ID: fmt.Sprint("again-", n), Kind: "file", Health: sdk.ResourcePending}}); err != nil {
			return err
		}
	}
	return nil
}

// whole is what a component is made of.
var whole = []sdk.Resource{{ID: "file", Kind: "file", Health: sdk.ResourcePending}}

func (p *platform) eventsSince(r sdk.WatchRequest, next int) ([]event, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.state(r.Target)
	if err != nil {
		return nil, nil, err
	}
	o := s.Operations[r.Operation.ID]
	if o == nil {
		return nil, nil, sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "operation %q is not known", r.Operation.ID)
	}
	return o.Events[min(next, len(o.Events)):], p.changed, nil
}

func (p *platform) send(sink sdk.Sink, one event, token string) error {
	for n := range one.Lines {
		if p.breaks("lossy") && n%10 > 0 {
			continue
		}
		if err := sink(sdk.Event{Log: &sdk.LogLine{Resource: "file", Line: line(n, one.Lines)}}); err != nil {
			return err
		}
	}
	out := sdk.Event{Resource: one.Resource, Candidate: one.Candidate, Outcome: one.Outcome, ResumeToken: []byte(token)}
	if one.Lines > 0 {
		out.Resource = &sdk.Resource{ID: "file", Kind: "file", Health: sdk.ResourcePending, Message: "wrote its lines"}
	}
	return sink(out)
}

// WatchTarget tells when what runs is not what the last operation left.
func (p *platform) WatchTarget(ctx context.Context, r sdk.WatchTargetRequest, sink sdk.Sink) error {
	if err := sink(sdk.Event{State: &sdk.State{Phase: sdk.PhaseStabilizing}}); err != nil {
		return err
	}
	if p.breaks("short") {
		return nil
	}
	told := false
	for {
		changed, err := p.drifted(r.Target)
		if err != nil {
			return err
		}
		if changed && !told && !p.breaks("blind") {
			if err := sink(sdk.Event{Drift: &sdk.Drift{By: "unknown", Message: "the file is not what was deployed"}}); err != nil {
				return err
			}
		}
		told = changed
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *platform) drifted(t sdk.Target) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.state(t)
	if err != nil {
		return false, err
	}
	live, runs, err := p.live(t)
	last := s.Operations[s.Last]
	if err != nil || last == nil || last.outcome() == nil || last.outcome().Result != sdk.ResultSucceeded {
		return false, err
	}
	return runs != (last.Want != nil) || runs && observed(live) != observed(*last.Want), nil
}
