package server_test

import (
	"testing"
	"time"

	"github.com/apm-deploy/apm/api/client"
	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// TestFromItsAnswerOnARollbackIsUnderWay: whoever waits for a status that is an
// end must not take the one from before the rollback for it, neither while
// nobody has come to it yet, nor while it waits for its turn.
func TestFromItsAnswerOnARollbackIsUnderWay(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	c := h.client(h.deployer)
	d := h.accept("v1")
	h.complete(d)
	before, err := c.Get(t.Context(), d.ID)
	ok(t, err)
	if before.Status != "completed" || before.EndedAt == nil || before.Run != 1 {
		t.Fatalf("before: %+v", before)
	}
	pending := func(what string, body v1.Deployment) {
		t.Helper()
		if body.Status != "pending" || body.EndedAt != nil || body.Run != 2 || body.Progress.Percentage != 0 || body.Reason != "rollback asked for by test deployer" {
			t.Errorf("%s: %s of run %d, ended at %v, %v %%: %s", what, body.Status, body.Run, body.EndedAt, body.Progress.Percentage, body.Reason)
		}
	}
	answer, err := c.Rollback(t.Context(), d.ID, v1.RollbackRequest{Reason: "slow"}, "")
	ok(t, err)
	pending("the answer", answer)
	look := func(when string) {
		t.Helper()
		got, err := c.Get(t.Context(), d.ID)
		ok(t, err)
		pending("status "+when, got)
		list, err := c.List(t.Context(), client.ListOptions{})
		ok(t, err)
		pending("list "+when, list.Deployments[0])
		if _, changed, err := c.GetIfChanged(t.Context(), d.ID, before.Seq); err != nil || !changed {
			t.Errorf("%s nothing has changed (%v)", when, err)
		}
	}
	look("before anybody came to it")

	work, err := h.store.Work(t.Context(), shop)
	ok(t, err)
	d.Runs = append(d.Runs, deployment.Run{
		Number: 2, Kind: deployment.RunRollback, Trigger: deployment.TriggerUser, Actor: work.Commands[0].Actor, RequestedAt: noon,
	})
	d.Seq++
	d.Status, d.Reason = d.Derive()
	queued := event(deployment.EventStatus, deployment.StatusPayload{Run: 2, From: deployment.Completed, Status: deployment.Pending})
	queued.DeploymentID, queued.Seq, queued.Time = d.ID, d.Seq, noon
	ok(t, h.store.Commit(t.Context(), deployment.Change{
		Target: shop, Epoch: h.epoch(shop), Deployment: d, Events: []deployment.Event{queued}, Consumed: []string{work.Commands[0].ID},
	}))
	look("while it waits for its turn")
}

// TestEndIsToldOnlyWhenEveryRunHasEnded: with a rollback that waits for its turn
// the deployment goes on.
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
