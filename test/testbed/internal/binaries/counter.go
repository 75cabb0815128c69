package binaries

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
)

// interval is how often a line of progress is written.
const interval = 20 * time.Second

// A counter reads the names of packages that go build -v writes when it compiles
// them, and tells from time to time how many there were.
type counter struct {
	next     time.Time
	progress io.Writer
	last     []string
	partial  []byte
	seen     int
	total    int
}

// Write counts lines; the last ones are kept, since they are the reason when the
// build fails.
func (c *counter) Write(p []byte) (int, error) {
	c.partial = append(c.partial, p...)
	for {
		line, rest, whole := bytes.Cut(c.partial, []byte("\n"))
		if !whole {
			break
		}
		c.partial = rest
		c.line(string(line))
	}
	return len(p), nil
}

func (c *counter) line(line string) {
	c.last = append(c.last, line)
	if len(c.last) > 30 {
		c.last = c.last[1:]
	}
	if strings.HasPrefix(line, "go: ") || strings.HasPrefix(line, "#") {
		return
	}
	c.seen++
	if time.Now().Before(c.next) {
		return
	}
	c.next = time.Now().Add(interval)
	of := ""
	if c.total > 0 {
		of = fmt.Sprintf(" of at most %d", c.total)
	}
	fmt.Fprintf(c.progress, "testbed: compiled %d%s packages, now %s\n", c.seen, of, line)
}

func (c *counter) tail() string { return strings.Join(append(c.last, string(c.partial)), "\n") }
