package judge

import "github.com/apm-deploy/apm/sdk"

// most is the fraction of what is not done yet.
const most = 0.99

// progress is the mean of the workloads' own.
func (c *court) progress(v Verdict) Progress {
	if v.Kind == Done {
		return Progress{Fraction: 1, Phase: sdk.PhaseStabilizing, Message: v.Message}
	}
	p := Progress{Phase: sdk.PhasePending, Message: v.Message}
	if v.Kind == Environment {
		p.Message = "held up by the environment: " + v.Message
	}
	settled := len(c.cases) > 0
	for _, l := range c.cases {
		fraction := l.goal.fraction()
		p.Fraction += fraction / float64(len(c.cases))
		settled = settled && (l.goal.complete || l.goal.counted && l.goal.observed && l.goal.updated >= l.goal.desired && l.goal.ready >= l.goal.desired)
		if l.goal.observed && (fraction > 0 || l.goal.old > 0) {
			p.Phase = sdk.PhaseProgressing
		}
	}
	if settled {
		p.Phase = sdk.PhaseStabilizing
	}
	p.Fraction = min(p.Fraction, most)
	return p
}

// fraction is how far one workload is, 0..1: a third each for pods that are of the newest
// revision, ready, and ready for long enough with the old ones gone.
func (g goal) fraction() float64 {
	switch {
	case g.complete:
		return 1
	case !g.observed || !g.counted:
		return 0
	case g.desired <= 0:
		return most
	}
	part := func(n int) float64 { return float64(min(max(n, 0), g.desired)) / float64(g.desired) }
	return min(most, (part(min(g.updated, g.desired))+part(g.ready)+part(min(g.free, g.ready-g.old)))/3)
}
