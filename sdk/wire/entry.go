package wire

import (
	"sync"

	"github.com/apm-deploy/apm/sdk"
)

// entry is one event in a queue.
type entry struct {
	data    []byte // the WatchEvent, encoded
	kind    entryKind
	id      string // of a resource
	dropped uint64 // log lines that the platform itself left out
	token   []byte
	group   uint64 // events of one Sink call are one group

	older, newer *entry // neighbours in the chain
	newerLog     *entry // next in the fifo
}

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

func kindOf(event sdk.Event) entryKind {
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

// entryPool has entries used again: a flood of events is no flood of garbage.
var entryPool = sync.Pool{New: func() any { return new(entry) }}

func takeEntry() *entry {
	one, ok := entryPool.Get().(*entry)
	if !ok {
		panic("a pool that holds something else") // unreachable
	}
	return one
}

func (e *entry) giveBack() {
	data := e.data[:0]
	if cap(data) > maxKeptEntry {
		data = nil
	}
	*e = entry{data: data}
	entryPool.Put(e)
}
