package scenario_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// TestReplay tells every row once, in order, from wherever a client asks.
func TestReplay(t *testing.T) {
	t.Parallel()
	h, _, d := shop(t, "v1")
	h.Artifact("v2")
	live := h.Deploy("shop", "v2")
	beside := connect(t, h, one(live.ID, 0))
	ended := h.Ends(live.ID, harness.End{Status: "completed", Path: harness.Forward})
	table := h.Events(live.ID)
	_, seen := beside.rows(len(table))
	if diff := cmp.Diff(table, seen); diff != "" {
		t.Errorf("seen while it went on (-table +client):\n%s", diff)
	}
	for _, after := range []uint64{0, 1, 7, uint64(len(table)) - 1} {
		snapshot, seen := connect(t, h, one(live.ID, after)).rows(len(table) - int(after))
		if diff := cmp.Diff(table[after:], seen); diff != "" {
			t.Errorf("after %d (-table +client):\n%s", after, diff)
		}
		var body apiv1.Deployment
		if err := json.Unmarshal(snapshot.Data, &body); err != nil || body.ID != live.ID || body.Status != "completed" || snapshot.Seq < ended.Seq {
			t.Errorf("snapshot %d: %s, %v", snapshot.Seq, snapshot.Data, err)
		}
	}

	// Without after only what is to come is told.
	fresh := connect(t, h, one(d[0].ID[:8]))
	if snapshot, _ := fresh.rows(0); snapshot.Seq != h.Get(d[0].ID).Seq {
		t.Errorf("the snapshot has seq %d", snapshot.Seq)
	}
	for query, status := range map[string]int{
		one(live.ID, uint64(len(table))+1000): 400, one(live.ID) + "&after=x": 400, one("no-such-id"): 404, "?token=x": 400, one(live.ID) + "&application=shop": 400,
	} {
		if answer := h.REST("GET", "/ws/deployments"+query, "", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="); answer.Status != status {
			t.Errorf("%s: %d %s, want %d", query, answer.Status, answer.Body, status)
		}
	}
}

// TestFeed tells of all deployments in the order of their commits, and goes on
// from any cursor.
func TestFeed(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	h.Artifact("v1", "v2")
	for _, name := range []string{"shop", "blog"} {
		h.Define(harness.Application{Name: name, Components: []harness.Component{{Name: "web", Listen: h.Address()}}})
	}
	feed := connect(t, h, "")
	filtered := connect(t, h, "?application=blog")
	feed.rows(0)
	filtered.rows(0)
	started := []apiv1.Deployment{h.Deploy("shop", "v1"), h.Deploy("blog", "v1"), h.Deploy("shop", "v2")}
	seen := map[string][]apiv1.Event{}
	var all []apiv1.Event
	for ends := 0; ends < len(started); {
		e, err := feed.next()
		if err != nil {
			t.Fatal(err)
		}
		if e.Ephemeral {
			continue
		}
		seen[e.DeploymentID] = append(seen[e.DeploymentID], e)
		all = append(all, e)
		if e.Cursor == "" {
			t.Fatalf("a row without a cursor: %+v", e)
		}
		if harness.Status("completed")(e) {
			ends++
		}
	}
	for _, d := range started {
		got := bare(seen[d.ID])
		if diff := cmp.Diff(h.Events(d.ID)[:len(got)], got); diff != "" {
			t.Errorf("of %s %s (-table +feed):\n%s", d.Name, d.Version, diff)
		}
	}
	for _, from := range []int{0, len(all) / 2} {
		snapshot, rest := connect(t, h, "?after="+url.QueryEscape(all[from].Cursor)).rows(len(all) - from - 1)
		if diff := cmp.Diff(bare(all[from+1:]), bare(rest)); diff != "" {
			t.Errorf("from the cursor of row %d (-first +again):\n%s", from, diff)
		}
		var list apiv1.DeploymentList
		if err := json.Unmarshal(snapshot.Data, &list); err != nil || len(list.Deployments) != 2 {
			t.Errorf("the snapshot holds %d deployments, want the latest of each target: %v", len(list.Deployments), err)
		}
	}
	for range len(seen[started[1].ID]) {
		e, err := filtered.next()
		if err != nil || !e.Ephemeral && e.DeploymentID != started[1].ID {
			t.Errorf("the feed of one application tells of %s: %v", e.DeploymentID, err)
		}
	}
}

// TestPingAndIdle asks clients whether they are there, and cuts those that are
// not.
func TestPingAndIdle(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	h.EditConfig("anonymous       = \"viewer\"\n", "anonymous       = \"viewer\"\n  websocket {\n    ping = \"150ms\"\n    idle = \"2s\"\n  }\n")
	h.Start()
	var pings atomic.Int64
	there := dialed{Pinged: func(context.Context, []byte) bool { pings.Add(1); return true }}.connect(t, h, "")
	gone := dialed{Pinged: func(context.Context, []byte) bool { return false }}.connect(t, h, "")
	heard := make(chan error, 1)
	go func() {
		for {
			if _, err := there.next(); err != nil {
				heard <- err
				return
			}
		}
	}()
	var err error
	for err == nil {
		_, err = gone.next()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a client that never answers is not cut: %v", err)
	}
	harness.Eventually(t, "a client that answers is asked again and again", func() (bool, string) {
		select {
		case err := <-heard:
			t.Fatalf("a client that answers was cut: %v", err)
		default:
		}
		return pings.Load() > 10, fmt.Sprint(pings.Load())
	})
	h.Stop()
	if err := <-heard; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("when the host stops the client is told %v", err)
	}
	h.Start()
}

// TestSlowClient cuts a client that does not keep up, tells it the last seq, and
// has nothing missing when it comes back; nobody else waits for it.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	h.EditConfig("anonymous       = \"viewer\"\n", "anonymous       = \"viewer\"\n  websocket { buffer = 4 }\n")
	h.Start()
	h.Define(harness.Application{Name: "many", Components: []harness.Component{
		{Name: "c", Command: []string{"/bin/sleep", "600"}, Replicas: 100, Checks: "none"},
	}})
	h.Quickly("many", "v1")
	d := h.Quickly("many", "v2")
	total := int(d.Seq)
	var last uint64
	var told bool
	for range 3 { // one that is too late to read is cut, and told nothing
		slow := dialed{Narrow: true}.connect(t, h, one(d.ID, 0))
		if _, rows := connect(t, h, one(d.ID, 0)).rows(total); len(rows) < 500 {
			t.Errorf("only %d rows: too few for this test", len(rows))
		}
		// The host waits 5 s for room in the queue, and then as long for the client to listen.
		begin := time.Now()
		harness.Eventually(t, "it is found to be slow", func() (bool, string) { return time.Since(begin) > 7*time.Second, "" })
		if last, told = slow.drain(); last >= uint64(total) {
			t.Fatalf("it got all of the %d rows, however slow it was", total)
		}
		if told {
			break
		}
	}
	if !told {
		t.Error("the slow client was not told that it is slow")
	}
	_, rest := connect(t, h, one(d.ID, last)).rows(total - int(last))
	if diff := cmp.Diff(h.Events(d.ID)[last:total], rest); diff != "" {
		t.Errorf("what was left (-table +client):\n%s", diff)
	}
}

// TestLogLinesNeedAToken: the anonymous viewer gets every row, and no log line.
func TestLogLinesNeedAToken(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	h.Define(harness.Application{Name: "clock", Components: []harness.Component{
		{Name: "bell", Command: []string{"/bin/sh", "-c", "while :; do echo tick; sleep 0.05; done"}, Checks: "none"},
	}})
	d := h.Quickly("clock", "v1")
	known, nobody := connect(t, h, one(d.ID)), dialed{Token: "none"}.connect(t, h, one(d.ID))
	for lines := 0; lines < 3; {
		e, err := known.next()
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == "log" && e.Ephemeral && harness.Field(e, "component") == "bell" && harness.Field(e, "line") == "tick" {
			lines++
		}
	}
	h.Rollback(d.ID, "")
	for {
		e, err := nobody.next()
		if err != nil || e.Type == "log" {
			t.Fatalf("the anonymous viewer got %+v, %v", e, err)
		}
		if harness.Status("rolled_back")(e) {
			break
		}
	}
}
