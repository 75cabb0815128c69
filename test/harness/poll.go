package harness

import (
	"testing"
	"time"
)

// patience is how long a test waits for what must come, on a machine that does
// much else.
const patience = 60 * time.Second

// lookEvery is the time between two looks.
const lookEvery = 20 * time.Millisecond

// Eventually looks until it is so, and fails the test when it is not within a
// minute. look says what it saw.
func Eventually(t testing.TB, what string, look func() (ok bool, seen string)) {
	t.Helper()
	if seen, ok := within(patience, look); !ok {
		t.Fatalf("%s: not within %s; last seen: %s", what, patience, seen)
	}
}

func within(limit time.Duration, look func() (ok bool, seen string)) (seen string, ok bool) {
	deadline := time.Now().Add(limit)
	for {
		if ok, seen = look(); ok || time.Now().After(deadline) {
			return seen, ok
		}
		time.Sleep(lookEvery)
	}
}
