package platform

import (
	"bytes"
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
	lines [][]byte
	next  int
	panic string

	secrets *secrets
}

// add keeps a line. It makes nothing new once there are enough lines, because a
// plugin may write millions of them.
func (t *tail) add(line []byte) {
	line = line[:min(len(line), tailBytes)]
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.panic == "" && startsPanic(line) {
		t.panic = string(line)
	}
	if len(t.lines) < tailLines {
		t.lines = append(t.lines, append([]byte(nil), line...))
		return
	}
	t.lines[t.next] = append(t.lines[t.next][:0], line...)
	t.next = (t.next + 1) % tailLines
}

// last returns the lines, oldest first, as a person reads them.
func (t *tail) last() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := make([]string, 0, len(t.lines))
	for i := range t.lines {
		lines = append(lines, t.secrets.text(plain(t.lines[(t.next+i)%len(t.lines)])))
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
		return t.secrets.text(panicked)
	}
	lines := t.last()
	return strings.Join(lines[max(0, len(lines)-3):], " | ")
}

func startsPanic(line []byte) bool {
	return bytes.HasPrefix(line, []byte("panic: ")) || bytes.HasPrefix(line, []byte("fatal error: "))
}

// plain renders a line of the contract's JSON as text; any other is as it is.
func plain(line []byte) string {
	entry, ok := parseEntry(line)
	if !ok {
		return string(line)
	}
	var b strings.Builder
	b.WriteString(entry.message)
	for _, attr := range entry.attrs {
		b.WriteString(" " + attr.Key + "=" + attr.Value.String())
	}
	return b.String()
}
