package platform

import "time"

// maxFailures is how many starts in a row may fail before a platform is broken.
const maxFailures = 5

// tally counts the starts of a platform, to decide when the next one is due.
type tally struct {
	failures int // starts in a row that did not stay Ready for Times.Settle
	down     int // starts in a row that only lacked the platform itself
	restarts int // since it was last Ready for Times.Reset
}

// end records that a process ended which had been Ready for that long, and
// returns how long to wait before the next start. down says that the plugin
// itself was well and its platform is not there, which no number of starts makes
// a reason to give up. jitter is within 0 and 1.
func (t *tally) end(ready time.Duration, down bool, times Times, jitter float64) time.Duration {
	switch {
	case ready >= times.Settle:
		t.failures, t.down = 0, 0
	case down:
		t.down++
	default:
		t.failures, t.down = t.failures+1, 0
	}
	if ready >= times.Reset {
		t.restarts = 0
	}
	t.restarts++
	if t.restarts == 1 {
		return 0
	}
	// A plugin that was well until somebody killed it does not wait for long,
	// however often that happens; one that fails at once waits twice as long
	// each time.
	wait := times.BackoffMin
	for range max(t.failures, t.down) - 2 {
		if wait *= 2; wait >= times.BackoffMax {
			break
		}
	}
	wait = min(wait, times.BackoffMax)
	return min(times.BackoffMax, time.Duration(float64(wait)*(0.8+0.4*jitter)))
}

// broken says whether to try again is useless.
func (t *tally) broken() bool { return t.failures >= maxFailures }
