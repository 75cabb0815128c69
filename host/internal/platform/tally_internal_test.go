package platform

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTally(t *testing.T) {
	t.Parallel()
	s := time.Second
	tests := map[string]struct {
		ready  []time.Duration // of each life
		want   []time.Duration // the wait after it
		broken bool
	}{
		"fails at once":         {[]time.Duration{0, 0, 0, 0, 0}, []time.Duration{0, s, 2 * s, 4 * s, 8 * s}, true},
		"killed every 15 s":     {[]time.Duration{15 * s, 15 * s, 15 * s, 15 * s, 15 * s, 15 * s}, []time.Duration{0, s, s, s, s, s}, false},
		"killed every minute":   {[]time.Duration{60 * s, 60 * s, 60 * s}, []time.Duration{0, 0, 0}, false},
		"four, then well":       {[]time.Duration{0, 0, 0, 0, 10 * s, 0, 0}, []time.Duration{0, s, 2 * s, 4 * s, s, s, s}, false},
		"just short of settled": {[]time.Duration{9 * s, 9 * s, 9 * s, 9 * s, 9 * s}, []time.Duration{0, s, 2 * s, 4 * s, 8 * s}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var counts tally
			var got []time.Duration
			for _, ready := range test.ready {
				got = append(got, counts.end(ready, false, Times{}.withDefaults(), 0.5))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
			if counts.broken() != test.broken {
				t.Errorf("broken is %v", counts.broken())
			}
		})
	}
}

func TestTallyPlatformDown(t *testing.T) {
	t.Parallel()
	var counts tally
	last := time.Duration(0)
	for range 20 {
		last = counts.end(0, true, Times{}.withDefaults(), 0.5)
	}
	if counts.broken() || last != 2*time.Minute {
		t.Errorf("broken is %v, the last wait %v", counts.broken(), last)
	}
}

func TestTallyBounds(t *testing.T) {
	t.Parallel()
	times := Times{}.withDefaults()
	for _, jitter := range []float64{0, 0.5, 0.999} {
		var counts tally
		for i := range 100 {
			wait := counts.end(0, i%2 == 0, times, jitter)
			if wait > times.BackoffMax || (i > 0 && wait < times.BackoffMin*8/10) {
				t.Errorf("wait %d is %v", i, wait)
			}
		}
	}
}
