package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/judge"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record"
	"github.com/apm-deploy/apm/sdk"
)

// WatchTarget streams what happens to a component without an operation, and what somebody
// else does to it, until ctx ends. It sends no token: a fresh stream begins with all.
func (p *Platform) WatchTarget(ctx context.Context, request sdk.WatchTargetRequest, sink sdk.Sink) error {
	if len(request.ResumeToken) > 0 {
		return sdk.Errorf(sdk.OutOfRange, sdk.ReasonResumeExpired, "this stream has no tokens: watch again without one")
	}
	t := &target{Platform: p, journal: p.journal(request.Target), sink: sink}
	defer t.leave()
	for changed := t.journal.Changed(); ; {
		select {
		case <-changed:
			changed, t.written = t.journal.Changed(), nil
		default:
		}
		err := t.look(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, follow.ErrClosed):
			return sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "the plugin ends")
		case cluster.IsDown(err) && t.began: // told by Probe; it goes on when the cluster is back
		case err != nil:
			return err
		}
		if err := t.wait(ctx, changed); err != nil {
			return err
		}
	}
}

// target is one stream.
type target struct {
	*Platform
	journal *record.Journal
	sink    sdk.Sink

	written   *record.Record // nil: to be read
	began     bool
	operation string            // that made run what is followed
	following *follow.Following // nil: nothing runs
	again     time.Time
	shown     []sdk.Resource
	message   string
	versions  string          // generations of what is followed
	checked   time.Time       // when was last looked for changes of others
	told      map[string]bool // of them, by object and digest
}

func (t *target) leave() {
	if t.following != nil {
		t.following.Close()
		t.following = nil
	}
}

func (t *target) wait(ctx context.Context, changed <-chan struct{}) error {
	while := t.options.Interval
	if !t.again.IsZero() {
		while = max(10*time.Millisecond, min(while, time.Until(t.again)))
	}
	timer := time.NewTimer(while)
	defer timer.Stop()
	var moved <-chan struct{}
	if t.following != nil {
		moved = t.following.Changed()
	}
	select {
	case <-changed:
	case <-moved:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// look sends what is new.
func (t *target) look(ctx context.Context) error {
	due := t.due()
	if t.written == nil || due {
		read, err := t.journal.Read(ctx)
		if err != nil {
			return err
		}
		t.written = read
	}
	written := t.written
	n, err := notesOf(written)
	if err != nil {
		return err
	}
	serving := ""
	if written.Serving != nil {
		serving = written.Serving.Operation
	}
	if serving != t.operation || !t.began {
		t.leave()
		t.operation, t.told = serving, map[string]bool{}
		if len(n.Workloads) > 0 {
			if t.following, err = t.follower.Follow(n.subject()); err != nil {
				return err
			}
		}
	}
	was := t.versions
	if err := t.show(ctx, len(n.Keys)); err != nil {
		return err
	}
	if written.Active() != nil || written.Serving == nil || written.Serving.Digest == "" {
		t.checked = time.Now()
		return nil
	}
	if !due && was == t.versions {
		return nil
	}
	return t.drift(ctx, written.Serving, n)
}

const (
	// driftLooks is how often is looked for changes of what no watch tells of, such as a
	// ConfigMap; a workload tells by its generation at once.
	driftLooks = 30 * time.Second
	// A rollback is undone soon, if at all: for a while after it is looked more often.
	undoneLooks = 5 * time.Second
	undoneSoon  = 10 * time.Minute
)

// due says whether it is time to look for changes of others.
func (t *target) due() bool {
	often := driftLooks
	if t.written != nil {
		if s := t.written.Serving; s != nil && s.Rollback && time.Since(s.Since) < undoneSoon {
			often = undoneLooks
		}
	}
	return time.Since(t.checked) >= often
}

// show sends the picture, the first time as a whole and then what differs.
func (t *target) show(ctx context.Context, objects int) error {
	state := sdk.State{Phase: sdk.PhaseStabilizing, Fraction: 1, Message: "nothing runs"}
	if objects > 0 {
		state.Message = fmt.Sprintf("%d objects", objects)
	}
	t.again = time.Time{}
	if t.following != nil {
		pic, err := t.following.Picture(ctx)
		if err != nil {
			return err
		}
		t.versions = ""
		for i := range pic.Workloads {
			t.versions += fmt.Sprintf("%s %d\n", pic.Workloads[i].UID, pic.Workloads[i].Generation)
		}
		j := judge.Judge(pic, t.options.Policy)
		state, t.again = j.State(), j.Verdict.Again
	}
	was := t.shown
	t.shown = slices.Clone(state.Resources)
	now := time.Now()
	if !t.began || state.Message != t.message {
		t.began, t.message = true, state.Message
		return t.sink(sdk.Event{ObservedAt: now, State: &state})
	}
	var events []sdk.Event
	for i := range t.shown {
		r := t.shown[i]
		if !slices.Contains(was, r) {
			events = append(events, sdk.Event{ObservedAt: now, Resource: &r})
		}
	}
	for i := range was {
		gone := was[i]
		if !slices.ContainsFunc(t.shown, func(r sdk.Resource) bool { return r.ID == gone.ID }) {
			gone.Health = sdk.ResourceGone
			events = append(events, sdk.Event{ObservedAt: now, Resource: &gone})
		}
	}
	if len(events) == 0 {
		return nil
	}
	return t.sink(events...)
}

// drift tells what others have changed since the last operation.
func (t *target) drift(ctx context.Context, serving *record.Serving, n *notes) error {
	seen, err := t.Platform.look(ctx, n.keys())
	if err != nil {
		return err
	}
	t.checked = time.Now()
	for _, c := range seen.changes(n.Digests) {
		mark := c.key.String()
		if c.now != nil {
			mark += " " + seen.digestOf(c.now)
		}
		if t.told[mark] {
			continue
		}
		t.told[mark] = true
		d := sdk.Drift{By: c.by, Message: c.String(), Revision: serving.Revision}
		if d.By == "" {
			d.By = "unknown"
		}
		if c.now != nil && serving.Rollback {
			if d.Undone = seen.contentOf(c.now) == n.Was[c.key.String()]; d.Undone {
				d.Message = fmt.Sprintf("rollback undone by %s: %s", d.By, c)
			}
		}
		if err := t.sink(sdk.Event{ObservedAt: time.Now(), Drift: &d}); err != nil {
			return err
		}
	}
	return nil
}
