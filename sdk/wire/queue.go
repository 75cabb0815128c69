package wire

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
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
	maxLogLine    = 64 << 10 // a longer line is cut
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
	mu        sync.Mutex
	entries   *list.List // of *entry, in order
	logs      *list.List // of *list.Element in entries
	resources map[string]*list.Element
	state     *list.Element
	held      int
	heldBytes int
	logBytes  int
	dropped   uint64
	group     uint64
	sent      bool // a message was taken
	outcome   bool // the outcome is queued or sent
	late      int  // events after it
	failure   error
	ended     bool
	ready     chan struct{} // there is something to take
	room      chan struct{} // closed and replaced when something was taken
}

type entry struct {
	event *pluginv1.WatchEvent
	token []byte
	group uint64 // events of one Sink call are one group
	bytes int
	log   *list.Element // in logs
}

func newQueue() *queue {
	return &queue{
		entries: list.New(), logs: list.New(), resources: map[string]*list.Element{},
		ready: make(chan struct{}, 1), room: make(chan struct{}),
	}
}

// entryOf and elementOf are what the two lists hold.
func entryOf(element *list.Element) *entry {
	one, _ := element.Value.(*entry)
	return one
}

func elementOf(element *list.Element) *list.Element {
	one, _ := element.Value.(*list.Element)
	return one
}

// push queues the events of one Sink call.
func (q *queue) push(ctx context.Context, events []sdk.Event) error {
	entries := make([]*entry, 0, len(events))
	for _, event := range events {
		one, err := newEntry(event)
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
	for !q.ended && !q.outcome && q.fullLocked(entries) {
		room := q.room
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
	q.signal()
	return nil
}

// newEntry converts an event; it returns nil for one that is not to be sent.
func newEntry(event sdk.Event) (*entry, error) {
	out := eventToProto(event)
	switch kind := out.GetEvent().(type) {
	case nil, *pluginv1.WatchEvent_Heartbeat:
		return nil, nil
	case *pluginv1.WatchEvent_Handle:
		if size := len(kind.Handle.GetState()); size > sdk.MaxHandle {
			return nil, pluginBug("the handle of a Watch event has %d bytes, the limit is %d", size, sdk.MaxHandle)
		}
	}
	sanitize(out.ProtoReflect())
	one := &entry{event: out, token: event.ResumeToken, bytes: proto.Size(out) + len(event.ResumeToken)}
	if one.bytes > maxEventBytes {
		return nil, pluginBug("a Watch event has %d bytes, the limit is %d", one.bytes, maxEventBytes)
	}
	return one, nil
}

// fullLocked says whether the entries have to wait. Log lines never do, nor
// does an event that takes the place of an older one.
func (q *queue) fullLocked(entries []*entry) bool {
	if q.held < maxHeld && q.heldBytes < maxHeldBytes {
		return false
	}
	for _, one := range entries {
		switch kind := one.event.GetEvent().(type) {
		case *pluginv1.WatchEvent_Log, *pluginv1.WatchEvent_DroppedLogLines:
		case *pluginv1.WatchEvent_Resource:
			if q.resources[kind.Resource.GetId()] == nil {
				return true
			}
		case *pluginv1.WatchEvent_State:
			if q.state == nil {
				return true
			}
		default:
			return true
		}
	}
	return false
}

func (q *queue) addLocked(one *entry) {
	switch kind := one.event.GetEvent().(type) {
	case *pluginv1.WatchEvent_Log:
		element := q.entries.PushBack(one)
		one.log = q.logs.PushBack(element)
		q.logBytes += one.bytes
		for q.logs.Len() > maxLogs || (q.logBytes > maxLogsBytes && q.logs.Len() > 1) {
			q.dropped++
			q.removeLocked(elementOf(q.logs.Front()))
		}
		return
	case *pluginv1.WatchEvent_DroppedLogLines:
		q.dropped += kind.DroppedLogLines
		return
	case *pluginv1.WatchEvent_Resource:
		id := kind.Resource.GetId()
		if older := q.resources[id]; older != nil {
			q.removeLocked(older)
		}
		q.resources[id] = q.entries.PushBack(one)
	case *pluginv1.WatchEvent_State:
		// The State that opens the stream stays where it is: it must be first.
		if q.state != nil && (q.sent || q.state.Prev() != nil) {
			q.removeLocked(q.state)
		}
		q.state = q.entries.PushBack(one)
	case *pluginv1.WatchEvent_Outcome:
		q.outcome = true
		q.entries.PushBack(one)
	default:
		q.entries.PushBack(one)
	}
	q.held++
	q.heldBytes += one.bytes
}

func (q *queue) removeLocked(element *list.Element) {
	one := entryOf(element)
	q.entries.Remove(element)
	if one.log != nil {
		q.logs.Remove(one.log)
		q.logBytes -= one.bytes
		return
	}
	q.held--
	q.heldBytes -= one.bytes
	if resource := one.event.GetResource(); resource != nil && q.resources[resource.GetId()] == element {
		delete(q.resources, resource.GetId())
	}
	if q.state == element {
		q.state = nil
	}
}

// signal wakes the sender.
func (q *queue) signal() {
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
	q.signal()
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
