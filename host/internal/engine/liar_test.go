package engine_test

import (
	"strings"
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// A plugin that goes on talking after the outcome changes nothing any more, and
// one that talks without end fills nothing.
func TestPluginThatTalksTooMuch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.world.talks = true
	r.run()
	d := r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	if d.Status != deployment.Completed {
		t.Fatalf("%s: %.200s", d.Status, d.Reason)
	}
	web := d.Component("web")
	if len(web.Resources) > 1000 {
		t.Errorf("%d resources", len(web.Resources))
	}
	for _, resource := range web.Resources {
		if resource.ID == "after the outcome" {
			t.Errorf("believed what came after the outcome: %+v", resource)
		}
		if len(resource.Message)+len(resource.Reason) > 8<<10 {
			t.Errorf("resource %s has a message of %d bytes", resource.ID, len(resource.Message))
		}
	}
	for _, check := range web.Checks {
		if len(check.Message) > 4<<10 {
			t.Errorf("check %s has a message of %d bytes", check.Name, len(check.Message))
		}
	}
	events, err := r.store.Events(t.Context(), d.ID, 0, 10000)
	if err != nil || len(events) > 1500 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// The same for a plugin whose last word is long.
func TestFailureThatTalksTooMuch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	r.world.with(func() { r.world.talks = true })
	d := r.await(r.start("v2", `{"web":{"content":"b","fail":"EXITED"}}`).ID, 2)
	if len(d.Reason) > 5<<10 || !strings.Contains(d.Reason, "it exits with EXITED") {
		t.Errorf("a reason of %d bytes: %.100s", len(d.Reason), d.Reason)
	}
	data, err := r.store.Blob(t.Context(), d.Runs[0].Failure.Evidence)
	if err != nil || len(data) > 1<<20 {
		t.Errorf("evidence of %d bytes, %v", len(data), err)
	}
}
