package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/api/client"
	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// startBody is the request of the product description, word for word.
const startBody = `{
  "name": "my-app",
  "version": "v2.0.0",
  "platform": "kubernetes",
  "environment": "production",
  "configuration": {
    "deployment_name": "my-app-deployment",
    "service_name": "my-app-service",
    "labels": {
      "app": "my-app",
      "version": "v2.0.0"
    }
  }
}`

func TestStartAndGetAsTheProductDescriptionSays(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	started := h.do(call{method: http.MethodPost, path: "/api/v1/deployments", token: h.deployer, body: startBody})
	if started.status != http.StatusAccepted {
		t.Fatalf("start: %d %s", started.status, started.body)
	}
	location := started.header.Get("Location")
	var d v1.Deployment
	ok(t, json.Unmarshal(started.body, &d))
	if location != "/api/v1/deployments/"+d.ID || d.Name != "my-app" || d.Version != "v2.0.0" || d.Status != "pending" || d.Actor != "test deployer" {
		t.Fatalf("location %q, body %s", location, started.body)
	}

	stored, err := h.store.Deployment(t.Context(), d.ID)
	ok(t, err)
	stored.Components[0].Checks = []deployment.Check{{
		Component: "web", Name: "pod-abc123-readiness", Type: "readiness", Status: deployment.Healthy, Message: "Pod is ready", At: noon, Since: noon,
	}}
	h.commit(stored, event(deployment.EventCheckStatus, deployment.CheckPayload{Name: "pod-abc123-readiness"}))

	got := h.do(call{path: location})
	var body map[string]any
	ok(t, json.Unmarshal(got.body, &body))
	progress, isObject := body["progress"].(map[string]any)
	if !isObject {
		t.Fatalf("no progress in %s", got.body)
	}
	for _, key := range []string{"percentage", "current_step", "total_steps", "current_stage"} {
		if _, there := progress[key]; !there {
			t.Errorf("progress has no %s: %s", key, got.body)
		}
	}
	checks, _ := body["health_checks"].([]any)
	if len(checks) != 1 {
		t.Fatalf("health_checks of %s", got.body)
	}
	want := map[string]any{"name": "pod-abc123-readiness", "type": "readiness", "status": "healthy", "message": "Pod is ready"}
	for key, value := range want {
		if check, _ := checks[0].(map[string]any); check[key] != value {
			t.Errorf("health check %s is %v, want %v", key, check[key], value)
		}
	}
}

func TestGetByPrefixETagAndCurrent(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	first := h.accept("v1")
	h.complete(first)
	second := h.accept("v2")
	c := h.client("")

	got, err := c.Get(t.Context(), first.ID[:8])
	ok(t, err)
	if got.ID != first.ID || !got.Current || got.Status != "completed" || got.Progress.Percentage != 100 {
		t.Errorf("first: %+v", got)
	}
	if got, err := c.Get(t.Context(), second.ID); err != nil || got.Current {
		t.Errorf("second is current: %+v, %v", got, err)
	}
	_, changed, err := c.GetIfChanged(t.Context(), first.ID, got.Seq)
	ok(t, err)
	if changed {
		t.Error("the same seq counts as changed")
	}
	if _, changed, err := c.GetIfChanged(t.Context(), first.ID, got.Seq-1); err != nil || !changed {
		t.Errorf("an older seq counts as unchanged: %v", err)
	}
	etag := h.do(call{path: "/api/v1/deployments/" + first.ID}).header.Get("ETag")
	if etag != `"3"` {
		t.Errorf("etag %s", etag)
	}
}

func TestAmbiguousPrefixListsTheMatches(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	// Ids are random: enough of them share their first characters only by being made to.
	base := h.accept("v1")
	twin := *base
	twin.ID = base.ID[:len(base.ID)-1] + map[bool]string{true: "0", false: "1"}[base.ID[len(base.ID)-1] != '0']
	accepted := event(deployment.EventAccepted, deployment.AcceptedPayload{})
	accepted.DeploymentID, accepted.Seq, accepted.Time = twin.ID, 1, noon
	ok(t, h.store.Accept(t.Context(), deployment.Acceptance{
		Deployment: &twin, Events: []deployment.Event{accepted}, Concurrent: deployment.ConcurrentQueue,
		Audit: deployment.AuditRecord{At: noon, Actor: person, Action: "deployment.start", Object: twin.ID},
	}))
	got := h.do(call{path: "/api/v1/deployments/" + base.ID[:8]})
	if got.status != http.StatusConflict || !strings.Contains(got.problem.Detail, base.ID) || !strings.Contains(got.problem.Detail, twin.ID) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	post := func(token, key, body string) answer {
		return h.do(call{method: http.MethodPost, path: "/api/v1/deployments", token: token, body: body, header: map[string]string{"Idempotency-Key": key}})
	}
	first := post(h.deployer, "k1", `{"name":"a","version":"1"}`)
	again := post(h.deployer, "k1", `{ "version":"1", "name":"a" }`)
	if first.status != http.StatusAccepted || again.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("repeated: %d %s, %d %s", first.status, first.body, again.status, again.body)
	}
	if other := post(h.deployer, "k1", `{"name":"a","version":"2"}`); other.status != http.StatusUnprocessableEntity {
		t.Errorf("other body: %d %s", other.status, other.body)
	}
	if theirs := post(h.admin, "k1", `{"name":"a","version":"2"}`); theirs.status != http.StatusAccepted {
		t.Errorf("another token's key: %d %s", theirs.status, theirs.body)
	}
	page, err := h.client(h.viewer).List(t.Context(), client.ListOptions{})
	ok(t, err)
	if len(page.Deployments) != 2 {
		t.Errorf("%d deployments, want 2", len(page.Deployments))
	}
}

// TestIdempotencyKeyOfRollbackAndCancel: what a broken connection makes a client
// send again is one wish.
func TestIdempotencyKeyOfRollbackAndCancel(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	running, done := h.accept("v2"), h.accept("v1")
	h.complete(done)
	for _, test := range []struct {
		what, path, body, other string
	}{
		{"rollback", "/api/v1/deployments/" + done.ID + "/rollback", `{"reason":"slow"}`, `{"reason":"slow","target_version":"v1"}`},
		{"cancel", "/api/v1/deployments/" + running.ID + "/cancel", `{"reason":"slow"}`, `{"reason":"slower"}`},
	} {
		post := func(key, path, body string) answer {
			return h.do(call{method: http.MethodPost, path: path, token: h.deployer, body: body, header: map[string]string{"Idempotency-Key": key}})
		}
		for range 3 {
			if got := post(test.what, test.path, test.body); got.status != http.StatusAccepted {
				t.Fatalf("%s: %d %s", test.what, got.status, got.body)
			}
		}
		if got := post(test.what, test.path, test.other); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%s with another body: %d %s", test.what, got.status, got.body)
		}
		if got := post(test.what, "/api/v1/deployments", startBody); got.status != http.StatusUnprocessableEntity {
			t.Errorf("a start with the key of a %s: %d %s", test.what, got.status, got.body)
		}
		commands, err := h.store.Commands(t.Context())
		ok(t, err)
		count := 0
		for _, c := range commands {
			if string(c.Kind) == test.what {
				count++
			}
		}
		if count != 1 {
			t.Errorf("%d wishes to %s, want 1", count, test.what)
		}
	}
}

func TestListPagesAndFilters(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	var want []string
	for _, version := range []string{"v1", "v2", "v3", "v4", "v5"} {
		want = append([]string{h.accept(version).ID}, want...)
	}
	c := h.client(h.viewer)
	var got []string
	for o := (client.ListOptions{Limit: 2}); ; {
		page, err := c.List(t.Context(), o)
		ok(t, err)
		for _, d := range page.Deployments {
			got = append(got, d.ID)
		}
		if o.Cursor = page.Next; o.Cursor == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	for name, o := range map[string]client.ListOptions{
		"version": {Version: "v3"}, "status": {Status: "pending,completed", Version: "v3"},
		"all": {Application: "my-app", Environment: "production", Platform: "process", Version: "v3"},
	} {
		if page, err := c.List(t.Context(), o); err != nil || len(page.Deployments) != 1 || page.Deployments[0].Version != "v3" {
			t.Errorf("%s: %+v, %v", name, page, err)
		}
	}
	if page, err := c.List(t.Context(), client.ListOptions{Platform: "kubernetes"}); err != nil || len(page.Deployments) != 0 {
		t.Errorf("another platform: %+v, %v", page, err)
	}
}

func TestWaitingTellsThePosition(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	first := h.accept("v1")
	first.Run().LockedAt = noon
	h.commit(first, event(deployment.EventStatus, deployment.StatusPayload{Status: deployment.Preparing}))
	h.state(shop, func(s *deployment.TargetState) { s.Holder = first.ID })
	var waiting [2]*deployment.Deployment
	for i := range waiting {
		waiting[i] = h.accept("v2")
		waiting[i].Waiting = &deployment.Waiting{Kind: deployment.WaitLock, For: first.ID, Since: noon}
		h.commit(waiting[i], event(deployment.EventWaiting, deployment.WaitingPayload{Waiting: waiting[i].Waiting}))
	}
	for i, d := range waiting {
		got, err := h.client(h.viewer).Get(t.Context(), d.ID)
		ok(t, err)
		if got.Waiting == nil || got.Waiting.Position != i+1 || got.Waiting.For != first.ID {
			t.Errorf("waiting %d: %+v", i, got.Waiting)
		}
	}
	target, err := h.client(h.viewer).Target(t.Context(), "my-app", "production")
	ok(t, err)
	if target.Holder != first.ID || len(target.Queue) != 2 {
		t.Errorf("target: %+v", target)
	}
}
