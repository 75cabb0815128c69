package wire

import "github.com/apm-deploy/apm/sdk"

// entry is one event in a queue.
type entry struct {
	data    []byte // the WatchEvent, encoded
	kind    entryKind
	place   *place // of a resource
	dropped uint64 // log lines that the platform itself left out
	token   []byte
	group   uint64 // events of one Sink call are one group

	older, newer *entry // neighbours in the chain
	newerLog     *entry // next in the fifo
}

// place is where the newest event of a resource waits, nil where none does.
type place struct{ waits *entry }

// bytes is what an entry takes in a message, about.
func (e *entry) bytes() int { return len(e.data) + len(e.token) }

// entryKind is what the queue must know about an event.
type entryKind int

const (
	plainEntry entryKind = iota // never left out
	stateEntry
	resourceEntry
	logEntry
	droppedEntry
	outcomeEntry
)

func kindOf(event *sdk.Event) entryKind {
	switch {
	case event.State != nil:
		return stateEntry
	case event.Resource != nil:
		return resourceEntry
	case event.Log != nil:
		return logEntry
	case event.DroppedLogLines > 0:
		return droppedEntry
	case event.Outcome != nil:
		return outcomeEntry
	default:
		return plainEntry
	}
}

// maxKeptEntry is the largest text of an entry that is used again.
const maxKeptEntry = 4 << 10

// maxFree is the most entries that are kept to be used again: as many as wait where a
// platform does not send very many at once.
const maxFree = maxLogs + maxHeld

// freeList holds entries to be used again: a flood of events is no flood of garbage.
// It is linked by newer.
type freeList struct {
	first *entry
	count int
}

func (l *freeList) put(one *entry) {
	if l.count == maxFree {
		return
	}
	l.count++
	data := one.data[:0]
	if cap(data) > maxKeptEntry {
		data = nil
	}
	*one = entry{data: data, newer: l.first}
	l.first = one
}

// take returns an entry, a new one where the list is empty.
func (l *freeList) take() *entry {
	one := l.first
	if one == nil {
		return new(entry)
	}
	l.first, one.newer = one.newer, nil
	l.count--
	return one
}
