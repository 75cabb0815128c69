package badinput_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// sockets connects to what cannot be followed: each mistake is an ordinary
// answer, before the upgrade.
func sockets(t *testing.T, w *world) {
	one := "deployment_id=" + w.current
	for name, c := range map[string]struct {
		query   string
		headers []string
		status  int
		told
	}{
		"unknown id":               {"deployment_id=ffffffff-0000-4000-8000-000000000000", nil, 404, told{"ffffffff-0000-4000-8000-000000000000", "there is no deployment", "apm deploy list"}},
		"beginning too short":      {"deployment_id=" + w.current[:2], nil, 422, told{"query.deployment_id", "too short", "give at least 4 characters"}},
		"no id":                    {"deployment_id=", nil, 422, told{"query.deployment_id", "too short", "give at least 4 characters"}},
		"after is a word":          {one + "&after=x", nil, 400, told{"query.after", "not the seq of an event", "take the member seq of the last message, or leave it out"}},
		"after is negative":        {one + "&after=-1", nil, 400, told{"query.after", "not the seq of an event", "leave it out"}},
		"after is empty":           {one + "&after=", nil, 400, told{"query.after", "not the seq of an event", "leave it out"}},
		"after beyond the last":    {one + "&after=100000", nil, 400, told{"query.after", "beyond the last event", "leave it out"}},
		"cursor of no feed":        {"after=nonsense", nil, 400, told{"query.after", "not a cursor of this feed", "take the member cursor of the last message"}},
		"seq as a cursor":          {"after=5", nil, 400, told{"query.after", "not a cursor of this feed", "take the member cursor of the last message"}},
		"unknown parameter":        {"deployment=" + w.current, nil, 400, told{"query.deployment", "unknown query parameter", "known are deployment_id"}},
		"twice":                    {one + "&" + one, nil, 422, told{"query.deployment_id", "given 2 times", "keep one of them"}},
		"filter of one":            {one + "&platform=process", nil, 400, told{"query.platform", "filters go with the feed of all deployments", "leave out deployment_id or the filter"}},
		"token in the URL":         {one + "&token=" + w.viewer, nil, 400, told{"query.token", "unknown query parameter", `send the token as a header`}},
		"control characters":       {"application=%1b%5b2J", nil, 400, told{"", "the request target contains control characters", "leave them out"}},
		"foreign origin":           {one, []string{"Origin: http://evil.example"}, 403, told{"", "the Origin is not allowed", "server.allowed_origins"}},
		"null origin":              {one, []string{"Origin: null"}, 403, told{"", "the Origin is not allowed", "server.allowed_origins"}},
		"foreign host":             {one, []string{"Host: evil.example"}, 403, told{"", "the Host header does not name this host", "server.allowed_hosts"}},
		"foreign host, own origin": {one, []string{"Host: evil.example", fmt.Sprintf("Origin: http://localhost:%d", w.Port)}, 403, told{"", "the Host header does not name this host", "server.allowed_hosts"}},
		"wrong token":              {one, []string{"Authorization: Bearer apm_000000000000.x"}, 401, told{"", "the token is not known", "apm token"}},
		"no token, by a proxy":     {one, []string{"X-Forwarded-For: 203.0.113.7"}, 401, told{"", "no token was sent", `"Authorization: Bearer TOKEN"`}},
	} {
		t.Run(name, func(t *testing.T) {
			changed := w.nothing(t)
			headers := http.Header{}
			host := ""
			for _, header := range c.headers {
				name, value, _ := strings.Cut(header, ": ")
				if name == "Host" {
					host = value
				} else {
					headers.Set(name, value)
				}
			}
			url := strings.Replace(w.URL(), "http", "ws", 1) + "/ws/deployments?" + c.query
			connection, res, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: headers, Host: host}) //nolint:bodyclose // the package has read it
			if err == nil {
				_ = connection.CloseNow()
				t.Fatal("connected")
			}
			if res == nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			problem(t, w.Host, harness.Answer{Status: res.StatusCode, Header: res.Header, Body: string(body)}, c.status, c.told)
			changed()
		})
	}
	t.Run("words of the client", func(t *testing.T) { words(t, w) })
}

// words lets a client that is connected say what nobody asked for: it is ignored,
// and what is too big, or no text at all, cuts nobody else.
func words(t *testing.T, w *world) {
	changed := w.nothing(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	url := strings.Replace(w.URL(), "http", "ws", 1) + "/ws/deployments?deployment_id=" + w.current + "&after=0"
	dial := func() *websocket.Conn {
		connection, _, err := websocket.Dial(ctx, url, nil) //nolint:bodyclose // the connection owns it
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = connection.CloseNow() })
		return connection
	}
	listens := dial()
	for _, message := range []struct {
		kind websocket.MessageType
		text string
	}{
		{websocket.MessageText, "hello"},
		{websocket.MessageText, `{"type":"rollback"}`},
		{websocket.MessageText, "\xff\xfe"},
		{websocket.MessageBinary, "\x00\x01"},
		{websocket.MessageText, strings.Repeat("x", 8<<20)},
	} {
		talks := dial()
		_ = talks.Write(ctx, message.kind, []byte(message.text)) // the host may cut it
	}
	last := uint64(0)
	for seq := w.Get(w.current).Seq; last < seq; {
		_, text, err := listens.Read(ctx)
		if err != nil {
			t.Fatalf("the client that only listens, after event %d: %v", last, err)
		}
		var event apiv1.Event
		if err := json.Unmarshal(text, &event); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if event.Type != "snapshot" {
			last = event.Seq
		}
	}
	changed()
}
