package platform

import (
	"bytes"
	"io"
	"sync"
)

// maxFirstLine bounds the first line of standard output; a handshake has about
// 700 bytes.
const maxFirstLine = 8 << 10

// firstLine hands the first line of a plugin's standard output to go-plugin and
// swallows all that follows, of whatever length, so that the plugin never waits.
type firstLine struct {
	source io.ReadCloser

	mu   sync.Mutex
	line []byte // without its end
	done bool
}

// Read returns the first line in pieces, then nothing until the end.
func (f *firstLine) Read(p []byte) (int, error) {
	for {
		n, err := f.source.Read(p)
		if kept := f.keep(p[:n]); kept > 0 || err != nil {
			return kept, err
		}
	}
}

// keep says how much of p belongs to the first line, its end included.
func (f *firstLine) keep(p []byte) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done || len(p) == 0 {
		return 0
	}
	kept := len(p)
	if end := bytes.IndexByte(p, '\n'); end >= 0 {
		f.line, kept, f.done = append(f.line, p[:end]...), end+1, true
	} else {
		f.line = append(f.line, p...)
	}
	if len(f.line) > maxFirstLine {
		f.line, f.done = f.line[:maxFirstLine], true
		p[kept-1] = '\n'
	}
	return kept
}

// Close closes the source.
func (f *firstLine) Close() error { return f.source.Close() }

// text returns what was read of the first line.
func (f *firstLine) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return string(bytes.TrimSpace(f.line))
}
