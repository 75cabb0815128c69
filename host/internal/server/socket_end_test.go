package server_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/coder/websocket"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/server"
)

// readFrame reads one frame of a server.
func readFrame(t *testing.T, r *bufio.Reader) (opcode byte, payload []byte) {
	t.Helper()
	head := make([]byte, 2)
	_, err := io.ReadFull(r, head)
	ok(t, err)
	length := uint64(head[1] & 0x7f)
	switch length {
	case 126:
		var n uint16
		ok(t, binary.Read(r, binary.BigEndian, &n))
		length = uint64(n)
	case 127:
		ok(t, binary.Read(r, binary.BigEndian, &length))
	}
	payload = make([]byte, length)
	_, err = io.ReadFull(r, payload)
	ok(t, err)
	return head[0] & 0x0f, payload
}

func TestShutdownTellsEveryClient(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	d := h.accept("v1")
	var clients []*listener
	for range 20 {
		l, _ := h.listen("?deployment_id="+d.ID, "", nil)
		l.next()
		clients = append(clients, l)
	}
	stalled := stall(t, h, d.ID)
	defer stalled.Close()
	codes := make(chan websocket.StatusCode, len(clients))
	for _, l := range clients {
		go func() {
			for {
				if _, err := l.read(); err != nil {
					codes <- websocket.CloseStatus(err)
					return
				}
			}
		}()
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	ok(t, h.server.Shutdown(ctx))
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("shutdown took %s", took)
	}
	for range clients {
		if code := <-codes; code != websocket.StatusGoingAway {
			t.Errorf("close code %d, want %d", code, websocket.StatusGoingAway)
		}
	}
}

func TestSilentClientIsGivenUp(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true, server: server.Config{Ping: 100 * time.Millisecond, Idle: 2 * time.Second}})
	d := h.accept("v1")
	conn := stall(t, h, d.ID) // answers no ping
	defer conn.Close()
	l, _ := h.listen("?deployment_id="+d.ID, "", nil)
	l.next()
	// The other one answers pings while it waits, and stays.
	done := make(chan v1.Event, 1)
	go func() {
		for {
			if e, err := l.read(); err != nil || e.Type != "progress" {
				done <- e
				return
			}
		}
	}()
	eventually(t, "the silent client is gone", func() bool { return h.clients() <= 1 })
	h.commit(d, note("still there"))
	if e := <-done; e.Seq != 2 {
		t.Errorf("event %+v", e)
	}
}

func TestRevokedTokenEndsTheConversation(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{server: server.Config{Ping: 50 * time.Millisecond, Idle: time.Minute}})
	d := h.accept("v1")
	token, err := h.client(h.admin).CreateToken(t.Context(), v1.TokenRequest{Name: "short", Role: "viewer"})
	ok(t, err)
	l, _ := h.listen("?deployment_id="+d.ID, token.Secret, nil)
	l.next()
	_, err = h.client(h.admin).RevokeToken(t.Context(), token.ID, "test")
	ok(t, err)
	for {
		if _, err := l.read(); err != nil {
			if code := websocket.CloseStatus(err); code != websocket.StatusPolicyViolation {
				t.Errorf("close code %d: %v", code, err)
			}
			return
		}
	}
}

func TestTooManyClientsAreRefused(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true, server: server.Config{MaxSockets: 2}})
	for range 2 {
		l, _ := h.listen("", "", nil)
		l.next()
	}
	if l, got := h.listen("", "", nil); l != nil || got.status != 503 {
		t.Errorf("third: %d %s", got.status, got.body)
	}
}

func TestFeedFollowsAllAndResumes(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	mine := h.accept("v1")
	other, err := h.engine.Start(t.Context(), deployment.Request{Name: "other", Version: "v1", Environment: "production"}, nil, person, nil)
	ok(t, err)

	all, _ := h.listen("", "", nil)
	filtered, _ := h.listen("?application=my-app&environment=production&platform=process", "", nil)
	snapshot := all.next()
	var list v1.DeploymentList
	ok(t, json.Unmarshal(snapshot.Data, &list))
	if snapshot.Type != "snapshot" || snapshot.Cursor == "" || len(list.Deployments) != 2 {
		t.Fatalf("snapshot of the feed: %+v", snapshot)
	}
	if narrow := filtered.next(); json.Unmarshal(narrow.Data, &list) != nil || len(list.Deployments) != 1 {
		t.Errorf("snapshot of the filtered feed: %+v", narrow)
	}
	want := []string{}
	for i := range 5 {
		for _, d := range []*deployment.Deployment{mine, other} {
			h.commit(d, note(fmt.Sprint(i)))
			want = append(want, fmt.Sprintf("%s %d", d.ID, d.Seq))
		}
	}
	cursors := []string{}
	for i := range want {
		e := all.next()
		if got := fmt.Sprintf("%s %d", e.DeploymentID, e.Seq); got != want[i] || e.Cursor == "" {
			t.Fatalf("event %d is %s (cursor %q), want %s", i, got, e.Cursor, want[i])
		}
		cursors = append(cursors, e.Cursor)
	}
	for seq := uint64(2); seq <= 6; seq++ {
		if e := filtered.next(); e.DeploymentID != mine.ID || e.Seq != seq {
			t.Errorf("filtered: %+v, want seq %d of %s", e, seq, mine.ID)
		}
	}
	resumed, _ := h.listen("?after="+cursors[6], "", nil)
	resumed.next()
	for i := 7; i < len(want); i++ {
		if e := resumed.next(); fmt.Sprintf("%s %d", e.DeploymentID, e.Seq) != want[i] {
			t.Errorf("resumed: %+v, want %s", e, want[i])
		}
	}
}

// TestMaxSocketsHoldsForThoseThatComeTogether: all of them saw room.
func TestMaxSocketsHoldsForThoseThatComeTogether(t *testing.T) {
	t.Parallel()
	if got := server.EnterAll(3, 10); got != 3 {
		t.Errorf("%d clients, want 3", got)
	}
}
