package server_test

import (
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// TestEndIsToldOnlyWhenEveryRunHasEnded: a rollback that waits for its turn
// leaves the status as it is, and yet the deployment goes on.
func TestEndIsToldOnlyWhenEveryRunHasEnded(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	c := h.client(h.viewer)
	d := h.accept("v1")
	h.complete(d)
	ended := func() (status, timeline *time.Time) {
		t.Helper()
		body, err := c.Get(t.Context(), d.ID)
		ok(t, err)
		drawn, err := c.Timeline(t.Context(), d.ID)
		ok(t, err)
		return body.EndedAt, drawn.EndedAt
	}
	if status, timeline := ended(); status == nil || timeline == nil {
		t.Errorf("it has ended, and is told to end at %v and %v", status, timeline)
	}
	d.Runs = append(d.Runs, deployment.Run{Number: 2, Kind: deployment.RunRollback, RequestedAt: d.EndedAt.Add(time.Second)})
	h.commit(d)
	if status, timeline := ended(); status != nil || timeline != nil {
		t.Errorf("a rollback waits, and it is told to have ended at %v and %v", status, timeline)
	}
}
