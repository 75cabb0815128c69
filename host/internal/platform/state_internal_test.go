package platform

import (
	"testing"
	"time"
)

// TestWhenToAskAgain: a time is told only where the platform may be ready then.
func TestWhenToAskAgain(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for phase, want := range map[Phase]time.Duration{
		Absent: time.Second, Starting: time.Second, Draining: time.Second, Backoff: 5 * time.Second,
		Broken: 0, Unhealthy: 0, Stopped: 0,
	} {
		if got := (State{Phase: phase, NextStart: now.Add(4 * time.Second)}).retryAfter(now); got != want {
			t.Errorf("%s: %s, want %s", phase, got, want)
		}
	}
	if got := (State{Phase: Backoff, NextStart: now.Add(-time.Hour)}).retryAfter(now); got != time.Second {
		t.Errorf("a start that is overdue: %s", got)
	}
}
