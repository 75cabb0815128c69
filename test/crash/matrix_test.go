package crash_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// atOnce bounds the hosts that run side by side.
var atOnce = make(chan struct{}, 3)

// course is a deployment or a rollback, and how it goes undisturbed.
type course struct {
	// begin starts it and returns the deployment, and the seq of the last event
	// before it.
	begin func(h *harness.Host) (id string, after uint64)
	// on is called when the course is under way, and makes it go bad where it is
	// to; nil: nothing.
	on     func(h *harness.Host, id string)
	points map[string]moment

	status  string
	path    []string
	starts  []string // versions, in the order in which instances were started
	version string   // that is served in the end
}

// moment waits until a course has come to a point.
type moment func(h *harness.Host, id string, after uint64)

// victims are who is killed.
var victims = map[string]func(h *harness.Host){
	"host": func(h *harness.Host) {
		h.Kill9()
		h.Start()
	},
	"plugin": func(h *harness.Host) { h.KillPlugin(h.PluginPID()) },
	"both": func(h *harness.Host) {
		plugin := h.PluginPID()
		h.KillPlugin(plugin)
		h.Kill9()
		h.Start()
	},
}

// run runs the undisturbed course, and one for each point and victim.
func (c course) run(t *testing.T) {
	t.Run("undisturbed", func(t *testing.T) { c.disturb(t, nil, nil) })
	for point, comes := range c.points {
		for victim, kill := range victims {
			t.Run(point+"/"+victim, func(t *testing.T) { c.disturb(t, comes, kill) })
		}
	}
}

// disturb runs the course and kills at a point.
func (c course) disturb(t *testing.T, comes moment, kill func(*harness.Host)) {
	t.Parallel()
	atOnce <- struct{}{}
	t.Cleanup(func() { <-atOnce })
	h := harness.Started(t)
	h.Artifact("v1", "v2")
	address := h.Address()
	h.Define(harness.Application{Name: "shop", Bake: "600ms", Components: []harness.Component{
		{Name: "web", Listen: address, Steps: []int{50, 100}, Pause: "200ms"},
	}})
	h.Quickly("shop", "v1")
	traffic := h.Traffic("web", address)
	id, after := c.begin(h)
	seen := h.Follow(id)
	if c.on != nil {
		c.on(h, id)
	}
	if comes != nil {
		comes(h, id, after)
		kill(h)
	}
	c.judge(t, h, id, seen)
	traffic.Undisturbed()
	if got := h.Version(address); got != c.version {
		t.Errorf("version %q is served, want %q", got, c.version)
	}
}

// judge compares the end of a course with that of the undisturbed one.
func (c course) judge(t *testing.T, h *harness.Host, id string, seen func(uint64) []apiv1.Event) {
	t.Helper()
	d := h.Ended(id)
	if d.Status != c.status {
		t.Errorf("it ended %s (%s), want %s", d.Status, d.Reason, c.status)
	}
	events := h.Events(id)
	if diff := cmp.Diff(c.path, harness.StatusPath(events)); diff != "" {
		t.Errorf("status path (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(c.starts, h.Starts("web")); diff != "" {
		t.Errorf("started instances (-want +got):\n%s", diff)
	}
	client := seen(uint64(len(events)))
	client = client[:min(len(client), len(events))] // an event may have come since the table was read
	if diff := cmp.Diff(events, client); diff != "" {
		t.Errorf("what a client saw that reconnects (-table +client):\n%s", diff)
	}
	runs, err := h.Client.Runs(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range runs.Runs {
		for _, step := range run.Steps {
			if len(step.Operations) != 1 || step.Operations[0].Result != "succeeded" {
				t.Errorf("run %d has the operations %+v, want one that succeeded", run.Number, step.Operations)
			}
		}
	}
}
