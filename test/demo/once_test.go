package demo_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// document is what `apm demo --once -o json` prints.
type document struct {
	Deployments []struct {
		Version string `json:"version"`
		Status  string `json:"status"`
		Reason  string `json:"reason"`
		Stages  []struct {
			Name      string    `json:"name"`
			StartedAt time.Time `json:"started_at"`
			EndedAt   time.Time `json:"ended_at"`
		} `json:"stages"`
		Events []apiv1.Event `json:"events"`
		Client struct {
			Requests int `json:"requests"`
			Failures int `json:"failures"`
		} `json:"client"`
	} `json:"deployments"`
	Posts struct{ Sent, Lost, Repeated int } `json:"posts"`
}

// acts are the three deployments: every status of the deployment and of its
// component, in order.
var acts = []struct {
	version, status string
	deployment      []string
	component       []string
	stages          []string
}{
	{
		version: "v1", status: "completed",
		deployment: []string{"pending preparing", "preparing deploying", "deploying verifying", "verifying completed"},
		component:  []string{"pending preparing", "preparing deploying", "deploying verifying", "verifying completed"},
		stages:     []string{"pending", "preparing", "deploying", "verifying"},
	},
	{
		version: "v2", status: "completed",
		deployment: []string{"pending preparing", "preparing deploying", "deploying verifying", "verifying completed"},
		component:  []string{"pending preparing", "preparing deploying", "deploying verifying", "verifying completed"},
		stages:     []string{"pending", "preparing", "deploying", "verifying"},
	},
	{
		version: "v3", status: "rolled_back",
		deployment: []string{"pending preparing", "preparing deploying", "deploying verifying", "verifying rolling_back", "rolling_back rolled_back"},
		component: []string{
			"pending preparing", "preparing deploying", "deploying verifying",
			"verifying failed", "failed rolling_back", "rolling_back rolled_back",
		},
		stages: []string{"pending", "preparing", "deploying", "verifying", "rolling_back"},
	},
}

// firstWithin is how long the first deployment may take from the start of the demo.
const firstWithin = 60 * time.Second

func TestDemoOnce(t *testing.T) {
	h := harness.New(t)
	began := time.Now()
	r := h.Must(0, "demo", "--once", "-o", "json")
	h.NothingLeft()
	if left := h.Read(".local/share/apm-demo/demo.hcl"); left != "" {
		t.Error("the demo left its directory")
	}
	var got document
	h.JSON(r, &got)
	if len(got.Deployments) != len(acts) {
		t.Fatalf("%d deployments, want %d", len(got.Deployments), len(acts))
	}
	for i, d := range got.Deployments {
		want := acts[i]
		if d.Version != want.version || d.Status != want.status || d.Reason == "" {
			t.Errorf("deployment %d: %s %s %q, want %s %s and why", i, d.Version, d.Status, d.Reason, want.version, want.status)
		}
		if diff := cmp.Diff(want.deployment, transitions(d.Events, "deployment.status")); diff != "" {
			t.Errorf("%s: statuses of the deployment (-want +got):\n%s", want.version, diff)
		}
		if diff := cmp.Diff(want.component, transitions(d.Events, "component.status")); diff != "" {
			t.Errorf("%s: statuses of the component (-want +got):\n%s", want.version, diff)
		}
		for n, e := range d.Events {
			if e.Seq != uint64(n+1) || e.Ephemeral {
				t.Errorf("%s: event %d has seq %d", want.version, n+1, e.Seq)
			}
		}
		looked := []string{}
		for _, e := range d.Events {
			if e.Type == "candidate.ready" || e.Type == "verdict" && harness.Field(e, "component") != "" || e.Type == "operation.finished" {
				looked = append(looked, e.Type)
			}
		}
		if len(looked) < 3 || looked[0] != "candidate.ready" || looked[1] != "verdict" || looked[2] != "operation.finished" {
			t.Errorf("%s: a candidate is judged before it gets the traffic: %v", want.version, looked)
		}
		if last := d.Events[len(d.Events)-1].Time; i == 0 && last.Sub(began) > firstWithin {
			t.Errorf("the first deployment was over after %s", last.Sub(began))
		}
		if d.Client.Requests == 0 || d.Client.Failures != 0 {
			t.Errorf("%s: %d requests, %d failures", want.version, d.Client.Requests, d.Client.Failures)
		}
		names := []string{}
		var last time.Time
		for _, stage := range d.Stages {
			names = append(names, stage.Name)
			if stage.StartedAt.IsZero() || stage.StartedAt.Before(last) || stage.EndedAt.Before(stage.StartedAt) {
				t.Errorf("%s: stage %s from %s to %s, the one before ended %s", want.version, stage.Name, stage.StartedAt, stage.EndedAt, last)
			}
			last = stage.EndedAt
		}
		if diff := cmp.Diff(want.stages, names); diff != "" {
			t.Errorf("%s: stages (-want +got):\n%s", want.version, diff)
		}
	}
	if got.Posts.Sent == 0 || got.Posts.Lost != 0 || got.Posts.Repeated != 0 {
		t.Errorf("posts: %+v", got.Posts)
	}
}

// transitions are the events of a type as "from to".
func transitions(events []apiv1.Event, kind string) []string {
	got := []string{}
	for _, e := range events {
		if e.Type == kind {
			got = append(got, harness.Field(e, "from")+" "+harness.Field(e, "status"))
		}
	}
	return got
}

// take takes a port of all loopback addresses as far as it is not taken.
func take(t *testing.T, port int) {
	t.Helper()
	for _, host := range []string{"127.0.0.1", "::1"} {
		listen(t, host, strconv.Itoa(port))
	}
}
