package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/server"
)

// listener is a WebSocket client of a test.
type listener struct {
	*testing.T
	conn *websocket.Conn
}

// listen connects to events, or answers with the refusal.
func (h *host) listen(query, token string, header http.Header) (*listener, answer) {
	h.Helper()
	return h.dial("/ws/deployments"+query, token, header)
}

// dial connects to a path that speaks WebSocket, or answers with the refusal.
func (h *host) dial(path, token string, header http.Header) (*listener, answer) {
	h.Helper()
	if header == nil {
		header = http.Header{}
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	options := &websocket.DialOptions{HTTPHeader: header, HTTPClient: &http.Client{Transport: transport}}
	if host := header.Get("Host"); host != "" {
		options.Host = host
	}
	conn, res, err := websocket.Dial(h.Context(), strings.Replace(h.url, "http", "ws", 1)+path, options)
	if err != nil {
		if res == nil {
			h.Fatal(err)
		}
		defer res.Body.Close()
		return nil, read(h.T, res)
	}
	conn.SetReadLimit(16 << 20)
	h.Cleanup(func() { _ = conn.CloseNow() })
	return &listener{h.T, conn}, answer{}
}

// next returns the next event.
func (l *listener) next() v1.Event {
	l.Helper()
	e, err := l.read()
	ok(l.T, err)
	return e
}

// read returns the next event, or why there is none.
func (l *listener) read() (v1.Event, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var e v1.Event
	_, text, err := l.conn.Read(ctx)
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(text, &e)
}

// row returns the next event that is no progress.
func (l *listener) row() v1.Event {
	l.Helper()
	for {
		if e := l.next(); e.Type != "progress" {
			return e
		}
	}
}

// note is a row with some text.
func note(text string) deployment.Event {
	return event(deployment.EventStatus, deployment.StatusPayload{Run: 1, Status: deployment.Deploying, Reason: text})
}

func TestSocketBeginsWithASnapshotAndGoesOn(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true, server: server.Config{Poll: time.Hour}}) // by doorbell alone
	d := h.accept("v1")
	h.commit(d, note("one"))
	l, _ := h.listen("?deployment_id="+d.ID, "", nil)
	first := l.next()
	var body v1.Deployment
	ok(t, json.Unmarshal(first.Data, &body))
	if first.Type != "snapshot" || !first.Ephemeral || first.Seq != 2 || body.ID != d.ID || body.Seq != 2 {
		t.Fatalf("first message: %+v", first)
	}
	h.commit(d, note("two"), note("three"))
	for want := uint64(3); want <= 4; want++ {
		if e := l.row(); e.Seq != want || e.Ephemeral || e.DeploymentID != d.ID {
			t.Fatalf("event %+v, want seq %d", e, want)
		}
	}
}

func TestSocketReplaysAfterASeq(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	d := h.accept("v1")
	for range 500 { // several pages
		h.commit(d, note("x"))
	}
	l, _ := h.listen("?after=1&deployment_id="+d.ID[:8], "", nil)
	if first := l.next(); first.Type != "snapshot" || first.Seq != 501 {
		t.Fatalf("first message: %+v", first)
	}
	for want := uint64(2); want <= 501; want++ {
		if e := l.row(); e.Seq != want {
			t.Fatalf("seq %d, want %d", e.Seq, want)
		}
	}
}

// TestSocketFindsRowsWithoutDoorbell: another host committed them.
func TestSocketFindsRowsWithoutDoorbell(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true, server: server.Config{Poll: 20 * time.Millisecond}})
	d := h.accept("v1")
	l, _ := h.listen("?deployment_id="+d.ID, "", nil)
	l.next()
	d.Seq++
	e := note("silent")
	e.DeploymentID, e.Seq, e.Time = d.ID, d.Seq, noon
	ok(t, h.store.Commit(t.Context(), deployment.Change{Target: d.Target, Epoch: h.epoch(d.Target), Deployment: d, Events: []deployment.Event{e}}))
	if got := l.row(); got.Seq != 2 {
		t.Errorf("event %+v", got)
	}
}

func TestSocketOutlastsTheStore(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true, server: server.Config{Poll: 20 * time.Millisecond}})
	d := h.accept("v1")
	l, _ := h.listen("?deployment_id="+d.ID, "", nil)
	l.next()
	h.store.away.Store(true)
	h.commit(d, note("unseen for a while"))
	h.store.away.Store(false)
	if got := l.row(); got.Seq != 2 {
		t.Errorf("event %+v", got)
	}
}

func TestEphemeralEvents(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	d := h.accept("v1")
	named, _ := h.listen("?deployment_id="+d.ID, h.viewer, nil)
	nobody, _ := h.listen("?deployment_id="+d.ID, "", nil)
	named.next()
	nobody.next()
	line := event(deployment.EventLog, deployment.LogPayload{Component: "web", LogLine: deployment.LogLine{Line: "hello", Time: noon}})
	line.DeploymentID, line.Ephemeral = d.ID, true
	h.bus.Publish(line)
	for {
		e := named.next()
		if e.Type == "log" {
			if !e.Ephemeral || e.Seq != 1 || !strings.Contains(string(e.Data), "hello") {
				t.Errorf("log line: %+v", e)
			}
			break
		}
	}
	progress := event(deployment.EventProgress, deployment.ProgressPayload{Progress: deployment.Progress{Percentage: 42, CurrentStep: 2, TotalSteps: 3, CurrentStage: "x"}})
	progress.DeploymentID, progress.Ephemeral = d.ID, true
	h.bus.Publish(progress)
	for {
		e := nobody.next()
		if e.Type == "log" {
			t.Fatalf("a log line without a token: %+v", e)
		}
		if e.Type == "progress" && strings.Contains(string(e.Data), "42") {
			if !e.Ephemeral || e.Seq != 1 {
				t.Errorf("progress: %+v", e)
			}
			break
		}
	}
}

func TestEvidenceIsBareWithoutAToken(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	d := h.accept("v1")
	named, _ := h.listen("?deployment_id="+d.ID, h.viewer, nil)
	nobody, _ := h.listen("?deployment_id="+d.ID, "", nil)
	named.next()
	nobody.next()
	h.commit(d, event(deployment.EventEvidence, deployment.EvidencePayload{
		Key: "evidence/1", Component: "web", Code: "CRASH_LOOP", Resource: "instance-1", Suggestion: "look at canary",
	}))
	full, bare := string(named.row().Data), string(nobody.row().Data)
	if !strings.Contains(full, "canary") {
		t.Errorf("with a token: %s", full)
	}
	if strings.Contains(bare, "canary") || strings.Contains(bare, "instance-1") || !strings.Contains(bare, "CRASH_LOOP") || !strings.Contains(bare, "evidence/1") {
		t.Errorf("without a token: %s", bare)
	}
	page := h.do(call{path: "/api/v1/deployments/" + d.ID + "/events"})
	if strings.Contains(string(page.body), "canary") {
		t.Errorf("events page without a token: %s", page.body)
	}
}

func TestSocketRefusals(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	closed := newHost(t, options{})
	d := h.accept("v1")
	tests := map[string]struct {
		host   *host
		query  string
		header http.Header
		status int
	}{
		"bad after":         {h, "?after=x&deployment_id=" + d.ID, nil, 400},
		"negative after":    {h, "?after=-1&deployment_id=" + d.ID, nil, 400},
		"after beyond":      {h, "?after=99&deployment_id=" + d.ID, nil, 400},
		"bad cursor":        {h, "?after=nonsense", nil, 400},
		"unknown parameter": {h, "?id=" + d.ID, nil, 400},
		"token in the URL":  {h, "?token=x", nil, 400},
		"filter and id":     {h, "?application=a&deployment_id=" + d.ID, nil, 400},
		"unknown id":        {h, "?deployment_id=ffffffff-0000-0000-0000-000000000000", nil, 404},
		"empty id":          {h, "?deployment_id=", nil, 422},
		"foreign origin":    {h, "?deployment_id=" + d.ID, http.Header{"Origin": {"http://evil.example"}}, 403},
		"foreign host":      {h, "?deployment_id=" + d.ID, http.Header{"Host": {"evil.example"}}, 403},
		"wrong token":       {h, "?deployment_id=" + d.ID, http.Header{"Authorization": {"Bearer apm_000000000000.x"}}, 401},
		"no token":          {closed, "", nil, 401},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &host{T: t, url: test.host.url}
			l, got := h.listen(test.query, "", test.header)
			if l != nil || got.status != test.status || got.problem.Status != test.status {
				t.Errorf("status %d, want %d: %s", got.status, test.status, got.body)
			}
		})
	}
	if got := h.do(call{path: "/ws/deployments"}); got.status != http.StatusUpgradeRequired {
		t.Errorf("without an upgrade: %d %s", got.status, got.body)
	}
	port := h.url[strings.LastIndexByte(h.url, ':')+1:]
	if l, got := h.listen("?deployment_id="+d.ID, "", http.Header{"Origin": {"http://localhost:" + port}}); l == nil {
		t.Errorf("own origin: %d %s", got.status, got.body)
	}
}

// TestSlowClientIsCutAndNobodyWaits: one client never reads; fifty others get
// every row in order, and the slow one is cut.
func TestSlowClientIsCutAndNobodyWaits(t *testing.T) {
	t.Parallel()
	const rows, good = 1000, 50
	h := newHost(t, options{anonymous: true, server: server.Config{Buffer: 16, WriteTimeout: 10 * time.Second}})
	d := h.accept("v1")
	stalled := stall(t, h, d.ID)
	defer stalled.Close()
	eventually(t, "the stalled client counts", func() bool { return h.clients() == 1 })
	h.commit(d, unread(t)...)
	first := d.Seq

	var all sync.WaitGroup
	errs := make(chan error, good)
	for range good {
		l, _ := h.listen(fmt.Sprintf("?after=%d&deployment_id=%s", first, d.ID), "", nil)
		all.Go(func() {
			for want := first + 1; want <= first+rows; {
				e, err := l.read()
				switch {
				case err != nil:
					errs <- fmt.Errorf("waiting for %d: %w", want, err)
					return
				case e.Ephemeral:
				case e.Seq != want:
					errs <- fmt.Errorf("seq %d, want %d", e.Seq, want)
					return
				default:
					want++
				}
			}
		})
	}
	text := strings.Repeat("x", 1<<10)
	for range rows / 100 {
		batch := make([]deployment.Event, 100)
		for i := range batch {
			batch[i] = note(text)
		}
		h.commit(d, batch...)
	}
	all.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	eventually(t, "the stalled client is cut", func() bool { return h.clients() == good })
}

// TestSlowClientIsToldItsLastSeq: it reads again just before it would be cut off
// for good.
func TestSlowClientIsToldItsLastSeq(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true, server: server.Config{Buffer: 4, WriteTimeout: 12 * time.Second}})
	d := h.accept("v1")
	stalled := stall(t, h, d.ID)
	defer stalled.Close()
	eventually(t, "the client counts", func() bool { return h.clients() == 1 })
	h.commit(d, unread(t)...)
	// It is slow after six seconds, and lost after twelve.
	late := time.NewTimer(8 * time.Second)
	<-late.C
	last, slow, code := readFrames(t, stalled)
	if slow == nil || code != 1013 {
		t.Fatalf("no slow message before close code %d", code)
	}
	if slow.LastSeq != last {
		t.Errorf("told %d, got as far as %d", slow.LastSeq, last)
	}
}

// clients is how many WebSocket clients the host counts.
func (h *host) clients() int {
	h.Helper()
	var n int
	page := string(h.do(call{path: "/metrics", token: h.viewer}).body)
	at := strings.Index(page, "\napm_websocket_clients ")
	if _, err := fmt.Sscanf(page[at+1:], "apm_websocket_clients %d", &n); err != nil {
		h.Fatal(err)
	}
	return n
}

// unread returns more than the kernel keeps of a connection whose other end does
// not read: a send buffer grows up to the third number of tcp_wmem.
func unread(t *testing.T) []deployment.Event {
	t.Helper()
	limit := 4 << 20
	if text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_wmem"); !errors.Is(err, fs.ErrNotExist) {
		ok(t, err)
		_, err = fmt.Sscan(string(text), new(int), new(int), &limit)
		ok(t, err)
	}
	const size = 64 << 10
	events := make([]deployment.Event, 2*limit/size)
	for i := range events {
		events[i] = note(strings.Repeat("x", size))
	}
	return events
}

// stall connects by hand, reads the handshake's answer, and nothing more.
func stall(t *testing.T, h *host, id string) net.Conn {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(h.url, "http://"))
	ok(t, err)
	if tcp, isTCP := conn.(*net.TCPConn); isTCP {
		ok(t, tcp.SetReadBuffer(64<<10))
	}
	_, err = fmt.Fprintf(conn, "GET /ws/deployments?after=0&deployment_id=%s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", id)
	ok(t, err)
	head := make([]byte, 1)
	var answer strings.Builder
	for !strings.HasSuffix(answer.String(), "\r\n\r\n") {
		_, err := conn.Read(head)
		ok(t, err)
		answer.Write(head)
	}
	if !strings.HasPrefix(answer.String(), "HTTP/1.1 101") {
		t.Fatalf("handshake: %s", answer.String())
	}
	return conn
}

// readFrames reads what the server sent until its close: the seq of the last
// row, the slow message, and the close code.
func readFrames(t *testing.T, conn net.Conn) (last uint64, slow *v1.Slow, code int) {
	t.Helper()
	ok(t, conn.SetReadDeadline(time.Now().Add(patience)))
	r := bufio.NewReader(conn)
	for {
		opcode, payload := readFrame(t, r)
		switch opcode {
		case 8:
			return last, slow, int(payload[0])<<8 | int(payload[1])
		case 1:
			var e v1.Event
			ok(t, json.Unmarshal(payload, &e))
			switch {
			case e.Type == "slow":
				slow = &v1.Slow{}
				ok(t, json.Unmarshal(e.Data, slow))
			case !e.Ephemeral:
				last = e.Seq
			}
		}
	}
}
