package server

import (
	"slices"
	"sync"
	"time"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// maxLogBytes bounds an answer of log lines.
const maxLogBytes = 4 << 20

// tail gathers the last lines. Platforms may send from several goroutines.
type tail struct {
	limit int

	mu    sync.Mutex
	lines []v1.LogLine
	bytes int
}

// add takes lines of a component.
func (t *tail) add(component string, lines ...deployment.LogLine) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, line := range linesOf(component, lines) {
		t.lines = append(t.lines, line)
		t.bytes += len(line.Line)
	}
	if len(t.lines) > 2*t.limit || t.bytes > 2*maxLogBytes {
		t.trim()
	}
	return nil
}

// trim drops the oldest lines beyond the limits.
func (t *tail) trim() {
	sortBy(t.lines, func(l v1.LogLine) time.Time { return l.Time })
	drop := max(len(t.lines)-t.limit, 0)
	kept := 0
	for i := len(t.lines) - 1; i >= drop; i-- {
		if kept+len(t.lines[i].Line) > maxLogBytes {
			drop = i + 1
			break
		}
		kept += len(t.lines[i].Line)
	}
	t.lines = slices.Delete(t.lines, 0, drop)
	t.bytes = kept
}

// sorted returns the lines, oldest first.
func (t *tail) sorted() []v1.LogLine {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trim()
	if t.lines == nil {
		return []v1.LogLine{}
	}
	return t.lines
}

// sortBy sorts by time and keeps the order of what happened at the same time.
func sortBy[T any](list []T, at func(T) time.Time) {
	slices.SortStableFunc(list, func(a, b T) int { return at(a).Compare(at(b)) })
}
