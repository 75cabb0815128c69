package scenario_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// components of a target by name, as "VERSION of DEPLOYMENT".
func components(h *harness.Host, t *testing.T, application string) map[string]string {
	t.Helper()
	target, err := h.Client.Target(t.Context(), application, "test")
	if err != nil {
		t.Fatal(err)
	}
	running := map[string]string{}
	for _, c := range target.Components {
		running[c.Name] = c.Version + " of " + c.Deployment
	}
	return running
}

// statuses of the components of a deployment, by name.
func statuses(d apiv1.Deployment) map[string]string {
	all := map[string]string{}
	for _, c := range d.Components {
		all[c.Name] = c.Status
	}
	return all
}

// TestUnchanged leaves alone what runs already, in deploy and in rollback.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	h.Artifact("v1", "v2")
	web, db := h.Address(), h.Address()
	fixed := harness.Component{Name: "db", Listen: db, Command: []string{h.Path("artifacts/v1/server")}, Env: map[string]string{"DEMO_VERSION": "fixed"}}
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{fixed, {Name: "web", Listen: web, DependsOn: []string{"db"}}}})
	h.Quickly("shop", "v1")
	pid := h.Serves(db, "fixed")

	second := h.Deploy("shop", "v2")
	second = h.Ends(second.ID, harness.End{Status: "completed", Path: harness.Forward})
	if diff := cmp.Diff(map[string]string{"db": "unchanged", "web": "completed"}, statuses(second)); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"db": "v2 of " + second.ID, "web": "v2 of " + second.ID}, components(h, t, "shop")); diff != "" {
		t.Errorf("what runs (-want +got):\n%s", diff)
	}
	if got := harness.Course(h.Events(second.ID), "deploy"); !slices.Equal(got, []string{"started web", "finished web"}) {
		t.Errorf("operations: %v", got)
	}
	h.Rollback(second.ID, "")
	second = h.Ends(second.ID, harness.End{Status: "rolled_back", Reason: "^back on v1: test$", Path: harness.GoneBack})
	if diff := cmp.Diff(map[string]string{"db": "unchanged", "web": "rolled_back"}, statuses(second)); diff != "" {
		t.Errorf("components after the rollback (-want +got):\n%s", diff)
	}
	if got := harness.Course(h.Events(second.ID), "rollback"); !slices.Equal(got, []string{"started web", "finished web"}) {
		t.Errorf("operations of the rollback: %v", got)
	}

	// The same version again: nothing at all is to be done.
	h.Serves(web, "v1")
	again := h.Deploy("shop", "v1")
	again = h.Ends(again.ID, harness.End{Status: "completed", Path: harness.Forward})
	if diff := cmp.Diff(map[string]string{"db": "unchanged", "web": "unchanged"}, statuses(again)); diff != "" {
		t.Errorf("components of the same again (-want +got):\n%s", diff)
	}
	if got := h.Serves(db, "fixed"); got != pid {
		t.Errorf("instance %s of db answers, at first %s did", got, pid)
	}
	if got, want := h.Starts("web"), []string{"v1", "v2", "v1"}; !slices.Equal(got, want) {
		t.Errorf("started: %v, want %v", got, want)
	}
}

// TestDroppedComponent removes what a version no longer has, last, and brings it
// back with a rollback, first.
func TestDroppedComponent(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	h.Artifact("v1", "v2")
	web, queue := h.Address(), h.Address()
	own := func(name, listen string) harness.Component {
		return harness.Component{
			Name: name, Listen: listen, Env: map[string]string{"DEMO_STARTS": h.Path("all.starts"), "DEMO_VERSION": name + "-${version}"},
		}
	}
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{own("web", web), own("queue", queue)}})
	first := h.Quickly("shop", "v1")
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{own("web", web)}})

	plan, err := h.Client.PlanStart(t.Context(), apiv1.StartRequest{Name: "shop", Version: "v2"})
	if err != nil || len(plan.Components) != 2 || plan.Components[1].Component != "queue" || plan.Components[1].Action != "remove" {
		t.Errorf("plan: %+v, %v", plan.Components, err)
	}
	second := h.Deploy("shop", "v2")
	second = h.Ends(second.ID, harness.End{Status: "completed", Path: harness.Forward})
	if diff := cmp.Diff(map[string]string{"web": "completed", "queue": "removed"}, statuses(second)); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
	events := h.Events(second.ID)
	if got, want := order(events), "deploy web, rollback queue"; got != want {
		t.Errorf("operations: %s, want %s", got, want)
	}
	passed := harness.First(events, 0, func(e apiv1.Event) bool {
		return e.Type == "verdict" && harness.Field(e, "component") == "web" && harness.Field(e, "reason") == "3 of 3 checks pass"
	})
	if removal := harness.First(events, 0, harness.With("operation.started", "kind", "rollback")); passed < 0 || removal < passed {
		t.Errorf("web passed with event %d, queue is removed with %d", passed+1, removal+1)
	}
	if err := harness.Answers(queue); err == nil {
		t.Error("queue answers although it was dropped")
	}
	if diff := cmp.Diff(map[string]string{"web": "v2 of " + second.ID}, components(h, t, "shop")); diff != "" {
		t.Errorf("what runs (-want +got):\n%s", diff)
	}

	h.Rollback(second.ID, "")
	second = h.Ends(second.ID, harness.End{Status: "rolled_back", Reason: "^back on v1: test$", Path: harness.GoneBack})
	if got, want := order(h.Events(second.ID)[len(events):]), "rollback queue, rollback web"; got != want {
		t.Errorf("operations of the rollback: %s, want %s", got, want)
	}
	h.Serves(web, "web-v1")
	h.Serves(queue, "queue-v1")
	if diff := cmp.Diff(map[string]string{"web": "v1 of " + first.ID, "queue": "v1 of " + first.ID}, components(h, t, "shop")); diff != "" {
		t.Errorf("what runs after the rollback (-want +got):\n%s", diff)
	}
	want := "queue-v1 web-v1 web-v2 queue-v1 web-v1"
	starts := h.Starts("all")
	slices.Sort(starts[:2])
	if got := strings.Join(starts, " "); got != want {
		t.Errorf("started: %s, want %s", got, want)
	}
}

// order is the operations in events as "KIND COMPONENT", in the order in which
// they were started.
func order(events []apiv1.Event) string {
	var started []string
	for _, e := range events {
		if e.Type == "operation.started" {
			started = append(started, harness.Field(e, "kind")+" "+harness.Field(e, "component"))
		}
	}
	return strings.Join(started, ", ")
}

// TestRemove takes an application away, and brings it back by rolling that back.
func TestRemove(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	h.Artifact("v1")
	web, db := h.Address(), h.Address()
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{
		{Name: "web", Listen: web, DependsOn: []string{"db"}}, {Name: "db", Listen: db},
	}})
	first := h.Quickly("shop", "v1")
	plan := h.REST("DELETE", "/api/v1/targets/shop/test?dry_run=true", "")
	if plan.Status != 200 || !strings.Contains(plan.Body, `"order":[["web"],["db"]]`) {
		t.Errorf("dry run of the removal: %d %s", plan.Status, plan.Body)
	}
	h.Serves(web, "v1")

	var removal apiv1.Deployment
	h.JSON(h.Must(0, "deploy", "remove", "shop", "--environment", "test", "--yes", "--reason", "Retired", "--watch", "-o", "json"), &removal)
	removal = h.Ends(removal.ID, harness.End{Status: "completed", Path: harness.Forward})
	if !removal.Remove || !removal.Current || removal.PreviousVersion != "v1" {
		t.Errorf("the removal: %+v", removal)
	}
	if diff := cmp.Diff(map[string]string{"db": "removed", "web": "removed"}, statuses(removal)); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
	if got, want := order(h.Events(removal.ID)), "rollback web, rollback db"; got != want {
		t.Errorf("operations: %s, want %s", got, want)
	}
	for _, address := range []string{web, db} {
		if err := harness.Answers(address); err == nil {
			t.Errorf("%s answers although it was removed", address)
		}
	}
	if r := h.Must(7, "deploy", "remove", "shop", "--environment", "test", "--yes"); !strings.Contains(r.Stderr, "nothing runs on shop/test") {
		t.Errorf("removal of nothing: %s", r)
	}

	h.Must(0, "deploy", "rollback", removal.ID, "--reason", "Needed after all", "--watch")
	h.Ends(removal.ID, harness.End{Status: "rolled_back", Reason: "^back on v1: Needed after all$", Path: harness.GoneBack})
	h.Serves(web, "v1")
	h.Serves(db, "v1")
	if diff := cmp.Diff(map[string]string{"db": "v1 of " + first.ID, "web": "v1 of " + first.ID}, components(h, t, "shop")); diff != "" {
		t.Errorf("what runs after the rollback (-want +got):\n%s", diff)
	}
	if !h.Get(first.ID).Current {
		t.Error("the first deployment is not current although its state was restored")
	}
}
