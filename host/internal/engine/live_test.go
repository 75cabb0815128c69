package engine_test

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// listen collects what is published and never a row, until stop.
func (r *rig) listen() (stop func() []deployment.Event) {
	events, cancel := r.bus.Subscribe("")
	var mu sync.Mutex
	var all []deployment.Event
	done := make(chan struct{})
	end := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case e, open := <-events:
				if !open {
					return
				}
				mu.Lock()
				all = append(all, e)
				mu.Unlock()
			case <-end:
				return
			}
		}
	}()
	return func() []deployment.Event {
		close(end)
		<-done
		cancel()
		return all
	}
}

// Progress rises, ends at 100 at the good end only, and says when; log lines go
// to those who look on. Neither is ever a row.
func TestProgressAndLogsAreEphemeral(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	stop := r.listen()
	d := r.await(r.start("v1", `{"web":{"content":"a","depends_on":["db"],"steps":[25,100]},"db":{"content":"x"}}`).ID, 1)
	last, etas, lines := 0.0, 0, map[string]int{}
	for _, e := range stop() {
		if !e.Ephemeral || e.DeploymentID != d.ID || e.Seq == 0 || e.Seq > d.Seq {
			t.Errorf("event %+v", e)
		}
		switch e.Type {
		case deployment.EventProgress:
			var p deployment.ProgressPayload
			if err := json.Unmarshal(e.Data, &p); err != nil {
				t.Fatal(err)
			}
			if p.Percentage < last || p.Percentage > 100 {
				t.Errorf("progress %v after %v", p.Percentage, last)
			}
			last = p.Percentage
			if p.ETA != nil {
				etas++
			}
		case deployment.EventLog:
			var p deployment.LogPayload
			if err := json.Unmarshal(e.Data, &p); err != nil {
				t.Fatal(err)
			}
			lines[p.Component+" "+p.Line]++
		default:
			t.Errorf("published %s", e.Type)
		}
	}
	if etas == 0 || last == 0 || lines["web starting"] == 0 || lines["db starting"] == 0 {
		t.Errorf("%d estimates, last %v, lines %v", etas, last, lines)
	}
	if p := deployment.ProgressOf(d); p.Percentage != 100 {
		t.Errorf("progress at the end %+v", p)
	}
	if got := payloads[json.RawMessage](r, d.ID, deployment.EventProgress); len(got) != 0 {
		t.Errorf("%d rows of progress", len(got))
	}
}

func TestPercentStepsInOrder(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lost int
		told []int
	}{
		"undisturbed":     {told: []int{100, 25, 50, 100}},
		"an answer lost":  {lost: 1, told: []int{100, 25, 25, 50, 100}},
		"several in turn": {lost: 2, told: []int{100, 25, 25, 25, 50, 100}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t).run()
			r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
			r.world.with(func() { r.world.lost["promote"] = test.lost })
			d := r.await(r.start("v2", `{"web":{"content":"b","steps":[25,50,100]}}`).ID, 1)
			var told, promoted []int
			r.world.with(func() { told, promoted = r.world.told, r.world.promoted })
			if diff := cmp.Diff([]int{100, 25, 50, 100}, promoted); diff != "" {
				t.Error(diff)
			}
			// After a lost answer the watch may repeat the share as well.
			if !inOrderWithRepeats(told) || len(told) < len(test.told) || test.lost == 0 && !cmp.Equal(test.told, told) {
				t.Errorf("told %v, want %v", told, test.told)
			}
			var shares []int
			for _, p := range payloads[deployment.CandidatePayload](r, d.ID, deployment.EventCandidatePromoted) {
				shares = append(shares, p.Percent)
			}
			// What was found finished after a lost answer has no event for its last share.
			if want := []int{25, 50, 100}; len(shares) < 2 || !cmp.Equal(want[:len(shares)], shares) || test.lost == 0 && len(shares) < 3 {
				t.Errorf("events for the shares %v", shares)
			}
		})
	}
}

// inOrderWithRepeats says whether after the first the shares never fall.
func inOrderWithRepeats(shares []int) bool {
	for i := 2; i < len(shares); i++ {
		if shares[i] < shares[i-1] {
			return false
		}
	}
	return true
}

func TestLogs(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	d := r.await(r.start("v1", `{"web":{"content":"a"},"db":{"content":"x"}}`).ID, 1)
	read := func(query deployment.LogQuery) (got map[string]string, err error) {
		var mu sync.Mutex
		got = map[string]string{}
		err = r.engine.Logs(t.Context(), d.ID, query, func(component string, lines ...deployment.LogLine) error {
			mu.Lock()
			defer mu.Unlock()
			for _, line := range lines {
				got[component] += line.Line
			}
			return nil
		})
		return got, err
	}
	for name, test := range map[string]struct {
		query deployment.LogQuery
		want  map[string]string
		code  deployment.ErrorCode
	}{
		"all":       {want: map[string]string{"web": "a last line", "db": "a last line"}},
		"follow":    {query: deployment.LogQuery{Follow: true}, want: map[string]string{"web": "a last line", "db": "a last line"}},
		"one":       {query: deployment.LogQuery{Component: "db"}, want: map[string]string{"db": "a last line"}},
		"not there": {query: deployment.LogQuery{Component: "cache"}, want: map[string]string{}, code: deployment.Invalid},
	} {
		got, err := read(test.query)
		if diff := cmp.Diff(test.want, got); diff != "" || (test.code != "" || err != nil) && deployment.CodeOf(err) != test.code {
			t.Errorf("%s: %s %v", name, diff, err)
		}
	}
}

// With three runs before it, an estimate rests on them.
func TestEstimateRestsOnHistory(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	for _, content := range []string{"a", "b", "c"} {
		r.await(r.start("v"+content, `{"web":{"content":"`+content+`"}}`).ID, 1)
	}
	plan, err := r.engine.PlanStart(t.Context(), request("vd", `{"web":{"content":"d"}}`))
	if err != nil || plan.Expected <= 0 || plan.Expected > time.Minute {
		t.Errorf("expected %s, %v", plan.Expected, err)
	}
	stop := r.listen()
	r.await(r.start("vd", `{"web":{"content":"d"}}`).ID, 1)
	bases := map[deployment.ETABasis]int{}
	for _, e := range stop() {
		var p deployment.ProgressPayload
		if e.Type == deployment.EventProgress && json.Unmarshal(e.Data, &p) == nil && p.ETA != nil {
			bases[p.ETA.Basis]++
		}
	}
	if bases[deployment.BasisHistory] == 0 || bases[deployment.BasisWaits] > 0 {
		t.Errorf("bases %v", bases)
	}
}
