package shim

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// Bounds of what is kept for those who read slowly or come back. The shim stands
// in front of the traffic: it must not grow with what an application writes.
const (
	ringSize  = 8192
	ringBytes = 4 << 20
)

// batchSize is the most events sent at once.
const batchSize = 64

// entry is one event with its number. Events of an operation (Candidate,
// Outcome) name it; all others are about the component.
type entry struct {
	seq   uint64
	op    string
	event sdk.Event
	logs  uint64 // log lines up to here, this one included
}

// hub numbers events and keeps the newest. Readers have cursors of their own,
// so that a slow one costs nothing and never holds up the others.
type hub struct {
	boot string // of this shim; tokens of another are expired

	mu      sync.Mutex
	ring    []entry
	bytes   int // of the ring, about
	head    uint64
	logs    uint64
	changed chan struct{}
}

func newHub(boot string) *hub { return &hub{boot: boot, changed: make(chan struct{})} }

// append adds an event and wakes the readers.
func (h *hub) append(op string, event sdk.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.head++
	if event.Log != nil {
		h.logs++
	}
	if event.ObservedAt.IsZero() {
		event.ObservedAt = time.Now()
	}
	event.ResumeToken = h.token(h.head)
	one := entry{seq: h.head, op: op, event: event, logs: h.logs}
	h.ring = append(h.ring, one)
	h.bytes += one.size()
	if len(h.ring) >= 2*ringSize || h.bytes >= 2*ringBytes { // copied now and then, not at each event
		h.trim()
	}
	close(h.changed)
	h.changed = make(chan struct{})
}

// trim keeps the newest events, within the bounds.
func (h *hub) trim() {
	first, bytes := len(h.ring), 0
	for first > 0 && len(h.ring)-first < ringSize {
		size := h.ring[first-1].size()
		if bytes+size > ringBytes {
			break
		}
		first, bytes = first-1, bytes+size
	}
	h.ring, h.bytes = append([]entry(nil), h.ring[first:]...), bytes
}

// size is about what an event takes.
func (e entry) size() int {
	const bare = 200
	if e.event.Log == nil {
		return bare
	}
	return bare + len(e.event.Log.Line)
}

// position returns the number of the newest event, and of the log lines so far.
func (h *hub) position() (seq, logs uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.head, h.logs
}

// after returns the events after a number, at most a batch. gap says that some
// of them are gone; missed is how many of those were log lines. wait is closed
// at the next event.
func (h *hub) after(seq, logs uint64) (entries []entry, gap bool, missed uint64, wait <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if seq >= h.head {
		return nil, false, 0, h.changed
	}
	first := h.ring[0]
	skip := 0
	if seq+1 < first.seq {
		gap = true
		before := first.logs
		if first.event.Log != nil {
			before--
		}
		missed = before - logs
	} else {
		skip = int(seq + 1 - first.seq)
	}
	entries = h.ring[skip:min(skip+batchSize, len(h.ring))]
	return append([]entry(nil), entries...), gap, missed, h.changed
}

// mark is a place among the events.
type mark struct{ seq, logs uint64 }

// told returns the log lines of an operation that began at from, up to another
// place or to its outcome, and how many of them are gone. Nothing is returned of
// one that has ended so long ago that its outcome is gone.
func (h *hub) told(op string, ended bool, from, to mark) (lines []sdk.Event, missed uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.ring {
		if e.seq > to.seq {
			break
		}
		if e.op == op && e.event.Outcome != nil {
			to.logs, ended = e.logs, false
			break
		}
		if e.seq > from.seq && e.event.Log != nil {
			lines = append(lines, e.event)
		}
	}
	if ended || to.logs < from.logs+uint64(len(lines)) {
		return nil, 0
	}
	return lines, to.logs - from.logs - uint64(len(lines))
}

func (h *hub) token(seq uint64) []byte { return fmt.Appendf(nil, "%s:%d", h.boot, seq) }

// resume finds the place that a token stands for.
func (h *hub) resume(token []byte) (seq, logs uint64, err error) {
	expired := sdk.Errorf(sdk.OutOfRange, sdk.ReasonResumeExpired, "resume token is expired; watch again without one")
	boot, number, ok := strings.Cut(string(token), ":")
	seq, parseErr := strconv.ParseUint(number, 10, 64)
	h.mu.Lock()
	defer h.mu.Unlock()
	if !ok || parseErr != nil || boot != h.boot || seq > h.head {
		return 0, 0, expired
	}
	if seq == h.head {
		return seq, h.logs, nil
	}
	if seq+1 < h.ring[0].seq {
		return 0, 0, expired
	}
	next := h.ring[seq+1-h.ring[0].seq]
	logs = next.logs
	if next.event.Log != nil {
		logs--
	}
	return seq, logs, nil
}
