package platform

import (
	"context"
	"time"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
)

// Logs sends what the newest operation said while it copied, or with Previous the
// one before. Files themselves say nothing.
func (p *Platform) Logs(ctx context.Context, r sdk.LogsRequest, send func(lines ...sdk.LogLine) error) error {
	dir, err := p.dir(r.Target)
	if err != nil {
		return err
	}
	s, err := dir.Load()
	if err != nil {
		return answer("read logs", err)
	}
	id := logged(s, r.Previous)
	if r.Resource != "" && r.Resource != releaseResource {
		id = ""
	}
	tail := &tail{limit: r.Tail, since: r.Since}
	offset, err := read(dir, id, 0, tail.add)
	if err != nil {
		return err
	}
	if err := send(tail.lines...); err != nil || !r.Follow {
		return err
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		woken := p.wakeup()
		if offset, err = read(dir, id, offset, func(line sdk.LogLine) error { return send(line) }); err != nil {
			return err
		}
		select {
		case <-woken:
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// logged returns the operation whose lines are asked for; "" for none.
func logged(s *component.State, previous bool) string {
	n := len(s.Operations) - 1
	if previous {
		n--
	}
	if n < 0 {
		return ""
	}
	return s.Operations[n].ID
}

// read tells each line from offset on and returns the offset after them.
func read(dir component.Dir, operation string, offset int64, each func(sdk.LogLine) error) (int64, error) {
	for operation != "" {
		lines, next, err := dir.ReadLog(operation, offset, 1000)
		if err != nil {
			return offset, answer("read logs", err)
		}
		if len(lines) == 0 {
			break
		}
		for _, line := range lines {
			if err := each(*lineOf(line)); err != nil {
				return offset, err
			}
		}
		offset = next
	}
	return offset, nil
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
