package memory

import (
	"encoding/json"
	"sync"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Bounds of what waits for a listener.
const (
	maxLines    = 256  // of log
	maxProgress = 1024 // deployments with a progress not yet taken
)

// subscription is one listener to ephemeral events, and what waits for it.
type subscription struct {
	out    chan deployment.Event
	wake   chan struct{} // something waits
	ended  chan struct{} // nobody listens any more
	done   chan struct{} // the goroutine has ended
	ending sync.Once

	mu       sync.Mutex
	progress map[string]deployment.Event // the latest of each deployment
	order    []string                    // of progress, oldest first
	lines    []deployment.Event
	dropped  map[string]uint64 // lines of a deployment that are missing before its next one
}

func newSubscription() *subscription {
	s := &subscription{
		out:      make(chan deployment.Event),
		wake:     make(chan struct{}, 1),
		ended:    make(chan struct{}),
		done:     make(chan struct{}),
		progress: map[string]deployment.Event{},
		dropped:  map[string]uint64{},
	}
	go s.run()
	return s
}

// put takes an event in, at the cost of older ones.
func (s *subscription) put(event deployment.Event) {
	s.mu.Lock()
	if event.Type == deployment.EventLog {
		if len(s.lines) == maxLines {
			s.drop()
		}
		s.lines = append(s.lines, event)
	} else {
		s.putProgress(event)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// putProgress keeps the latest; it keeps the place in the order, so that a busy
// deployment does not push the others back.
func (s *subscription) putProgress(event deployment.Event) {
	key := string(event.Type) + " " + event.DeploymentID
	if _, waits := s.progress[key]; !waits {
		if len(s.order) == maxProgress {
			delete(s.progress, s.order[0])
			s.order = s.order[1:]
		}
		s.order = append(s.order, key)
	}
	s.progress[key] = event
}

// drop gives the oldest line up, and counts it and what was missing before it.
func (s *subscription) drop() {
	oldest := s.lines[0]
	s.lines = s.lines[1:]
	s.dropped[oldest.DeploymentID] += 1 + missing(oldest)
}

// take returns what is next, progress first.
func (s *subscription) take() (deployment.Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order) > 0 {
		key := s.order[0]
		s.order = s.order[1:]
		event := s.progress[key]
		delete(s.progress, key)
		return event, true
	}
	if len(s.lines) > 0 {
		event := s.lines[0]
		s.lines = s.lines[1:]
		if n := s.dropped[event.DeploymentID]; n > 0 {
			delete(s.dropped, event.DeploymentID)
			event = withMissing(event, n)
		}
		return event, true
	}
	return deployment.Event{}, false
}

// run hands events over until the subscription ends.
func (s *subscription) run() {
	defer close(s.done)
	defer close(s.out)
	for {
		event, waits := s.take()
		if !waits {
			select {
			case <-s.wake:
				continue
			case <-s.ended:
				return
			}
		}
		select {
		case s.out <- event:
		case <-s.ended:
			return
		}
	}
}

// end stops the goroutine and waits for it.
func (s *subscription) end() {
	s.ending.Do(func() { close(s.ended) })
	<-s.done
}

// missing returns how many lines were missing before this one already.
func missing(event deployment.Event) uint64 {
	var payload deployment.LogPayload
	if json.Unmarshal(event.Data, &payload) != nil {
		return 0
	}
	return payload.Dropped
}

// withMissing adds n to the lines that are missing before this one.
func withMissing(event deployment.Event, n uint64) deployment.Event {
	var payload deployment.LogPayload
	if json.Unmarshal(event.Data, &payload) != nil {
		return event
	}
	payload.Dropped += n
	data, err := json.Marshal(payload)
	if err != nil {
		return event
	}
	event.Data = data
	return event
}
