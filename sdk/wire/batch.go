package wire

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
)

// take returns the next message and whether it ends with the outcome; nil when
// nothing waits. Groups stay whole where they fit.
func (q *queue) take() (batch *pluginv1.WatchResponse, last bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	count, whole := q.measureLocked()
	if count == 0 && q.dropped == 0 {
		return nil, false
	}
	batch = &pluginv1.WatchResponse{Events: make([]*pluginv1.WatchEvent, 0, count+1)}
	for range count {
		front := q.entries.Front()
		one := entryOf(front)
		if one.log != nil {
			q.countDroppedLocked(batch)
		}
		last = one.event.GetOutcome() != nil
		if last {
			q.countDroppedLocked(batch) // the outcome is the last event, always
		}
		batch.Events = append(batch.Events, one.event)
		// The last token there is: what follows it in this batch would come
		// again after a resume, which is harmless, where a gap is not.
		if whole && len(one.token) > 0 {
			batch.ResumeToken = one.token
		}
		q.removeLocked(front)
	}
	if q.logs.Len() == 0 {
		q.countDroppedLocked(batch)
	}
	if len(batch.GetEvents()) == 0 {
		return nil, false
	}
	q.sent = true
	close(q.room)
	q.room = make(chan struct{})
	return batch, last
}

// measureLocked returns how many entries go into the next message, and whether
// it ends where a group ends. A message that cuts a group has no token.
func (q *queue) measureLocked() (count int, whole bool) {
	limit := maxBatch
	if q.dropped > 0 {
		limit-- // for the count
	}
	bytes, seen, boundary := 0, 0, 0
	for element := q.entries.Front(); element != nil; element = element.Next() {
		one := entryOf(element)
		if seen == limit || (seen > 0 && bytes+one.bytes > maxBatchBytes) {
			if boundary > 0 {
				return boundary, true
			}
			return seen, false
		}
		seen++
		bytes += one.bytes
		if next := element.Next(); next == nil || entryOf(next).group != one.group {
			boundary = seen
		}
	}
	return seen, true
}

// countDroppedLocked puts the count where the lines are missing.
func (q *queue) countDroppedLocked(batch *pluginv1.WatchResponse) {
	if q.dropped == 0 {
		return
	}
	batch.Events = append(batch.Events, &pluginv1.WatchEvent{
		ObservedAt: timestamppb.Now(),
		Event:      &pluginv1.WatchEvent_DroppedLogLines{DroppedLogLines: q.dropped},
	})
	q.dropped = 0
}
