package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	v1 "github.com/apm-deploy/apm/api/v1"
)

// FromNow is the after of Watch that asks for no past events.
const FromNow uint64 = math.MaxUint64

// ErrStop ends Watch and WatchFeed without an error when the function returns
// it.
var ErrStop = errors.New("stop watching")

// How long to wait before connecting again, and when a connection that says
// nothing is broken: the host pings more often.
const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 5 * time.Second
	silence      = 75 * time.Second
	maxMessage   = 16 << 20
)

// Watch calls fn with every event of a deployment after a seq (0: all of them;
// FromNow: only those to come), each row exactly once and in order, until fn
// returns an error, which Watch returns (ErrStop: nil), or ctx ends. Events with
// Ephemeral set come between them: each connection begins with a snapshot, the
// status body. A break is mended by itself; only a refusal (*Problem with
// status 400, 401, 403, 404, 409 or 422) ends it.
func (c *Client) Watch(ctx context.Context, id string, after uint64, fn func(v1.Event) error) error {
	w := &watch{last: after, known: after != FromNow, fn: fn}
	return c.mend(ctx, func(ctx context.Context) error {
		q := url.Values{"deployment_id": {id}}
		if w.known {
			q.Set("after", strconv.FormatUint(w.last, 10))
		}
		return c.listen(ctx, deploymentsSocket, q, w.take)
	}, &w.heard)
}

// watch is how far a watcher got.
type watch struct {
	last  uint64
	known bool // last is the seq of a row, or 0
	fn    func(v1.Event) error
	heard bool // since the last break
}

// take passes an event on. A row that was seen is dropped; one too far on means
// that something was lost, and the rest is asked for again.
func (w *watch) take(e v1.Event) error {
	w.heard = true
	switch {
	case e.Ephemeral:
		if !w.known && e.Type == "snapshot" {
			w.last, w.known = e.Seq, true
		}
	case w.known && e.Seq <= w.last:
		return nil
	case w.known && e.Seq != w.last+1:
		return fmt.Errorf("event %d came after %d", e.Seq, w.last)
	}
	if err := w.fn(e); err != nil {
		return &stopped{err}
	}
	if !e.Ephemeral {
		w.last, w.known = e.Seq, true
	}
	return nil
}

// FeedOptions select deployments of the feed. Zero values select nothing out.
type FeedOptions struct {
	Application, Environment, Platform string
	// After is the cursor of an event; "": from now on.
	After string
}

// WatchFeed calls fn with the events of all deployments in the order of their
// commits, and goes on after a break as Watch does. The snapshot that begins
// each connection holds a v1.FeedSnapshot. Beside the events of deployments come
// those of platforms, plugin.status, whose data is a v1.Plugin.
func (c *Client) WatchFeed(ctx context.Context, o FeedOptions, fn func(v1.Event) error) error {
	cursor, heard := o.After, false
	seen := map[string]uint64{}
	return c.mend(ctx, func(ctx context.Context) error {
		q := url.Values{}
		set(q, "application", o.Application)
		set(q, "environment", o.Environment)
		set(q, "platform", o.Platform)
		set(q, "after", cursor)
		return c.listen(ctx, deploymentsSocket, q, func(e v1.Event) error {
			heard = true
			repeated := !e.Ephemeral && e.Seq <= seen[e.DeploymentID]
			if !repeated {
				if err := fn(e); err != nil {
					return &stopped{err}
				}
			}
			if !e.Ephemeral {
				seen[e.DeploymentID] = max(seen[e.DeploymentID], e.Seq)
			}
			if e.Cursor != "" {
				cursor = e.Cursor
			}
			return nil
		})
	}, &heard)
}

// stopped carries what the caller's function returned.
type stopped struct{ err error }

// Error returns the caller's words.
func (s *stopped) Error() string { return s.err.Error() }

// mend runs listen until it ends for good. heard says whether a connection was
// of use, which makes the next wait short again.
func (c *Client) mend(ctx context.Context, listen func(context.Context) error, heard *bool) error {
	for attempt := 1; ; attempt++ {
		*heard = false
		err := listen(ctx)
		var stop *stopped
		if errors.As(err, &stop) {
			if errors.Is(stop.err, ErrStop) {
				return nil
			}
			return stop.err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if p := AsProblem(err); p != nil && final(p.Status) {
			return p
		}
		if *heard {
			attempt = 1
		}
		if err := wait(ctx, backoff(attempt)); err != nil {
			return err
		}
	}
}

// final says whether asking again cannot help.
func final(status int) bool {
	return status >= http.StatusBadRequest && status < http.StatusInternalServerError &&
		status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// Paths that speak WebSocket.
const (
	deploymentsSocket = "/ws/deployments"
	logsSocket        = "/ws/logs"
)

// listen connects and takes messages until the connection ends.
func (c *Client) listen(ctx context.Context, path string, query url.Values, take func(v1.Event) error) error {
	target := *c.base
	target.Scheme = strings.Replace(target.Scheme, "http", "ws", 1)
	target.Path += path
	target.RawQuery = query.Encode()
	header := http.Header{}
	c.headers(header)
	// The host pings; a connection on which nothing comes is dead.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dead := time.AfterFunc(silence, func() { cancel(errors.New("the host is silent")) })
	defer dead.Stop()
	conn, res, err := websocket.Dial(ctx, target.String(), &websocket.DialOptions{ //nolint:bodyclose // the package reads and closes it itself
		HTTPClient: c.http, HTTPHeader: header,
		OnPingReceived: func(context.Context, []byte) bool { dead.Reset(silence); return true },
	})
	if err != nil {
		return refusal(res, err)
	}
	defer func() { _ = conn.CloseNow() }() // what is left to close
	conn.SetReadLimit(maxMessage)
	for {
		kind, text, err := conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("read event: %w", err)
		}
		dead.Reset(silence)
		if kind != websocket.MessageText {
			return errors.New("a message that is no text")
		}
		var event v1.Event
		if err := json.Unmarshal(text, &event); err != nil {
			return fmt.Errorf("decode event: %w", err)
		}
		if event.Type == "slow" {
			continue // the close follows; nothing after the last seq was lost
		}
		if err := take(event); err != nil {
			// Best effort: the connection is of no more use either way.
			_ = conn.Close(websocket.StatusNormalClosure, "")
			return err
		}
	}
}

// refusal returns the problem that a handshake was answered with.
func refusal(res *http.Response, err error) error {
	if res == nil || res.StatusCode < http.StatusBadRequest || res.Body == nil {
		return err
	}
	// coder/websocket keeps the beginning of the body of a refusal.
	content := make([]byte, 1024)
	n, _ := res.Body.Read(content)
	return problemOf(res, content[:n])
}

// backoff returns how long to wait before a further attempt, with jitter.
func backoff(attempt int) time.Duration {
	longest := min(firstBackoff<<min(attempt-1, 10), lastBackoff)
	return longest/2 + rand.N(longest/2)
}

// wait waits, or returns why ctx ended.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
