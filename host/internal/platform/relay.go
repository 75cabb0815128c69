package platform

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"time"
)

const (
	maxLine  = 16 << 10 // bytes of a line that are kept
	logRate  = 200      // lines of up to 1 KiB per second, in the long run
	logBurst = 1000
)

// relay brings what a plugin writes to standard error into the host's log. It
// always reads on, no faster than maxPace: a plugin never waits for the log.
type relay struct {
	log     *slog.Logger // with plugin and platform
	tail    *tail
	tokens  float64
	filled  time.Time
	dropped int
	trace   bool // within a panic's trace
}

func newRelay(log *slog.Logger, kept *tail) *relay {
	return &relay{log: log, tail: kept, tokens: logBurst, filled: time.Now()}
}

// run reads until the end.
func (r *relay) run(source io.Reader) {
	reader := bufio.NewReaderSize(&pace{source: source}, 32<<10)
	var line []byte
	for {
		var cut int
		var err error
		line, cut, err = readLine(reader, line[:0])
		if text := bytes.TrimRight(line, "\r"); len(text) > 0 {
			r.take(text, cut)
		}
		if err != nil {
			r.report()
			return
		}
	}
}

// readLine appends one line without its end to buffer, and says how many bytes
// beyond maxLine it left out.
func readLine(reader *bufio.Reader, buffer []byte) (line []byte, cut int, err error) {
	for {
		piece, err := reader.ReadSlice('\n')
		if err == nil {
			piece = piece[:len(piece)-1]
		}
		keep := min(len(piece), maxLine-len(buffer))
		buffer = append(buffer, piece[:keep]...)
		cut += len(piece) - keep
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		return buffer, cut, err
	}
}

func (r *relay) take(line []byte, cut int) {
	r.tail.add(line)
	if !r.allowed(len(line)) {
		r.dropped++
		return
	}
	r.report()
	ctx := context.Background()
	parsed, ok := parseEntry(line)
	if !ok {
		parsed = r.text(line, cut)
	}
	if !r.log.Enabled(ctx, parsed.level) {
		return
	}
	parsed = r.tail.secrets.entry(parsed)
	// The message is the plugin's own, so that the record is made by hand.
	record := slog.NewRecord(parsed.time, parsed.level, parsed.message, 0)
	record.AddAttrs(parsed.attrs...)
	// A host without a log has nobody to tell.
	_ = r.log.Handler().Handle(ctx, record)
}

// text is a line that is not by the contract.
func (r *relay) text(line []byte, cut int) entry {
	r.trace = r.trace || startsPanic(line)
	e := entry{
		time: time.Now(), level: slog.LevelInfo, message: "plugin wrote to standard error",
		attrs: []slog.Attr{slog.String("line", string(line))},
	}
	if r.trace {
		e.level = slog.LevelError
	}
	if cut > 0 {
		e.attrs = append(e.attrs, slog.Int("bytes_cut", cut))
	}
	return e
}

// allowed takes a line from the budget.
func (r *relay) allowed(size int) bool {
	now := time.Now()
	r.tokens = min(logBurst, r.tokens+now.Sub(r.filled).Seconds()*logRate)
	r.filled = now
	cost := 1 + float64(size)/1024
	if r.tokens < cost {
		return false
	}
	r.tokens -= cost
	return true
}

// report says what was dropped, once there is room again.
func (r *relay) report() {
	if r.dropped > 0 {
		r.log.Warn("plugin log lines dropped: it writes too much", "lines", r.dropped)
		r.dropped = 0
	}
}
