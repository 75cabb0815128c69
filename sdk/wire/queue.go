package wire

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// Bounds of one Watch stream on the plugin's side.
const (
	maxBatch      = 64      // events in a message
	maxBatchBytes = 4 << 20 // of a message of more than one event
	maxEventBytes = sdk.MaxMessage - maxBatchBytes
	maxLogs       = 1000    // log lines that wait for a slow reader
	maxLogsBytes  = 1 << 20 // and their bytes
	maxHeld       = 1000    // other events that wait; then the platform waits
	maxHeldBytes  = 8 << 20
	maxLogLine    = 64 << 10    // a longer line is cut
	maxPlaces     = 8 * maxHeld // resources that are remembered although none of their events waits
)

var (
	errAfterOutcome = errors.New("the outcome was the last event: nobody listens any more")
	errStreamEnded  = fmt.Errorf("nobody listens any more: %w", context.Canceled)
)

// queue stands between a platform that sends events and a stream that takes
// them at its own pace. Resources are coalesced per id, of states the latest
// stays, and the oldest log lines go first, counted; everything else waits, and
// when too much waits, so does the platform.
//
// A newer event takes its place at the end and not the place of the older one:
// a token then never stands behind something that was not sent.
type queue struct {
	mu         sync.Mutex
	entries    chain
	logs       fifo              // those of the entries that are log lines
	places     map[string]*place // by the id of a resource
	keptPlaces int               // when the others were dropped last
	state      *entry
	held       int
	heldBytes  int
	logBytes   int
	dropped    uint64
	group      uint64
	sent       bool // a message was taken
	outcome    bool // the outcome is queued or sent
	late       int  // events after it
	failure    error
	ended      bool
	idle       bool          // the sender waits for ready
	ready      chan struct{} // there is something to take
	waiting    bool          // the platform does, for room
	room       chan struct{} // closed and replaced when there is room again
	free       freeList

	filling sync.Mutex // one Sink call at a time
	spare   freeList   // free ones of who is filling
}

func newQueue() *queue {
	return &queue{
		places: map[string]*place{}, ready: make(chan struct{}, 1), room: make(chan struct{}),
	}
}

// push queues the events of one Sink call; those without a time are of now.
func (q *queue) push(ctx context.Context, events []sdk.Event, now time.Time) error {
	q.filling.Lock()
	defer q.filling.Unlock()
	var few [4]*entry
	entries := few[:0]
	for i := range events {
		one, err := q.newEntry(&events[i], now)
		if err != nil {
			q.fail(err)
			return err
		}
		if one != nil {
			entries = append(entries, one)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spare.first == nil {
		q.spare, q.free = q.free, q.spare
	}
	for !q.ended && !q.outcome && q.fullLocked(entries) {
		room := q.room
		q.waiting = true
		q.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		}
		q.mu.Lock()
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	q.group++
	defer q.signalLocked() // also where something comes after the outcome: that waits
	for i, one := range entries {
		switch {
		case q.outcome:
			q.late += len(entries) - i
			return errAfterOutcome
		case q.ended:
			return errStreamEnded
		}
		one.group = q.group
		q.addLocked(one)
	}
	return nil
}

// newEntry encodes an event; it returns nil for one that is not to be sent. It is
// called by who is filling.
func (q *queue) newEntry(event *sdk.Event, now time.Time) (*entry, error) {
	one := q.spare.take()
	one.kind, one.token = kindOf(event), event.ResumeToken
	switch {
	case one.kind == droppedEntry:
		one.dropped = event.DroppedLogLines
		return one, nil
	case one.kind == resourceEntry:
		one.place = q.placeOf(event.Resource.ID)
	case event.Handle != nil && len(event.Handle.State) > sdk.MaxHandle:
		return nil, pluginBug("the handle of a Watch event has %d bytes, the limit is %d", len(event.Handle.State), sdk.MaxHandle)
	case event.Heartbeat && one.kind == plainEntry:
		return nil, nil // the stream makes its own
	}
	data, err := appendEvent(one.data, event, now)
	if err != nil || len(data) == 0 {
		return nil, err
	}
	one.data = data
	if one.bytes() > maxEventBytes {
		return nil, pluginBug("a Watch event has %d bytes, the limit is %d", one.bytes(), maxEventBytes)
	}
	return one, nil
}

// placeOf returns the place of a resource. It is called by who is filling.
func (q *queue) placeOf(id string) *place {
	known := q.places[id]
	if known == nil {
		if len(q.places) >= max(maxPlaces, 2*q.keptPlaces) {
			q.dropPlaces()
		}
		known = &place{}
		q.places[strings.Clone(id)] = known // it may be a part of something large
	}
	return known
}

// dropPlaces drops those where nothing waits.
func (q *queue) dropPlaces() {
	q.mu.Lock()
	defer q.mu.Unlock()
	maps.DeleteFunc(q.places, func(_ string, p *place) bool { return p.waits == nil })
	q.keptPlaces = len(q.places)
}

// fullLocked says whether the entries have to wait. Log lines never do, nor
// does an event that takes the place of an older one.
func (q *queue) fullLocked(entries []*entry) bool {
	if q.held < maxHeld && q.heldBytes < maxHeldBytes {
		return false
	}
	for _, one := range entries {
		switch one.kind {
		case logEntry, droppedEntry:
		case resourceEntry:
			if one.place.waits == nil {
				return true
			}
		case stateEntry:
			if q.state == nil {
				return true
			}
		default:
			return true
		}
	}
	return false
}

// makeRoomLocked lets a platform go on that waits. It waits until half of the queue
// is free: woken for each message, the two sides would take turns all the time.
func (q *queue) makeRoomLocked() {
	if q.waiting && q.held <= maxHeld/2 && q.heldBytes <= maxHeldBytes/2 {
		q.waiting = false
		close(q.room)
		q.room = make(chan struct{})
	}
}

func (q *queue) addLocked(one *entry) {
	switch one.kind {
	case logEntry:
		q.entries.push(one)
		q.logs.push(one)
		q.logBytes += one.bytes()
		for q.logs.count > maxLogs || (q.logBytes > maxLogsBytes && q.logs.count > 1) {
			q.dropped++
			q.removeLocked(q.logs.oldest)
		}
		return
	case droppedEntry:
		q.dropped += one.dropped
		return
	case resourceEntry:
		if older := one.place.waits; older != nil {
			q.removeLocked(older)
		}
		one.place.waits = one
		q.entries.push(one)
	case stateEntry:
		// The State that opens the stream stays where it is: it must be first.
		if q.state != nil && (q.sent || q.state.older != nil) {
			q.removeLocked(q.state)
		}
		q.state = one
		q.entries.push(one)
	case outcomeEntry:
		q.outcome = true
		q.entries.push(one)
	default:
		q.entries.push(one)
	}
	q.held++
	q.heldBytes += one.bytes()
}

// removeLocked takes an entry out and gives it back: nobody may look at it any
// more.
func (q *queue) removeLocked(one *entry) {
	q.uncountLocked(one)
	q.entries.remove(one)
	q.free.put(one)
}

// uncountLocked takes an entry out of all that is counted and known.
func (q *queue) uncountLocked(one *entry) {
	if one.kind == logEntry {
		q.logs.pop() // the oldest goes first, always
		q.logBytes -= one.bytes()
		return
	}
	q.held--
	q.heldBytes -= one.bytes()
	if one.place != nil && one.place.waits == one {
		one.place.waits = nil
	}
	if q.state == one {
		q.state = nil
	}
}

// reuse gives entries back.
func (q *queue) reuse(used freeList) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.free.first == nil {
		q.free = used
		return
	}
	for one := used.first; one != nil; {
		next := one.newer
		q.free.put(one)
		one = next
	}
}

// signalLocked wakes a sender that waits.
func (q *queue) signalLocked() {
	if !q.idle {
		return
	}
	q.idle = false
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// fail ends the stream with err once all that is queued was sent.
func (q *queue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failure == nil {
		q.failure = err
	}
	q.signalLocked()
}

// end releases a platform that still sends.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	close(q.room)
	q.room = make(chan struct{})
}

// lateEvents returns how many events came after the outcome.
func (q *queue) lateEvents() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.late
}
