package journal

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// logFile is where the lines of an operation are.
func (j *Journal[G]) logFile(operation string) string {
	sum := sha256.Sum256([]byte(operation))
	return filepath.Join(j.dir, logsDir, hex.EncodeToString(sum[:8]))
}

// readLog returns up to limit lines of an operation from an offset on, and the offset
// after them. A log that is not there has no lines.
func (j *Journal[G]) readLog(operation string, offset int64, limit int) (lines []sdk.LogLine, next int64, err error) {
	file, err := os.Open(j.logFile(operation))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, offset, nil
	}
	if err != nil {
		return nil, offset, err
	}
	defer file.Close()
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return nil, offset, err
	}
	in := bufio.NewReader(file)
	for len(lines) < limit {
		text, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break // a line that is not whole comes next time
		}
		if err != nil {
			return lines, offset, err
		}
		offset += int64(len(text))
		stamp, text, _ := strings.Cut(strings.TrimSuffix(text, "\n"), "\t")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil {
			continue // torn by a crash
		}
		lines = append(lines, sdk.LogLine{Resource: j.book.config.Resource, Line: text, Time: at})
	}
	return lines, offset, nil
}

// readLines tells each line from offset on and returns the offset after them.
func (j *Journal[G]) readLines(operation string, offset int64, each func(sdk.LogLine) error) (int64, error) {
	for {
		lines, next, err := j.readLog(operation, offset, 1000)
		if err != nil || len(lines) == 0 {
			return offset, Answer("read logs", err)
		}
		for _, line := range lines {
			if err := each(line); err != nil {
				return offset, err
			}
		}
		offset = next
	}
}

// lastLines are the evidence of a failure.
func (j *Journal[G]) lastLines(operation string) []sdk.LogLine {
	last := &tail{limit: sdk.MaxFailureLogs}
	_, _ = j.readLines(operation, 0, last.add) // as much as there is
	return last.lines
}

// sweepLogs removes the lines of operations that are forgotten.
func (j *Journal[G]) sweepLogs(r *Record[G]) {
	wanted := map[string]bool{}
	for _, o := range r.Operations {
		wanted[j.logFile(o.ID)] = true
	}
	files, _ := filepath.Glob(filepath.Join(j.dir, logsDir, "*")) // the pattern is good
	for _, file := range files {
		if !wanted[file] {
			_ = os.Remove(file) // else the next time
		}
	}
}

// Logs sends what the newest operation said, or with Previous the one before.
func (j *Journal[G]) Logs(ctx context.Context, r sdk.LogsRequest, send func(lines ...sdk.LogLine) error) error {
	record, err := j.Read()
	if err != nil {
		return Answer("read logs", err)
	}
	asked := len(record.Operations) - 1
	if r.Previous {
		asked--
	}
	id := ""
	if asked >= 0 && (r.Resource == "" || r.Resource == j.book.config.Resource) {
		id = record.Operations[asked].ID
	}
	last := &tail{limit: r.Tail, since: r.Since}
	offset, err := j.readLines(id, 0, last.add)
	if err != nil {
		return err
	}
	if err := send(last.lines...); err != nil || !r.Follow {
		return err
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		changed := j.Changed()
		if offset, err = j.readLines(id, offset, func(line sdk.LogLine) error { return send(line) }); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tail keeps the last lines.
type tail struct {
	limit int // 0: all
	since time.Time
	lines []sdk.LogLine
}

func (t *tail) add(line sdk.LogLine) error {
	if line.Time.Before(t.since) {
		return nil
	}
	t.lines = append(t.lines, line)
	if t.limit > 0 && len(t.lines) > t.limit {
		t.lines = t.lines[1:]
	}
	return nil
}
