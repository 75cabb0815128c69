package judge

import (
	"fmt"
	"strings"
	"time"
)

// verdict concludes from what was found.
func (c *court) verdict() Verdict {
	var found []finding
	done, again := len(c.cases) > 0, time.Time{}
	for _, l := range c.cases {
		found = append(found, l.findings...)
		done = done && l.goal.complete
		again = sooner(again, l.again, c.At)
	}
	if done {
		found = append(found, c.services...)
	}
	cause := worst(found, c.At)
	switch {
	case cause == nil && done:
		return Verdict{Kind: Done, Message: c.summary()}
	case cause == nil:
		return Verdict{Kind: GoingOn, Message: c.summary(), Again: again}
	case cause.due(c.At) && cause.environment:
		return Verdict{Kind: Environment, Message: cause.what, Failure: cause.failure(), Again: c.next(found)}
	case cause.due(c.At):
		return Verdict{Kind: Failed, Message: cause.what, Failure: cause.failure()}
	default:
		return Verdict{
			Kind: GoingOn, Message: c.summary() + "; " + cause.what, Suspect: cause.failure(),
			Again: sooner(again, c.next(found), c.At),
		}
	}
}

// next is when the next finding becomes a verdict.
func (c *court) next(found []finding) time.Time {
	var at time.Time
	for i := range found {
		if found[i].sure {
			at = sooner(at, found[i].since, c.At)
		}
	}
	return at
}

// sooner is the earlier of two moments that are still to come.
func sooner(a, b, now time.Time) time.Time {
	if b.IsZero() || !b.After(now) || !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}

// summary is where the workloads are, in one line: the first that is not complete.
func (c *court) summary() string {
	if len(c.cases) == 0 {
		return c.unseen("nothing of it is there")
	}
	for _, l := range c.cases {
		if !l.goal.complete {
			text := l.id + ": " + l.goal.why
			if l.goal.counted && l.goal.observed {
				text = fmt.Sprintf("%s (%s)", text, l.goal.counts())
			}
			return c.unseen(text)
		}
	}
	parts := make([]string, 0, len(c.cases))
	for _, l := range c.cases {
		parts = append(parts, l.id+": "+l.goal.why)
	}
	return strings.Join(parts, "; ")
}

// unseen adds what could not be looked at: it may be why something is not seen.
func (c *court) unseen(text string) string {
	if len(c.Blind) == 0 {
		return text
	}
	return text + "; could not look: " + strings.Join(c.Blind, ", ")
}

// counts are those of a rolling update.
func (g goal) counts() string {
	text := fmt.Sprintf("%d updated, %d ready, %d available of %d", g.updated, g.ready, g.free, g.desired)
	if g.old > 0 {
		text += fmt.Sprintf(", %d old", g.old)
	}
	return text
}

// reasonFor is the finding about one pod, or one of its containers.
func reasonFor(found []finding, now time.Time, keep func(finding) bool) *finding {
	return worst(only(found, keep), now)
}
