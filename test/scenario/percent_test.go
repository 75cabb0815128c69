package scenario_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// stepwise is an application that moves its traffic in steps, with v1 up.
func stepwise(t *testing.T, protocol string, steps []int, pause string) (h *harness.Host, address string) {
	t.Helper()
	h = harness.Started(t)
	h.Artifact("v1", "v2")
	address = h.Address()
	web := harness.Component{Name: "web", Listen: address, Protocol: protocol}
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{web}})
	h.Quickly("shop", "v1")
	web.Steps, web.Pause = steps, pause
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{web}})
	return h, address
}

// share sends requests one after the other, all of them over one connection if
// kept, and returns how many of them v2 answered.
func share(t *testing.T, address string, requests int, kept bool) (v2 int) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: !kept, MaxConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	for range requests {
		answer, err := (&http.Client{Transport: transport}).Get("http://" + address + "/")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s %q %v", answer.Status, body, err)
		}
		if strings.Contains(string(body), " v2 ") {
			v2++
		}
	}
	return v2
}

// promotions are the percents in events, in order; that of all of the traffic is
// the outcome of the operation.
func promotions(events []apiv1.Event) []string {
	percents := []string{}
	for _, e := range events {
		if e.Type == "candidate.promoted" {
			percents = append(percents, harness.Field(e, "percent"))
		}
	}
	return percents
}

// TestPercentSteps counts from outside which version answers at each step.
func TestPercentSteps(t *testing.T) {
	t.Parallel()
	h, address := stepwise(t, "http", []int{10, 50, 100}, "12s")
	d := h.Deploy("shop", "v2")
	h.Await(d.ID, 0, harness.Type("candidate.ready", "web"))
	for _, step := range []struct {
		percent string
		want    int
	}{{"10", 10}, {"50", 50}} {
		promoted := h.Await(d.ID, 0, harness.With("candidate.promoted", "percent", step.percent))
		fresh, kept := share(t, address, 100, false), share(t, address, 100, true)
		now := h.Get(d.ID)
		if fresh != step.want || kept != step.want {
			t.Errorf("at %s %% v2 answered %d of 100 requests over new connections and %d over one (after %d events, by now %d)",
				step.percent, fresh, kept, promoted.Seq, now.Seq)
		}
		if traffic := now.Components[0].Traffic; traffic == nil || *traffic != step.want || now.Status != "deploying" {
			t.Errorf("at %s %% the status is %s with %v %%", step.percent, now.Status, traffic)
		}
	}
	d = h.Ends(d.ID, harness.End{Status: "completed", Path: harness.Forward})
	if got := share(t, address, 20, false); got != 20 || d.Components[0].Traffic != nil {
		t.Errorf("in the end v2 answers %d of 20 requests, traffic is %v", got, d.Components[0].Traffic)
	}
	if diff := cmp.Diff([]string{"10", "50"}, promotions(h.Events(d.ID))); diff != "" {
		t.Errorf("promotions (-want +got):\n%s", diff)
	}
}

// TestPercentOfConnections: a port of the protocol tcp is shared by connection,
// and a connection stays where it is.
func TestPercentOfConnections(t *testing.T) {
	t.Parallel()
	h, address := stepwise(t, "tcp", []int{50, 100}, "10m")
	d := h.Deploy("shop", "v2")
	h.Await(d.ID, 0, harness.With("candidate.promoted", "percent", "50"))
	if got := share(t, address, 100, false); got != 50 {
		t.Errorf("v2 answered on %d of 100 connections, want 50", got)
	}
	for range 2 {
		if got := share(t, address, 20, true); got != 0 && got != 20 {
			t.Errorf("v2 answered %d of 20 requests on one connection, want none or all", got)
		}
	}
	if _, err := h.Client.Cancel(t.Context(), d.ID, "", ""); err != nil {
		t.Fatal(err)
	}
	h.Ends(d.ID, harness.End{Status: "rolled_back", Path: []string{"preparing", "deploying", "rolling_back", "rolled_back"}})
	if got := share(t, address, 20, false); got != 0 {
		t.Errorf("after the cancel v2 answers on %d of 20 connections", got)
	}
}

// TestBadAtAStep takes the share back from a version that turns bad while it
// has 10 %, and the old instance has never stopped.
func TestBadAtAStep(t *testing.T) {
	t.Parallel()
	h, address := stepwise(t, "http", []int{10, 100}, "10m")
	pid := h.Serves(address, "v1")
	d := h.Deploy("shop", "v2")
	h.Await(d.ID, 0, harness.With("candidate.promoted", "percent", "10"))
	traffic := h.Traffic("web", address)
	h.Sicken("web", "v2")
	d = h.Ends(d.ID, harness.End{
		Status: "rolled_back", Reason: "^back on v1: component web: check healthz failed 2 times in a row: .*status 503",
		Path: []string{"preparing", "deploying", "rolling_back", "rolled_back"},
	})
	traffic.Undisturbed()
	if got := share(t, address, 100, false); got != 0 {
		t.Errorf("v2 answers %d of 100 requests after it was rolled back", got)
	}
	if got := h.Serves(address, "v1"); got != pid {
		t.Errorf("instance %s answers, before it %s", got, pid)
	}
	if got, want := h.Starts("web"), []string{"v1", "v2"}; !slices.Equal(got, want) {
		t.Errorf("started: %v, want %v", got, want)
	}
	if diff := cmp.Diff([]string{"10"}, promotions(h.Events(d.ID))); diff != "" {
		t.Errorf("promotions (-want +got):\n%s", diff)
	}
}
