package deployment_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// began is the moment at which the checkups of these tests begin.
var began = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// letters are observations, one letter each.
var letters = map[rune]deployment.Health{
	'h': deployment.Healthy, 'd': deployment.Degraded, 'u': deployment.Unhealthy, '?': deployment.Unknown,
}

// observed is a check that needs two passes and three failures after these
// observations, one second apart.
func observed(observations string) deployment.Check {
	c := deployment.Check{Name: "front", NeedPasses: 2, NeedFailures: 3}
	look(&c, observations)
	return c
}

// look goes on observing, one second after the last look.
func look(c *deployment.Check, observations string) {
	for _, letter := range observations {
		at := began
		if !c.At.IsZero() {
			at = c.At.Add(time.Second)
		}
		c.Observe(deployment.Observation{Status: letters[letter], Message: string(letter), At: at})
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		observations     string
		status           deployment.Health
		passes, failures int
		passing, failing bool // the latter with the startup time over
	}{
		"one pass is not enough":              {"h", deployment.Unknown, 1, 0, false, false},
		"two passes in a row":                 {"hh", deployment.Healthy, 2, 0, true, false},
		"passes that a failure divides":       {"huh", deployment.Unknown, 1, 0, false, false},
		"two failures are not enough":         {"uu", deployment.Unknown, 0, 2, false, false},
		"three failures in a row":             {"uuu", deployment.Unhealthy, 0, 3, false, true},
		"failures that a pass divides":        {"uuhu", deployment.Unknown, 0, 1, false, false},
		"healthy bears two failures":          {"hhuu", deployment.Healthy, 0, 2, false, false},
		"healthy does not bear three":         {"hhuuu", deployment.Unhealthy, 0, 3, false, true},
		"one pass does not heal":              {"uuuh", deployment.Unhealthy, 1, 0, false, false},
		"two passes heal":                     {"uuuhh", deployment.Healthy, 2, 0, true, false},
		"unknown leaves passes as they are":   {"h?h", deployment.Healthy, 2, 0, true, false},
		"unknown leaves failures as they are": {"u?u?u", deployment.Unhealthy, 0, 3, false, true},
		"unknown shows at once":               {"hh?", deployment.Unknown, 2, 0, false, false},
		"unknown after failing fails nothing": {"uuu?", deployment.Unknown, 0, 3, false, false},
		"seen again, it goes on where it was": {"hh?h", deployment.Healthy, 3, 0, true, false},
		"seen failing again, it goes on":      {"uuu?u", deployment.Unhealthy, 0, 4, false, true},
		"degraded ends a row of passes":       {"hd", deployment.Degraded, 0, 0, false, false},
		"degraded ends a row of failures":     {"uud", deployment.Degraded, 0, 0, false, false},
		"a row begins anew after degraded":    {"hdh", deployment.Degraded, 1, 0, false, false},
		"and may become long enough":          {"hdhh", deployment.Healthy, 2, 0, true, false},
		"failures begin anew after degraded":  {"uuduu", deployment.Degraded, 0, 2, false, false},
		"degraded and unknown for ever":       {"d?d?dd??", deployment.Unknown, 0, 0, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := observed(test.observations)
			c.Startup = time.Nanosecond
			if c.Status != test.status || c.Passes != test.passes || c.Failures != test.failures {
				t.Errorf("%s with %d passes and %d failures, want %s with %d and %d",
					c.Status, c.Passes, c.Failures, test.status, test.passes, test.failures)
			}
			if c.Passing() != test.passing {
				t.Errorf("Passing is %t", c.Passing())
			}
			if failing := c.Failing(began, c.At.Add(time.Hour)); failing != test.failing {
				t.Errorf("Failing is %t", failing)
			}
		})
	}
}

func TestObserveSaysWhatChanged(t *testing.T) {
	t.Parallel()
	c := observed("hh")
	if want := began.Add(time.Second); !c.Since.Equal(want) || !c.At.Equal(want) {
		t.Errorf("healthy since %s, last look %s, want both %s", c.Since, c.At, want)
	}
	changed := c.Observe(deployment.Observation{
		Status: deployment.Healthy, Message: "again", Latency: time.Millisecond, At: began.Add(time.Minute), Environment: true,
	})
	if changed || !c.Since.Equal(began.Add(time.Second)) {
		t.Error("nothing changed, but it says so, or Since moved")
	}
	if c.Message != "again" || c.Latency != time.Millisecond || !c.At.Equal(began.Add(time.Minute)) || !c.Environment {
		t.Errorf("the last look is not kept: %+v", c)
	}
	if !c.Observe(deployment.Observation{Status: deployment.Unknown, Message: "plugin gone", At: began.Add(time.Hour)}) {
		t.Error("healthy became unknown, and Observe does not say so")
	}
	if c.Message != "plugin gone" || c.Environment {
		t.Errorf("the unknown answer is not kept: %+v", c)
	}
	if c.Observe(deployment.Observation{Status: deployment.Unknown, Message: "still gone"}) {
		t.Error("unknown stayed unknown, and Observe says that it changed")
	}
	c = observed("")
	c.Status = deployment.Unknown
	if c.Observe(deployment.Observation{Status: deployment.Unknown, Message: "no address", At: began}); c.Message != "no address" {
		t.Errorf("the first answer says why nobody could look, the check does not: %+v", c)
	}
}

func TestEverPassedNeedsTheWholeRow(t *testing.T) {
	t.Parallel()
	for observations, want := range map[string]bool{
		"": false, "h": false, "huh": false, "hdh": false, "hh": true, "hhuuu": true, "h?h": true,
	} {
		if c := observed(observations); c.EverPassed != want {
			t.Errorf("after %q EverPassed is %t", observations, c.EverPassed)
		}
	}
}

func TestFailing(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		observations string
		startup      time.Duration
		after        time.Duration // since the checkup began
		want         bool
	}{
		"a slow start is no fault":                  {"uuuuuu", 0, time.Hour, false},
		"nor within its startup time":               {"uuuuuu", time.Minute, time.Minute, false},
		"after its startup time it is":              {"uuuuuu", time.Minute, time.Minute + 1, true},
		"after a pass it is at once":                {"hhuuu", 0, 5 * time.Second, true},
		"after a pass startup protects no more":     {"hhuuu", time.Minute, 5 * time.Second, true},
		"too few failures":                          {"hhuu", time.Nanosecond, time.Hour, false},
		"startup over while nobody could look":      {"uuu??", time.Minute, time.Hour, false},
		"startup over, nobody had looked":           {"", time.Minute, time.Hour, false},
		"startup over, it was only ever degraded":   {"ddddd", time.Minute, time.Hour, false},
		"it failed after a pass, then nobody looks": {"hhuuu???", 0, time.Hour, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := observed(test.observations)
			c.Startup = test.startup
			if got := c.Failing(began, began.Add(test.after)); got != test.want {
				t.Errorf("Failing is %t", got)
			}
		})
	}
}

func TestWorst(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		of   []deployment.Health
		want deployment.Health
	}{
		"none":           {nil, deployment.Unknown},
		"all well":       {[]deployment.Health{deployment.Healthy, deployment.Healthy}, deployment.Healthy},
		"degraded":       {[]deployment.Health{deployment.Healthy, deployment.Degraded}, deployment.Degraded},
		"unknown":        {[]deployment.Health{deployment.Degraded, deployment.Unknown}, deployment.Unknown},
		"not looked yet": {[]deployment.Health{"", deployment.Degraded}, deployment.Unknown},
		"unhealthy":      {[]deployment.Health{deployment.Unhealthy, deployment.Unknown, ""}, deployment.Unhealthy},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var checks []deployment.Check
			for _, health := range test.of {
				checks = append(checks, deployment.Check{Status: health})
			}
			if got := deployment.Worst(checks); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestObserveProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := deployment.Check{
			NeedPasses:   rapid.IntRange(1, 4).Draw(t, "passes"),
			NeedFailures: rapid.IntRange(1, 4).Draw(t, "failures"),
			Startup:      time.Duration(rapid.IntRange(0, 20).Draw(t, "startup")) * time.Second,
			EverPassed:   rapid.Bool().Draw(t, "passed before"),
		}
		now := began
		for range rapid.IntRange(1, 40).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(1, 10).Draw(t, "seconds")) * time.Second)
			status := rapid.SampledFrom([]deployment.Health{
				deployment.Healthy, deployment.Degraded, deployment.Unhealthy, deployment.Unknown,
			}).Draw(t, "status")
			before := c
			changed := c.Observe(deployment.Observation{Status: status, At: now})
			switch {
			case changed != (before.Status != c.Status):
				t.Fatalf("changed is %t: %s → %s", changed, before.Status, c.Status)
			case changed && !c.Since.Equal(now):
				t.Fatal("Since is not the moment of the change")
			case c.Passes > 0 && c.Failures > 0:
				t.Fatal("it passes and fails in a row at once")
			case c.Passing() && c.Failing(began, now):
				t.Fatal("it is passing and failing at once")
			case before.EverPassed && !c.EverPassed:
				t.Fatal("a pass was forgotten")
			case status != deployment.Unhealthy && c.Failing(began, now.Add(time.Hour)):
				t.Fatalf("%s made it failing", status)
			case status != deployment.Healthy && c.Passing():
				t.Fatalf("%s made it passing", status)
			case status == deployment.Unknown && (c.Passes != before.Passes || c.Failures != before.Failures || c.EverPassed != before.EverPassed):
				t.Fatal("an unknown answer changed a count")
			case c.Status == deployment.Healthy && !c.EverPassed:
				t.Fatal("healthy without the passes for it")
			}
		}
	})
}
