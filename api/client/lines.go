package client

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"time"

	v1 "github.com/apm-deploy/apm/api/v1"
)

// FollowLogs calls fn with each log line of a deployment's components as it is
// written, those of before first as the options say (Previous is not used), until
// fn returns an error, which FollowLogs returns (ErrStop: nil), or ctx ends. A
// break is mended by itself, without a line that is missing or comes twice; only a
// refusal ends it, as it does Watch. It needs a token.
func (c *Client) FollowLogs(ctx context.Context, id string, o LogOptions, fn func(v1.LogLine) error) error {
	l := &lines{fn: fn, last: map[source]mark{}}
	return c.mend(ctx, func(ctx context.Context) error {
		q := url.Values{"deployment_id": {id}}
		set(q, "component", o.Component)
		set(q, "resource", o.Resource)
		since := o.Since
		if l.newest.IsZero() {
			setInt(q, "tail", o.Tail)
		} else {
			since = l.newest.Add(-overlap)
		}
		if !since.IsZero() {
			q.Set("since", since.UTC().Format(time.RFC3339Nano))
		}
		l.again()
		return c.listen(ctx, logsSocket, q, l.take)
	}, &l.heard)
}

// overlap is how far back a new connection begins: lines of one source come in
// order, those of several need not.
const overlap = 5 * time.Second

// source is what writes lines in order.
type source struct{ component, resource string }

// mark is how far a source got.
type mark struct {
	at    time.Time
	lines map[v1.LogLine]int // of that time
}

// lines is how far a follower got.
type lines struct {
	fn     func(v1.LogLine) error
	last   map[source]mark
	behind map[source]mark // since the last break: what comes up to there was seen
	newest time.Time
	heard  bool // of something new, since the last break
}

// again begins a new connection.
func (l *lines) again() {
	l.behind = map[source]mark{}
	for from, m := range l.last {
		l.behind[from] = mark{at: m.at, lines: maps.Clone(m.lines)}
	}
}

// take passes a line on that was not seen before the break.
func (l *lines) take(e v1.Event) error {
	if e.Type != "log" {
		return nil
	}
	var line v1.LogLine
	if err := json.Unmarshal(e.Data, &line); err != nil {
		return fmt.Errorf("decode log line: %w", err)
	}
	line.Time = line.Time.UTC()
	from := source{line.Component, line.Resource}
	if seen, behind := l.behind[from]; behind {
		switch {
		case line.Time.Before(seen.at):
			return nil
		case line.Time.Equal(seen.at) && seen.lines[line] > 0:
			seen.lines[line]--
			return nil
		}
		if line.Time.After(seen.at) {
			delete(l.behind, from)
		}
	}
	l.heard = true
	if err := l.fn(line); err != nil {
		return &stopped{err}
	}
	m := l.last[from]
	if m.lines == nil || line.Time.After(m.at) {
		m = mark{at: line.Time, lines: map[v1.LogLine]int{}}
	}
	if line.Time.Equal(m.at) {
		m.lines[line]++
	}
	l.last[from] = m
	if line.Time.After(l.newest) {
		l.newest = line.Time
	}
	return nil
}
