package wire

import (
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// frameBytes is more than a message has around an event.
const frameBytes = 8

// take returns the next message and whether it ends with the outcome; nil when
// nothing waits. Groups stay whole where they fit.
func (q *queue) take() (out *frame, last bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	count, bytes, whole := q.measureLocked()
	if count == 0 && q.dropped == 0 {
		q.idle = true
		return nil, false
	}
	out = newFrame(bytes + (count+1)*frameBytes)
	var token []byte
	for range count {
		one := q.entries.oldest
		if one.kind == logEntry {
			q.countDroppedLocked(out)
		}
		last = one.kind == outcomeEntry
		if last {
			q.countDroppedLocked(out) // the outcome is the last event, always
		}
		out.add(one.data)
		// The last token there is: what follows it in this batch would come
		// again after a resume, which is harmless, where a gap is not.
		if whole && len(one.token) > 0 {
			token = one.token
		}
		q.removeLocked(one)
	}
	if q.logs.count == 0 {
		q.countDroppedLocked(out)
	}
	if out.events == 0 {
		q.idle = true
		return nil, false
	}
	if token != nil {
		out.resume(token)
	}
	q.sent = true
	q.makeRoomLocked()
	return out, last
}

// measureLocked returns how many entries go into the next message, and whether
// it ends where a group ends. A message that cuts a group has no token.
func (q *queue) measureLocked() (count, bytes int, whole bool) {
	limit := maxBatch
	if q.dropped > 0 {
		limit-- // for the count
	}
	seen, boundary := 0, 0
	for one := q.entries.oldest; one != nil; one = one.newer {
		if seen == limit || (seen > 0 && bytes+one.bytes() > maxBatchBytes) {
			if boundary > 0 {
				return boundary, bytes, true
			}
			return seen, bytes, false
		}
		seen++
		bytes += one.bytes()
		if one.newer == nil || one.newer.group != one.group {
			boundary = seen
		}
	}
	return seen, bytes, true
}

// countDroppedLocked puts the count where the lines are missing.
func (q *queue) countDroppedLocked(out *frame) {
	if q.dropped == 0 {
		return
	}
	data, err := appendEvent(nil, &sdk.Event{DroppedLogLines: q.dropped}, time.Now())
	if err != nil {
		panic("encode a number: " + err.Error()) // unreachable
	}
	out.add(data)
	q.dropped = 0
}
