package deployment

import "time"

// Thresholds of what a plugin's Probe reports, which has no definition to say
// its own.
const (
	ProbePasses   = 2
	ProbeFailures = 3
)

// Observe folds one answer into the check and says whether its status changed.
// A degraded answer is neither a pass nor a failure: it ends a row of passes and
// fails nothing. An unknown one changes no count, since nobody looked.
func (c *Check) Observe(o Observation) (changed bool) {
	before := c.Status
	c.At, c.Latency, c.Environment = o.At, o.Latency, o.Environment
	switch o.Status {
	case Healthy:
		c.Passes++
		c.Failures = 0
		if c.Passes >= c.NeedPasses {
			c.EverPassed = true
		}
	case Degraded:
		c.Passes, c.Failures = 0, 0
	case Unhealthy:
		c.Failures++
		c.Passes = 0
	case Unknown:
	}
	switch {
	case o.Status == Unknown:
		c.Status = Unknown
	case o.Status == Degraded:
		c.Status = Degraded
	case c.Passes > 0 && c.Passes >= c.NeedPasses:
		c.Status = Healthy
	case c.Failures > 0 && c.Failures >= c.NeedFailures:
		c.Status = Unhealthy
	case c.Status == "":
		c.Status = Unknown
	}
	if c.Status != before {
		c.Since = o.At
	}
	if c.Status != before || o.Status != Unknown || c.Message == "" {
		c.Message = o.Message
	}
	return c.Status != before
}

// Passing says whether the check has passed often enough in a row, up to now.
func (c *Check) Passing() bool { return c.Status == Healthy && c.Passes >= c.NeedPasses }

// Failing says whether the check has failed often enough in a row to be held
// against what it checks. Before its first pass a check may fail for Startup,
// or, with none, until the deadline of the operation: a slow start is no fault.
// While nobody can look, failures seen before are held against nothing.
func (c *Check) Failing(began, now time.Time) bool {
	if c.Status != Unhealthy || c.Failures == 0 || c.Failures < c.NeedFailures {
		return false
	}
	if c.EverPassed {
		return true
	}
	return c.Startup > 0 && now.Sub(began) > c.Startup
}

// Worst returns the worst health of the checks: unhealthy, unknown, degraded,
// healthy; of none it is unknown.
func Worst(checks []Check) Health {
	if len(checks) == 0 {
		return Unknown
	}
	order := map[Health]int{Healthy: 0, Degraded: 1, Unknown: 2, "": 2, Unhealthy: 3}
	worst := Healthy
	for _, c := range checks {
		if order[c.Status] > order[worst] {
			worst = c.Status
		}
	}
	if worst == "" {
		return Unknown
	}
	return worst
}
