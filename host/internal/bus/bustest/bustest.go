// Package bustest is what every bus must do. It is for tests only.
package bustest

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/bus"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// patience bounds every wait for what must happen.
const patience = 10 * time.Second

// Run checks the bus that open returns, a new one each time.
func Run(t *testing.T, open func(t *testing.T) bus.Bus) {
	for name, check := range map[string]func(*testing.T, bus.Bus){
		"a ring is heard by those it concerns": ringIsHeard,
		"rings are one until answered":         ringsAreOne,
		"a ring for all":                       ringForAll,
		"an ended doorbell is silent":          endedDoorbell,
		"events reach those they concern":      eventsReach,
		"only the latest progress is kept":     latestProgress,
		"dropped lines are counted":            droppedLines,
		"a slow listener blocks nobody":        slowListener,
		"an ended subscription is closed":      endedSubscription,
		"many at once":                         manyAtOnce,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, open(t))
		})
	}
}

func ringIsHeard(t *testing.T, b bus.Bus) {
	one, end := b.Doorbell("d1")
	defer end()
	other, end := b.Doorbell("d2")
	defer end()
	all, end := b.Doorbell("")
	defer end()

	b.Ring("d1")
	hear(t, "d1", one)
	hear(t, "all", all)
	b.Ring("d2") // in order: had the first ring been for d2 too, two rings were one
	hear(t, "d2", other)
	silent(t, "d1", one)
}

func ringsAreOne(t *testing.T, b bus.Bus) {
	one, end := b.Doorbell("d1")
	defer end()
	for range 1000 {
		b.Ring("d1")
	}
	hear(t, "d1", one)
	b.Ring("d2")
	silent(t, "d1", one)
	b.Ring("d1")
	hear(t, "d1", one)
}

func ringForAll(t *testing.T, b bus.Bus) {
	one, end := b.Doorbell("d1")
	defer end()
	all, end := b.Doorbell("")
	defer end()
	b.Ring("")
	hear(t, "d1", one)
	hear(t, "all", all)
}

func endedDoorbell(t *testing.T, b bus.Bus) {
	one, end := b.Doorbell("d1")
	other, endOther := b.Doorbell("d1")
	defer endOther()
	end()
	end()
	b.Ring("d1")
	hear(t, "the other", other)
	silent(t, "the ended", one)
}

func eventsReach(t *testing.T, b bus.Bus) {
	one, end := b.Subscribe("d1")
	defer end()
	all, end := b.Subscribe("")
	defer end()
	b.Publish(line("d2", 1, 0))
	b.Publish(line("d1", 2, 0))
	b.Publish(line("d1", 3, 0))
	for _, want := range []deployment.Event{line("d1", 2, 0), line("d1", 3, 0)} {
		same(t, want, next(t, one))
	}
	for _, want := range []deployment.Event{line("d2", 1, 0), line("d1", 2, 0), line("d1", 3, 0)} {
		same(t, want, next(t, all))
	}
}

func latestProgress(t *testing.T, b bus.Bus) {
	events, end := b.Subscribe("")
	defer end()
	const last = 5000
	for i := 1; i <= last; i++ {
		b.Publish(progress("d1", i))
		b.Publish(progress("d2", i))
	}
	latest := map[string]float64{}
	for received := 0; latest["d1"] < last || latest["d2"] < last; received++ {
		if received > 100 {
			t.Fatalf("received %d events and not yet the latest: they are kept, not replaced", received)
		}
		event := next(t, events)
		var payload deployment.ProgressPayload
		decode(t, event, &payload)
		if payload.Percentage <= latest[event.DeploymentID] {
			t.Fatalf("progress of %s went from %v to %v", event.DeploymentID, latest[event.DeploymentID], payload.Percentage)
		}
		latest[event.DeploymentID] = payload.Percentage
	}
}

func droppedLines(t *testing.T, b bus.Bus) {
	events, end := b.Subscribe("d1")
	defer end()
	const last = 20_000
	for i := 1; i <= last; i++ {
		b.Publish(line("d1", i, 1)) // before each of them one was missing already
	}
	seen, missing, number := uint64(0), uint64(0), ""
	for number != fmt.Sprint(last) {
		var payload deployment.LogPayload
		decode(t, next(t, events), &payload)
		seen, missing, number = seen+1, missing+payload.Dropped, payload.Line
	}
	if seen == last {
		t.Fatal("all lines were kept: nothing bounds what waits for a slow listener")
	}
	if got := seen + missing; got != 2*last {
		t.Fatalf("%d lines seen and %d missing make %d, want %d", seen, missing, got, 2*last)
	}
}

func slowListener(t *testing.T, b bus.Bus) {
	_, end := b.Subscribe("d1")
	defer end()
	events, end := b.Subscribe("d1")
	defer end()
	for i := 1; i <= 2000; i++ {
		b.Publish(line("d1", i, 0))
		if got := next(t, events); !cmp.Equal(got, line("d1", i, 0)) {
			t.Fatal(cmp.Diff(line("d1", i, 0), got))
		}
	}
}

func endedSubscription(t *testing.T, b bus.Bus) {
	events, end := b.Subscribe("d1")
	b.Publish(line("d1", 1, 0))
	end()
	end()
	b.Publish(line("d1", 2, 0))
	deadline := time.After(patience)
	for {
		select {
		case event, open := <-events:
			if !open {
				return
			}
			if !cmp.Equal(event, line("d1", 1, 0)) {
				t.Fatalf("received after the end: %s", event.Data)
			}
		case <-deadline:
			t.Fatal("the channel was not closed")
		}
	}
}

func manyAtOnce(t *testing.T, b bus.Bus) {
	var all sync.WaitGroup
	for i := range 16 {
		id := fmt.Sprintf("d%d", i%4)
		all.Go(func() {
			for n := range 200 {
				events, end := b.Subscribe(id)
				bell, silence := b.Doorbell(id)
				b.Publish(progress(id, n))
				b.Ring(id)
				<-bell
				<-events
				silence()
				end()
			}
		})
	}
	all.Wait()
}

func hear(t *testing.T, who string, bell <-chan struct{}) {
	t.Helper()
	select {
	case <-bell:
	case <-time.After(patience):
		t.Fatalf("%s: no ring", who)
	}
}

// silent is asked after something later was heard.
func silent(t *testing.T, who string, bell <-chan struct{}) {
	t.Helper()
	select {
	case <-bell:
		t.Fatalf("%s: a ring that was for another, or two for one", who)
	default:
	}
}

func next(t *testing.T, events <-chan deployment.Event) deployment.Event {
	t.Helper()
	select {
	case event, open := <-events:
		if !open {
			t.Fatal("the channel was closed")
		}
		return event
	case <-time.After(patience):
		t.Fatal("no event")
	}
	return deployment.Event{}
}

func same(t *testing.T, want, got deployment.Event) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("event (-want +got):\n%s", diff)
	}
}

func line(id string, number, dropped int) deployment.Event {
	return event(id, deployment.EventLog, deployment.LogPayload{
		Component: "web", LogLine: deployment.LogLine{Line: fmt.Sprint(number)}, Dropped: uint64(dropped),
	})
}

func progress(id string, percentage int) deployment.Event {
	return event(id, deployment.EventProgress, deployment.ProgressPayload{
		Progress: deployment.Progress{Percentage: float64(percentage)},
	})
}

func event(id string, kind deployment.EventType, payload any) deployment.Event {
	data, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	return deployment.Event{Type: kind, DeploymentID: id, Seq: 1, Ephemeral: true, Data: data}
}

func decode(t *testing.T, event deployment.Event, payload any) {
	t.Helper()
	if err := json.Unmarshal(event.Data, payload); err != nil {
		t.Fatalf("decode %s: %v", event.Data, err)
	}
}
