package wire

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

func manyResources(from, count int) []sdk.Event {
	events := make([]sdk.Event, count)
	for i := range events {
		events[i].Resource = &sdk.Resource{ID: fmt.Sprint(from + i)}
	}
	return events
}

// A platform that sends very many resources at once, while as many wait, does not have
// all the places looked through for each of them; and places are forgotten.
func TestPlacesAreForgottenAtTimes(t *testing.T) {
	t.Parallel()
	q := newQueue()
	if err := q.push(t.Context(), manyResources(0, maxPlaces), time.Now()); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.push(gone, manyResources(maxPlaces, maxPlaces-1), time.Now()); err == nil {
		t.Fatal("there was room")
	}
	if got, want := len(q.places), 2*maxPlaces-1; got != want {
		t.Errorf("%d places, want %d", got, want)
	}
	drain(q)
	for i := range 10 {
		if err := q.push(t.Context(), manyResources(i*maxPlaces, maxPlaces), time.Now()); err != nil {
			t.Fatal(err)
		}
		drain(q)
	}
	if got := len(q.places); got > 2*maxPlaces {
		t.Errorf("%d places are remembered", got)
	}
}

// What one Sink call needed is not kept as long as the stream lives.
func TestFreeEntriesAreBounded(t *testing.T) {
	t.Parallel()
	q := newQueue()
	for range 2 {
		if err := q.push(t.Context(), manyResources(0, 5*maxFree), time.Now()); err != nil {
			t.Fatal(err)
		}
		drain(q)
	}
	for name, list := range map[string]freeList{"free": q.free, "spare": q.spare} {
		count := 0
		for one := list.first; one != nil; one = one.newer {
			count++
		}
		if count != list.count || count > maxFree {
			t.Errorf("%s: %d entries, counted as %d", name, count, list.count)
		}
	}
}

// drain takes all that waits.
func drain(q *queue) {
	for out, _ := q.take(); out != nil; out, _ = q.take() {
	}
}
