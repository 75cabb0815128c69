package platform

import (
	"context"
	"time"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
)

// lookEvery is how often somebody looks for the changes of other people.
const lookEvery = time.Second

// Watch sends what is written down of an operation, and waits for more.
func (p *Platform) Watch(ctx context.Context, r sdk.WatchRequest, sink sdk.Sink) error {
	_, written, err := p.component(r.Target)
	if err != nil {
		return err
	}
	return written.Watch(ctx, r, sink)
}

// WatchTarget tells, without an end, what is current and whether somebody else
// changed it. It has no tokens: whoever comes back begins with the full picture.
func (p *Platform) WatchTarget(ctx context.Context, r sdk.WatchTargetRequest, sink sdk.Sink) error {
	if len(r.ResumeToken) > 0 {
		return sdk.Errorf(sdk.OutOfRange, sdk.ReasonResumeExpired, "there are no resume tokens here: watch again without one")
	}
	dir, written, err := p.component(r.Target)
	if err != nil {
		return err
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var seen, told, drifted string
	for {
		woken := written.Changed()
		now, err := dir.Fingerprint(ctx)
		if err != nil {
			return answer("watch", err)
		}
		if told == "" || now != seen {
			seen = now
			s, live, err := look(ctx, dir, written)
			if err != nil {
				return err
			}
			events := changes(dir, s, live, told, &drifted)
			if told = live.Digest; len(events) > 0 {
				if err := sink(events...); err != nil {
					return err
				}
			}
		}
		select {
		case <-woken:
			seen = "" // a stamp tells drift from what we did ourselves
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// changes are the events of what is live, after told was. A digest is drift once.
func changes(dir component.Dir, s *component.Record, live component.Live, told string, drifted *string) []sdk.Event {
	var events []sdk.Event
	resources := resourcesOf(s, live)
	switch {
	case told == "":
		events = append(events, sdk.Event{State: &sdk.State{
			Phase: sdk.PhaseStabilizing, Fraction: 1, Message: live.Digest, Resources: resources,
		}})
	case told != live.Digest:
		for i := range resources {
			events = append(events, sdk.Event{Resource: &resources[i]})
		}
	}
	if drift := driftOf(dir, s, live); drift == nil {
		*drifted = ""
	} else if *drifted != live.Digest {
		*drifted = live.Digest
		events = append(events, sdk.Event{Drift: drift})
	}
	return events
}

// driftOf says what somebody else did, or nil. What we stamped and have not done yet
// is not drift, so that an operation under way never is.
func driftOf(dir component.Dir, s *component.Record, live component.Live) *sdk.Drift {
	expected, undone := component.Empty, false
	if s.Serving != nil {
		expected = s.Serving.Digest
		undone = s.Serving.Rollback && live.Digest == s.Serving.Replaced
	}
	if live.Digest == expected || s.Active() != nil || (s.Serving == nil && !component.Ours(live.Link)) {
		return nil
	}
	by := dir.ChangedBy()
	return &sdk.Drift{
		By: by, Revision: short(live.Digest), Undone: undone,
		Message: dir.Current() + " is not what was deployed: changed by " + by,
	}
}

// resourcesOf is what a component is made of.
func resourcesOf(s *component.Record, live component.Live) []sdk.Resource {
	link := sdk.Resource{ID: linkResource, Kind: "symlink", Name: live.Link, Health: sdk.ResourceReady}
	files := sdk.Resource{
		ID: releaseResource, ParentID: linkResource, Kind: "directory", Name: live.Link,
		Revision: short(live.Digest), Health: sdk.ResourceReady,
	}
	switch {
	case live.Digest == component.Empty:
		link.Health, files.Health = sdk.ResourceGone, sdk.ResourceGone
	case live.Digest == component.Missing:
		link.Health, files.Health = sdk.ResourceFailed, sdk.ResourceGone
	case s.Serving != nil && s.Serving.Digest != live.Digest:
		files.Health, files.Reason = sdk.ResourceDegraded, "Changed"
	}
	return []sdk.Resource{link, files}
}
