package scenario_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// socket is a WebSocket that never connects again by itself.
type socket struct {
	t    *testing.T
	conn *websocket.Conn
}

// dialed is how a WebSocket is opened.
type dialed struct {
	Host  string // default "localhost"
	Token string // default: the admin's; "none": no token
	// Narrow leaves the client's kernel little room.
	Narrow bool
	Pinged func(context.Context, []byte) bool
}

// connect opens a WebSocket.
func connect(t *testing.T, h *harness.Host, query string) *socket {
	t.Helper()
	return dialed{}.connect(t, h, query)
}

func (d dialed) connect(t *testing.T, h *harness.Host, query string) *socket {
	t.Helper()
	if d.Host == "" {
		d.Host = "localhost"
	}
	if d.Token == "" {
		d.Token = h.Token()
	}
	options := &websocket.DialOptions{OnPingReceived: d.Pinged}
	if d.Token != "none" {
		options.HTTPHeader = http.Header{"Authorization": {"Bearer " + d.Token}}
	}
	dialer := net.Dialer{}
	if d.Narrow {
		dialer.Control = func(_, _ string, c syscall.RawConn) error {
			var failed error
			err := c.Control(func(fd uintptr) { failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
			return errors.Join(err, failed)
		}
	}
	options.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}
	conn, _, err := websocket.Dial(t.Context(), fmt.Sprintf("ws://%s:%d/ws/deployments%s", d.Host, h.Port, query), options) //nolint:bodyclose // the package reads and closes it itself
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	conn.SetReadLimit(16 << 20)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &socket{t: t, conn: conn}
}

// next returns the next message, or why there is none.
func (s *socket) next() (apiv1.Event, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	var e apiv1.Event
	kind, text, err := s.conn.Read(ctx)
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(text, &e); err != nil || kind != websocket.MessageText {
		s.t.Fatalf("message %q: %v", text, err)
	}
	return e, nil
}

// rows reads so many rows; the first message must be a snapshot.
func (s *socket) rows(count int) (snapshot apiv1.Event, rows []apiv1.Event) {
	s.t.Helper()
	for first := true; len(rows) < count || first; first = false {
		e, err := s.next()
		switch {
		case err != nil:
			s.t.Fatalf("after %d of %d rows: %v", len(rows), count, err)
		case first && (e.Type != "snapshot" || !e.Ephemeral):
			s.t.Fatalf("the first message is %s", e.Type)
		case first:
			snapshot = e
		case !e.Ephemeral:
			rows = append(rows, e)
		}
	}
	return snapshot, rows
}

func one(id string, after ...uint64) string {
	query := url.Values{"deployment_id": {id}}
	for _, seq := range after {
		query.Set("after", strconv.FormatUint(seq, 10))
	}
	return "?" + query.Encode()
}

// bare is an event without what only a feed has.
func bare(events []apiv1.Event) []apiv1.Event {
	all := make([]apiv1.Event, len(events))
	for i, e := range events {
		e.Cursor = ""
		all[i] = e
	}
	return all
}

// drain reads until the connection ends, and returns the seq of the last row
// and whether the client was told that it is slow.
func (s *socket) drain() (last uint64, told bool) {
	s.t.Helper()
	for {
		e, err := s.next()
		switch {
		case err != nil && told && websocket.CloseStatus(err) != websocket.StatusTryAgainLater:
			s.t.Errorf("the slow client was closed with %v", err)
			return last, told
		case err != nil:
			return last, told
		case e.Type == "slow":
			told = true
			var slow apiv1.Slow
			if err := json.Unmarshal(e.Data, &slow); err != nil || slow.LastSeq != last || e.Seq != last {
				s.t.Errorf("after row %d it is told %s (seq %d), %v", last, e.Data, e.Seq, err)
			}
		case !e.Ephemeral:
			if e.Seq != last+1 {
				s.t.Errorf("row %d came after %d", e.Seq, last)
			}
			last = e.Seq
		}
	}
}
