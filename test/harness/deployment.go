package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
)

// Deploy starts a deployment, which must be accepted.
func (h *Host) Deploy(application, version string) apiv1.Deployment {
	h.t.Helper()
	return h.DeployRequest(apiv1.StartRequest{Name: application, Version: version, Reason: "test"})
}

// DeployRequest is Deploy with all that a request may say.
func (h *Host) DeployRequest(request apiv1.StartRequest) apiv1.Deployment {
	h.t.Helper()
	d, err := h.Client.Start(h.t.Context(), request, "")
	if err != nil {
		h.t.Fatalf("deploy %s %s: %v", request.Name, request.Version, err)
	}
	return d
}

// Deployed deploys and waits for the end, which must be completed.
func (h *Host) Deployed(application, version string) apiv1.Deployment {
	h.t.Helper()
	d := h.Ended(h.Deploy(application, version).ID)
	if d.Status != "completed" {
		h.t.Fatalf("%s %s ended %s: %s\n%s", application, version, d.Status, d.Reason, h.LogTail(30))
	}
	return d
}

// Quickly is Deployed almost without a bake window, for what must be there
// before the test.
func (h *Host) Quickly(application, version string) apiv1.Deployment {
	h.t.Helper()
	d := h.DeployRequest(apiv1.StartRequest{Name: application, Version: version, Policy: json.RawMessage(`{"bake":"50ms"}`)})
	if d = h.Ended(d.ID); d.Status != "completed" {
		h.t.Fatalf("%s %s ended %s: %s\n%s", application, version, d.Status, d.Reason, h.LogTail(30))
	}
	return d
}

// Rollback rolls a deployment back, which must be accepted.
func (h *Host) Rollback(id, targetVersion string) apiv1.Deployment {
	h.t.Helper()
	d, err := h.Client.Rollback(h.t.Context(), id, apiv1.RollbackRequest{Reason: "test", TargetVersion: targetVersion}, "")
	if err != nil {
		h.t.Fatalf("roll back %s: %v", id, err)
	}
	return d
}

// Get returns the status of a deployment.
func (h *Host) Get(id string) apiv1.Deployment {
	h.t.Helper()
	d, err := h.Client.Get(h.t.Context(), id)
	if err != nil {
		h.t.Fatalf("get %s: %v", id, err)
	}
	return d
}

// Ended waits until the deployment has ended, its last run that is.
func (h *Host) Ended(id string) apiv1.Deployment {
	h.t.Helper()
	var d apiv1.Deployment
	Eventually(h.t, "the deployment ends", func() (bool, string) {
		ctx, cancel := context.WithTimeout(h.t.Context(), 10*time.Second)
		defer cancel()
		var err error
		if d, err = h.Client.Get(ctx, id); err != nil {
			return false, err.Error()
		}
		// With a rollback that waits for its turn it has not ended.
		return Terminal(d.Status) && d.EndedAt != nil, fmt.Sprintf("%s: %s (waiting: %+v)\n%s", d.Status, d.Reason, d.Waiting, h.LogTail(30))
	})
	return d
}

// Terminal says whether a status is an end.
func Terminal(status string) bool {
	switch status {
	case "completed", "failed", "cancelled", "rolled_back", "rollback_failed":
		return true
	}
	return false
}

// Events returns all rows of a deployment, and fails the test when their seq is
// not 1, 2, 3, …
func (h *Host) Events(id string) []apiv1.Event {
	h.t.Helper()
	var all []apiv1.Event
	for after := uint64(0); ; {
		page, err := h.Client.Events(h.t.Context(), id, after, 0)
		if err != nil {
			h.t.Fatalf("events of %s: %v", id, err)
		}
		all = append(all, page.Events...)
		if page.Next == 0 {
			break
		}
		after = page.Next
	}
	for i, e := range all {
		if e.Seq != uint64(i+1) {
			h.t.Errorf("event %d of %s has seq %d", i+1, id, e.Seq)
		}
	}
	return all
}

// StatusPath returns the statuses that the deployment went through, in order.
func (h *Host) StatusPath(id string) []string {
	h.t.Helper()
	return StatusPath(h.Events(id))
}

// StatusPath returns the statuses in events, in order.
func StatusPath(events []apiv1.Event) []string {
	path := []string{}
	for _, e := range events {
		if e.Type == "deployment.status" {
			path = append(path, Field(e, "status"))
		}
	}
	return path
}

// Field returns a member of an event's data as text, "" when there is none.
func Field(e apiv1.Event, name string) string {
	var data map[string]any
	if json.Unmarshal(e.Data, &data) != nil || data[name] == nil {
		return ""
	}
	return fmt.Sprint(data[name])
}

// Await follows a deployment over the WebSocket, from the row after a seq, until
// an event is the one, and returns it. It goes on through restarts of the host.
func (h *Host) Await(id string, after uint64, is func(apiv1.Event) bool) apiv1.Event {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	var found *apiv1.Event
	err := h.Client.Watch(ctx, id, after, func(e apiv1.Event) error {
		if e.Ephemeral || !is(e) {
			return nil
		}
		found = &e
		return client.ErrStop
	})
	if found == nil {
		h.t.Fatalf("the awaited event of %s did not come: %v; status path %v\n%s", id, err, h.StatusPath(id), h.LogTail(30))
	}
	return *found
}

// Status is for Await: the deployment gets that status.
func Status(status string) func(apiv1.Event) bool {
	return func(e apiv1.Event) bool { return e.Type == "deployment.status" && Field(e, "status") == status }
}

// Type is for Await: an event of a type, of a component if it is not "".
func Type(kind, component string) func(apiv1.Event) bool {
	return func(e apiv1.Event) bool {
		return e.Type == kind && (component == "" || Field(e, "component") == component)
	}
}

// Follow keeps every row that a WebSocket client that reconnects sees, until
// stop is called, which returns them.
func (h *Host) Follow(id string) (stop func(until uint64) []apiv1.Event) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	var seen []apiv1.Event
	c := h.Client
	last := make(chan uint64, 4096)
	done := make(chan error, 1)
	go func() {
		done <- c.Watch(ctx, id, 0, func(e apiv1.Event) error {
			if !e.Ephemeral {
				seen = append(seen, e)
				last <- e.Seq
			}
			return nil
		})
	}()
	h.t.Cleanup(cancel)
	return func(until uint64) []apiv1.Event {
		h.t.Helper()
		timeout := time.After(patience)
		for seq := uint64(0); seq < until; {
			select {
			case seq = <-last:
			case <-timeout:
				h.t.Errorf("the follower saw no event %d, the last was %d", until, seq)
				seq = until
			}
		}
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			h.t.Errorf("follow %s: %v", id, err)
		}
		return seen
	}
}
