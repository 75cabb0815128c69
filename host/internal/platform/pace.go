package platform

import (
	"io"
	"time"
)

const (
	// maxPace is how many bytes of what a plugin writes are read in a second, far more
	// than anybody writes who has something to say. A plugin that writes more
	// waits, so that it does not take the processor from the others.
	maxPace = 32 << 20
	// paceStep is the least that is waited: nobody waits for what is less at once.
	paceStep = 25 * time.Millisecond
)

// pace reads no faster than maxPace.
type pace struct {
	source io.Reader
	last   time.Time
	ahead  time.Duration // of the pace, at last
}

// Read reads, and then waits for what it is ahead.
func (p *pace) Read(b []byte) (int, error) {
	n, err := p.source.Read(b)
	now := time.Now()
	p.ahead = max(0, p.ahead-now.Sub(p.last)) + time.Duration(n)*time.Second/maxPace
	p.last = now
	if p.ahead > paceStep {
		time.Sleep(p.ahead)
	}
	return n, err
}

// slowly returns a source that is read at that pace.
func slowly(source io.ReadCloser) io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{&pace{source: source}, source}
}
