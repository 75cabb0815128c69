package deployment_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// named gives a check another name and lets its answer blame the environment.
func named(c deployment.Check, name, message string, environment bool) deployment.Check {
	c.Name, c.Message, c.Environment = name, message, environment
	return c
}

func TestJudge(t *testing.T) {
	t.Parallel()
	good := named(observed("hh"), "good", "200", false)
	bad := named(observed("hhuuu"), "bad", "500", false)
	outside := named(observed("hhuuu"), "db", "database db1 is down", true)
	slow := named(observed("uuuu"), "slow", "connection refused", false)
	late := slow
	late.Startup = time.Minute
	unseen := named(observed("uuu?"), "unseen", "plugin gone", false)
	tests := map[string]struct {
		question deployment.Question
		kind     deployment.VerdictKind
		reason   string
		rests    []string // names of the checks that led to it
	}{
		"nothing to ask": {
			kind: deployment.VerdictWait, reason: "no check says how it is",
		},
		"all pass": {
			question: deployment.Question{Checks: []deployment.Check{good, good}},
			kind:     deployment.VerdictPromote, reason: "2 of 2 checks pass", rests: []string{"good", "good"},
		},
		"one is not there yet": {
			question: deployment.Question{Checks: []deployment.Check{good, named(observed("u"), "new", "refused", false)}},
			kind:     deployment.VerdictWait, reason: "check new unknown: refused", rests: []string{"new"},
		},
		"never looked at": {
			question: deployment.Question{Checks: []deployment.Check{{Name: "new", NeedPasses: 2, NeedFailures: 3}}},
			kind:     deployment.VerdictWait, reason: "check new unknown", rests: []string{"new"},
		},
		"fails before the gate": {
			question: deployment.Question{Checks: []deployment.Check{good, bad}},
			kind:     deployment.VerdictFail, reason: "check bad failed 3 times in a row: 500", rests: []string{"bad"},
		},
		"fails after the gate": {
			question: deployment.Question{Checks: []deployment.Check{good, bad}, Passed: true},
			kind:     deployment.VerdictRollBack, reason: "check bad failed 3 times in a row: 500", rests: []string{"bad"},
		},
		"two fail": {
			question: deployment.Question{Checks: []deployment.Check{bad, named(bad, "worse", "", false)}},
			kind:     deployment.VerdictFail,
			reason:   "check bad failed 3 times in a row: 500; check worse failed 3 times in a row",
			rests:    []string{"bad", "worse"},
		},
		"a slow start waits": {
			question: deployment.Question{Checks: []deployment.Check{slow}},
			kind:     deployment.VerdictWait, reason: "check slow failed 4 times in a row: connection refused", rests: []string{"slow"},
		},
		"a slow start with too little time fails": {
			question: deployment.Question{Checks: []deployment.Check{late}},
			kind:     deployment.VerdictFail, reason: "check slow failed 4 times in a row: connection refused", rests: []string{"slow"},
		},
		"the old version fails too": {
			question: deployment.Question{Checks: []deployment.Check{bad}, OldUnhealthy: "the version that runs fails check bad too"},
			kind:     deployment.VerdictHold, reason: "environment: the version that runs fails check bad too", rests: []string{"bad"},
		},
		"the old version fails too, after the gate": {
			question: deployment.Question{Checks: []deployment.Check{bad}, Passed: true, OldUnhealthy: "node n1 is down"},
			kind:     deployment.VerdictHold, reason: "environment: node n1 is down", rests: []string{"bad"},
		},
		"the answer blames the environment": {
			question: deployment.Question{Checks: []deployment.Check{bad, outside}, Passed: true},
			kind:     deployment.VerdictHold, reason: "environment: database db1 is down", rests: []string{"bad", "db"},
		},
		"an environment at fault holds nothing that passes": {
			question: deployment.Question{Checks: []deployment.Check{good}, OldUnhealthy: "node n1 is down"},
			kind:     deployment.VerdictPromote, reason: "1 of 1 checks pass", rests: []string{"good"},
		},
		"unknown waits": {
			question: deployment.Question{Checks: []deployment.Check{good, named(observed("hh?"), "gone", "plugin gone", false)}, Passed: true},
			kind:     deployment.VerdictWait, reason: "check gone unknown: plugin gone", rests: []string{"gone"},
		},
		"unknown after failures says unknown": {
			question: deployment.Question{Checks: []deployment.Check{unseen}, Passed: true},
			kind:     deployment.VerdictWait, reason: "check unseen unknown after 3 failures in a row: plugin gone", rests: []string{"unseen"},
		},
		"degraded waits": {
			question: deployment.Question{Checks: []deployment.Check{named(observed("hhd"), "latency", "slow: 2s", false)}, Passed: true},
			kind:     deployment.VerdictWait, reason: "check latency degraded: slow: 2s", rests: []string{"latency"},
		},
		"failing outweighs unknown": {
			question: deployment.Question{Checks: []deployment.Check{unseen, bad}},
			kind:     deployment.VerdictFail, reason: "check bad failed 3 times in a row: 500", rests: []string{"bad"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.question.Began, test.question.Now = began, began.Add(time.Hour)
			got := deployment.Judge(test.question)
			if got.Kind != test.kind || got.Reason != test.reason {
				t.Errorf("got %s %q, want %s %q", got.Kind, got.Reason, test.kind, test.reason)
			}
			var rests []string
			for _, check := range got.Checks {
				rests = append(rests, check.Name)
			}
			if diff := cmp.Diff(test.rests, rests); diff != "" {
				t.Errorf("the checks it rests on: %s", diff)
			}
		})
	}
}

func TestJudgeProperties(t *testing.T) {
	t.Parallel()
	questions := func(t *rapid.T, answers ...deployment.Health) deployment.Question {
		q := deployment.Question{Began: began, Now: began, Passed: rapid.Bool().Draw(t, "passed")}
		for range rapid.IntRange(0, 4).Draw(t, "checks") {
			c := deployment.Check{
				Name:       "front",
				NeedPasses: rapid.IntRange(1, 3).Draw(t, "passes"), NeedFailures: rapid.IntRange(1, 3).Draw(t, "failures"),
				Startup:    time.Duration(rapid.IntRange(0, 60).Draw(t, "startup")) * time.Second,
				EverPassed: q.Passed || rapid.Bool().Draw(t, "passed before"),
			}
			for range rapid.IntRange(0, 12).Draw(t, "looks") {
				q.Now = q.Now.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "seconds")) * time.Second)
				c.Observe(deployment.Observation{
					Status: rapid.SampledFrom(answers).Draw(t, "answer"), Message: "m", At: q.Now,
					Environment: rapid.Bool().Draw(t, "environment"),
				})
			}
			q.Checks = append(q.Checks, c)
		}
		return q
	}
	t.Run("unknown and degraded alone fail nothing", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			q := questions(t, deployment.Unknown, deployment.Degraded)
			q.Now = q.Now.Add(time.Duration(rapid.IntRange(0, 100_000).Draw(t, "later")) * time.Second)
			switch v := deployment.Judge(q); {
			case v.Kind == deployment.VerdictPromote && len(q.Checks) == 0:
			case v.Kind != deployment.VerdictWait:
				t.Fatalf("%s: %s", v.Kind, v.Reason)
			}
		})
	})
	t.Run("a check whose last answer is unknown is held against nobody", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			q := questions(t, deployment.Healthy, deployment.Degraded, deployment.Unhealthy, deployment.Unknown)
			for i := range q.Checks {
				q.Checks[i].Observe(deployment.Observation{Status: deployment.Unknown, At: q.Now})
			}
			q.Now = q.Now.Add(time.Duration(rapid.IntRange(0, 100_000).Draw(t, "later")) * time.Second)
			if v := deployment.Judge(q); len(q.Checks) > 0 && v.Kind != deployment.VerdictWait {
				t.Fatalf("%s: %s", v.Kind, v.Reason)
			}
		})
	})
	t.Run("each verdict rests on what it says", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			q := questions(t, deployment.Healthy, deployment.Degraded, deployment.Unhealthy, deployment.Unknown)
			v := deployment.Judge(q)
			if v.Reason == "" {
				t.Fatalf("%s without a reason", v.Kind)
			}
			failing, passing := 0, 0
			for i := range q.Checks {
				if q.Checks[i].Failing(q.Began, q.Now) {
					failing++
				}
				if q.Checks[i].Passing() {
					passing++
				}
			}
			switch v.Kind {
			case deployment.VerdictPromote:
				if passing != len(q.Checks) || passing == 0 {
					t.Fatalf("promoted with %d of %d passing", passing, len(q.Checks))
				}
			case deployment.VerdictWait:
				if failing > 0 || passing > 0 && passing == len(q.Checks) {
					t.Fatalf("waits with %d failing and %d of %d passing", failing, passing, len(q.Checks))
				}
			default:
				if failing == 0 || len(v.Checks) != failing {
					t.Fatalf("%s rests on %d checks, %d fail", v.Kind, len(v.Checks), failing)
				}
				if (v.Kind == deployment.VerdictRollBack) && !q.Passed || (v.Kind == deployment.VerdictFail) && q.Passed {
					t.Fatalf("%s with passed %t", v.Kind, q.Passed)
				}
			}
		})
	})
}

func TestBakeObserved(t *testing.T) {
	t.Parallel()
	const interval = 5 * time.Second
	tests := map[string]struct {
		since, want time.Duration
	}{
		"no time":                           {0, 0},
		"a clock that went back":            {-time.Second, 0},
		"an ordinary look":                  {5 * time.Second, 5 * time.Second},
		"as late as may be":                 {15 * time.Second, 15 * time.Second},
		"later than that nobody had looked": {15*time.Second + 1, 0},
		"the host was away":                 {time.Hour, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := deployment.BakeObserved(test.since, interval); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestBakeCountsNothingUnobserved(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		interval := time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "interval"))
		var observed, counted time.Duration
		for range rapid.IntRange(1, 50).Draw(t, "looks") {
			since := time.Duration(rapid.Int64Range(-int64(time.Minute), int64(10*time.Minute)).Draw(t, "since"))
			if since > 0 && since <= 3*interval {
				observed += since
			}
			got := deployment.BakeObserved(since, interval)
			if got < 0 || got > 3*interval {
				t.Fatalf("one look counts %s at an interval of %s", got, interval)
			}
			counted += got
		}
		if counted != observed {
			t.Fatalf("counted %s, observed %s", counted, observed)
		}
	})
}
