package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// A flood is taken at the pace of the host, and a burst as it comes.
func TestFloodIsTakenAtThePaceOfTheHost(t *testing.T) {
	t.Parallel()
	resource, line := sdk.Event{Resource: &sdk.Resource{ID: "r"}}, sdk.Event{Log: &sdk.LogLine{Line: "l"}}
	full := sdk.Event{State: &sdk.State{Resources: make([]sdk.Resource, 999)}}
	for name, c := range map[string]struct {
		event  sdk.Event
		events int
		took   time.Duration
	}{
		"a burst of lines":     {line, 16_000, 0},
		"a burst of resources": {resource, 4_000, 0},
		"lines":                {line, 96_000, 10 * time.Second},
		"resources":            {resource, 24_000, 10 * time.Second},
		"full pictures":        {full, 24, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began, taken := time.Now(), 0
				sink := paced(t.Context(), time.Now, func(events ...sdk.Event) error {
					taken += len(events)
					return nil
				})
				for range c.events {
					if err := sink(c.event); err != nil {
						t.Fatal(err)
					}
				}
				took := time.Since(began).Round(10 * time.Millisecond)
				if took != c.took || taken != c.events {
					t.Errorf("%d of %d taken in %s, want %s", taken, c.events, took, c.took)
				}
			})
		})
	}
}

// Who paused sends a burst again.
func TestPaceIsForgotten(t *testing.T) {
	t.Parallel()
	var p pace
	now := time.Unix(0, 0)
	burst := make([]sdk.Event, 4_000)
	for range 3 {
		if pause := p.pauseAfter(burst, now); pause != 0 {
			t.Errorf("a pause of %s", pause)
		}
		if pause := p.pauseAfter(burst[:20], now); pause != 10*time.Millisecond {
			t.Errorf("a pause of %s", pause)
		}
		now = now.Add(3 * time.Second)
	}
}

// A clock that is put back lets nobody wait for the hours that come again.
func TestPaceOfAClockThatIsPutBack(t *testing.T) {
	t.Parallel()
	var p pace
	now := time.Unix(1_000_000, 0)
	p.pauseAfter(make([]sdk.Event, 100), now)
	if pause := p.pauseAfter(make([]sdk.Event, 100), now.Add(-time.Hour)); pause != 0 {
		t.Errorf("a pause of %s", pause)
	}
}

// The host's own pace is no silence of the plugin, whose stream would be opened again
// with the same flood.
func TestPaceIsNoSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 45 * time.Second
		ctx, cancel := context.WithCancel(t.Context())
		timer := time.AfterFunc(limit, cancel)
		began := time.Now()
		sink := stoppingTimer(timer, limit, paced(ctx, time.Now, func(...sdk.Event) error { return nil }))
		if err := sink(sdk.Event{State: &sdk.State{Resources: make([]sdk.Resource, 200_000)}}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); ctx.Err() != nil || took < 2*limit {
			t.Fatalf("after %s: %v", took, ctx.Err())
		}
		heardAt := time.Now()
		<-ctx.Done()
		if took := time.Since(heardAt); took != limit {
			t.Errorf("ended after %s of silence, want %s", took, limit)
		}
	})
}
