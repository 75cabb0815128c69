package platform

import (
	"strings"
	"sync"
)

const (
	tailLines = 50
	tailBytes = 1 << 10 // of a line
)

// tail keeps the last lines that a plugin wrote to standard error, and the first
// of a panic, which a long trace would push out.
type tail struct {
	mu    sync.Mutex
	lines []string
	next  int
	panic string
}

func (t *tail) add(line []byte) {
	text := string(line[:min(len(line), tailBytes)])
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.panic == "" && startsPanic(text) {
		t.panic = text
	}
	if len(t.lines) < tailLines {
		t.lines = append(t.lines, text)
		return
	}
	t.lines[t.next] = text
	t.next = (t.next + 1) % tailLines
}

// last returns the lines, oldest first, as a person reads them.
func (t *tail) last() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := make([]string, 0, len(t.lines))
	for i := range t.lines {
		lines = append(lines, plain(t.lines[(t.next+i)%len(t.lines)]))
	}
	return lines
}

// summary returns a few of them in one line: the panic's first, else the last
// three.
func (t *tail) summary() string {
	t.mu.Lock()
	panicked := t.panic
	t.mu.Unlock()
	if panicked != "" {
		return panicked
	}
	lines := t.last()
	return strings.Join(lines[max(0, len(lines)-3):], " | ")
}

func startsPanic(line string) bool {
	return strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")
}

// plain renders a line of the contract's JSON as text; any other is as it is.
func plain(line string) string {
	entry, ok := parseEntry([]byte(line))
	if !ok {
		return line
	}
	var b strings.Builder
	b.WriteString(entry.message)
	for _, attr := range entry.attrs {
		b.WriteString(" " + attr.Key + "=" + attr.Value.String())
	}
	return b.String()
}
