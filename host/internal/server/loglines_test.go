package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/apm-deploy/apm/api/client"
	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/server"
)

// TestLinesComeAsTheyAreWritten: those of before, then new ones, and none is left
// out when nothing writes any more.
func TestLinesComeAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{server: server.Config{Buffer: 8}})
	d := h.accept("v1")
	l, got := h.dial("/ws/logs?component=web&deployment_id="+d.ID, h.viewer, nil)
	if l == nil {
		t.Fatalf("%d %s", got.status, got.body)
	}
	line := func(want string) {
		t.Helper()
		e := l.next()
		var told v1.LogLine
		ok(t, json.Unmarshal(e.Data, &told))
		if e.Type != "log" || !e.Ephemeral || e.DeploymentID != d.ID || told.Component != "web" || told.Line != want {
			t.Fatalf("got %+v %s, want the line %q", e, e.Data, want)
		}
	}
	for i := range 300 {
		line(fmt.Sprintf("line %d", i))
	}
	for i := range 20 {
		h.engine.lines <- deployment.LogLine{Resource: "instance-1", Line: fmt.Sprintf("new %d", i), Time: noon}
	}
	close(h.engine.lines)
	for i := range 20 {
		line(fmt.Sprintf("new %d", i))
	}
	if _, err := l.read(); websocket.CloseStatus(err) != websocket.StatusTryAgainLater || !strings.Contains(err.Error(), "nothing runs") {
		t.Errorf("the end: %v", err)
	}
}

func TestLinesNeedAToken(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true, server: server.Config{Ping: 50 * time.Millisecond, Idle: time.Minute}})
	d := h.accept("v1")
	if l, got := h.dial("/ws/logs?deployment_id="+d.ID, "", nil); l != nil || got.status != http.StatusUnauthorized {
		t.Errorf("without one: %d %s", got.status, got.body)
	}
	token, err := h.client(h.admin).CreateToken(t.Context(), v1.TokenRequest{Name: "short", Role: "viewer"})
	ok(t, err)
	l, got := h.dial("/ws/logs?deployment_id="+d.ID, token.Secret, nil)
	if l == nil {
		t.Fatalf("with one: %d %s", got.status, got.body)
	}
	_, err = h.client(h.admin).RevokeToken(t.Context(), token.ID, "test")
	ok(t, err)
	for err == nil {
		_, err = l.read()
	}
	if code := websocket.CloseStatus(err); code != websocket.StatusPolicyViolation {
		t.Errorf("revoked: close code %d: %v", code, err)
	}
}

func TestRefusalsOfLines(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	d := h.accept("v1")
	for query, status := range map[string]int{
		"":                                          422,
		"?deployment_id=":                           422,
		"?deployment_id=ffffff":                     404,
		"?deployment_id=" + d.ID + "&tail=0":        400,
		"?deployment_id=" + d.ID + "&tail=5001":     400,
		"?deployment_id=" + d.ID + "&tail=ten":      400,
		"?deployment_id=" + d.ID + "&since=today":   400,
		"?deployment_id=" + d.ID + "&component=db":  400,
		"?deployment_id=" + d.ID + "&previous=true": 400,
	} {
		if l, got := h.dial("/ws/logs"+query, h.viewer, nil); l != nil || got.status != status || got.problem.Status != status {
			t.Errorf("%s: %d, want %d: %s", query, got.status, status, got.body)
		}
	}
	if got := h.do(call{path: "/ws/logs?deployment_id=" + d.ID, token: h.viewer}); got.status != http.StatusUpgradeRequired {
		t.Errorf("without an upgrade: %d %s", got.status, got.body)
	}
}

// TestFollowLogsOfTheHost: the client of the API gets every line once.
func TestFollowLogsOfTheHost(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	d := h.accept("v1")
	n := 0
	ok(t, h.client(h.viewer).FollowLogs(t.Context(), d.ID, client.LogOptions{}, func(line v1.LogLine) error {
		if want := fmt.Sprintf("line %d", n); line.Line != want {
			t.Errorf("line %q, want %q", line.Line, want)
		}
		if n++; n == 300 {
			return client.ErrStop
		}
		return nil
	}))
}
