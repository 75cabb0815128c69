package wire

import (
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// frameBytes is more than a message has around an event.
const frameBytes = 8

// take returns the next message and whether it ends with the outcome; nil when
// nothing waits. Groups stay whole where they fit. It has one caller.
func (q *queue) take() (out *frame, last bool) {
	p := q.cut()
	if p.count == 0 && p.dropped == 0 {
		return nil, false
	}
	out = newFrame(p.bytes + (p.count+1)*frameBytes)
	var token []byte
	var used freeList
	for one := p.oldest; one != nil; {
		if p.dropped > 0 && (one.kind == logEntry || one.kind == outcomeEntry) { // the outcome is the last event, always
			out.addDropped(p.dropped)
			p.dropped = 0
		}
		last = one.kind == outcomeEntry
		out.add(one.data)
		// The last token there is: what follows it in this batch would come
		// again after a resume, which is harmless, where a gap is not.
		if p.whole && len(one.token) > 0 {
			token = one.token
		}
		next := one.newer
		used.put(one)
		one = next
	}
	if p.dropped > 0 {
		out.addDropped(p.dropped)
	}
	if token != nil {
		out.resume(token)
	}
	q.reuse(used)
	return out, last
}

// part is what goes into one message, in a chain of its own.
type part struct {
	oldest  *entry
	count   int
	bytes   int
	whole   bool   // it ends where a group ends
	dropped uint64 // lines that are missing before its first line, or at its end
}

// cut takes the next message's part out of the queue; to encode it nobody has to
// wait.
func (q *queue) cut() part {
	q.mu.Lock()
	defer q.mu.Unlock()
	var p part
	p.count, p.bytes, p.whole = q.measureLocked()
	p.oldest = q.entries.oldest
	lines := false
	var newest *entry
	for range p.count {
		newest = q.entries.oldest
		lines = lines || newest.kind == logEntry || newest.kind == outcomeEntry
		q.uncountLocked(newest)
		q.entries.oldest = newest.newer
	}
	if newest != nil {
		newest.newer = nil
		if q.entries.oldest == nil {
			q.entries.newest = nil
		} else {
			q.entries.oldest.older = nil
		}
	}
	if lines || q.logs.count == 0 {
		p.dropped, q.dropped = q.dropped, 0
	}
	if p.count == 0 && p.dropped == 0 {
		q.idle = true
		return p
	}
	q.sent = true
	q.makeRoomLocked()
	return p
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

// addDropped adds the count where the lines are missing.
func (f *frame) addDropped(lines uint64) {
	data, err := appendEvent(nil, &sdk.Event{DroppedLogLines: lines}, time.Now())
	if err != nil {
		panic("encode a number: " + err.Error()) // unreachable
	}
	f.add(data)
}
