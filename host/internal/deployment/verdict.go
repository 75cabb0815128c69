package deployment

import (
	"fmt"
	"strings"
	"time"
)

// VerdictKind is what the host concludes from checks.
type VerdictKind string

// The verdicts.
const (
	VerdictPromote  VerdictKind = "promote"   // all pass often enough in a row
	VerdictWait     VerdictKind = "wait"      // not yet
	VerdictHold     VerdictKind = "hold"      // the cause lies outside the change
	VerdictFail     VerdictKind = "fail"      // before the change had passed
	VerdictRollBack VerdictKind = "roll_back" // after it had passed
)

// Verdict is a conclusion with what it rests on.
type Verdict struct {
	Kind   VerdictKind
	Reason string
	Checks []Check // that led to it
}

// Question is what a verdict is asked about.
type Question struct {
	Checks []Check
	Began  time.Time // of this checkup
	Now    time.Time
	// Passed says that the change had passed its gate: from then on a failing
	// check is a reason to roll back.
	Passed bool
	// OldUnhealthy names what of the old version, or of what both versions stand
	// on, fails too; "" when nothing does.
	OldUnhealthy string
}

// Judge concludes from the checks of one component. Unknown never fails: it
// waits. So does a component without any check: nobody says that it is well.
func Judge(q Question) Verdict {
	var failing, waiting []Check
	environment := q.OldUnhealthy
	for _, check := range q.Checks {
		switch {
		case check.Failing(q.Began, q.Now):
			failing = append(failing, check)
			if check.Environment && environment == "" {
				environment = check.Message
			}
		case !check.Passing():
			waiting = append(waiting, check)
		}
	}
	switch {
	case len(failing) > 0 && environment != "":
		return Verdict{Kind: VerdictHold, Reason: "environment: " + environment, Checks: failing}
	case len(failing) > 0 && q.Passed:
		return Verdict{Kind: VerdictRollBack, Reason: describe(failing), Checks: failing}
	case len(failing) > 0:
		return Verdict{Kind: VerdictFail, Reason: describe(failing), Checks: failing}
	case len(q.Checks) == 0:
		return Verdict{Kind: VerdictWait, Reason: "no check says how it is"}
	case len(waiting) > 0:
		return Verdict{Kind: VerdictWait, Reason: describe(waiting), Checks: waiting}
	default:
		return Verdict{Kind: VerdictPromote, Reason: fmt.Sprintf("%d of %d checks pass", len(q.Checks), len(q.Checks)), Checks: q.Checks}
	}
}

// describe says in one line where the checks stand.
func describe(checks []Check) string {
	parts := make([]string, 0, len(checks))
	for _, c := range checks {
		status := string(c.Status)
		if status == "" {
			status = string(Unknown)
		}
		switch {
		case c.Failures > 1 && c.Status == Unknown:
			status = fmt.Sprintf("unknown after %d failures in a row", c.Failures)
		case c.Failures > 1:
			status = fmt.Sprintf("failed %d times in a row", c.Failures)
		}
		text := fmt.Sprintf("check %s %s", c.Name, status)
		if c.Message != "" {
			text += ": " + c.Message
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// BakeObserved returns how much of the time since the last look counts for the
// bake window: all of it when it is no longer than three of the longest check
// interval, else nothing, since nobody looked.
func BakeObserved(since, interval time.Duration) time.Duration {
	if since <= 0 || since > 3*interval {
		return 0
	}
	return since
}
