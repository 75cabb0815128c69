package deployment

import (
	"sort"
	"time"
)

// ETABasis says what an estimate rests on.
type ETABasis string

// The bases of an estimate.
const (
	BasisHistory ETABasis = "history" // at least 3 past runs: P50 to P90
	BasisWaits   ETABasis = "waits"   // the run's own known waits: checks, bake, steps
)

// minPast is how many past runs an estimate from history needs.
const minPast = 3

// waitsSlack is how much longer than its known waits a run may take before it is
// overdue, beside half of them: what a platform needs to start things is not
// known beforehand.
const waitsSlack = 30 * time.Second

// ETA is when a run is expected to end. Waiting for people is left out.
type ETA struct {
	Basis    ETABasis  `json:"basis"`
	Earliest time.Time `json:"earliest"`
	Latest   time.Time `json:"latest"`
	Overdue  bool      `json:"overdue,omitempty"` // it takes longer than what the estimate rests on
}

// EstimateETA returns when the last run is expected to end, from at least three
// past runs of the same kind (P50 to P90 by nearest rank) or else from its own
// known waits. It is nil for a run that has ended or not begun.
func EstimateETA(d *Deployment, past []PastRun, now time.Time) *ETA {
	r := d.Run()
	if r == nil || !r.Open() || r.LockedAt.IsZero() {
		return nil
	}
	if len(past) < minPast {
		return fromWaits(d, r, now)
	}
	if eta := fromStages(d, r, past, now); eta != nil {
		return eta
	}
	totals := make([]time.Duration, 0, len(past))
	for _, p := range past {
		totals = append(totals, p.Total)
	}
	began := r.LockedAt.Add(r.Idle)
	eta := &ETA{
		Basis:    BasisHistory,
		Earliest: began.Add(percentile(totals, 50)),
		Latest:   began.Add(percentile(totals, 90)),
	}
	eta.Overdue = eta.Latest.Before(now)
	return eta
}

// fromWaits estimates from what is left of the run's known waits. It is overdue
// when one and a half times all of them, and waitsSlack, are over.
func fromWaits(d *Deployment, r *Run, now time.Time) *ETA {
	left := knownWaits(d, r)
	fresh := *r
	fresh.Steps, fresh.Baked = nil, 0
	if r.Kind == RunRollback {
		fresh.Steps = make([]Step, 0, len(r.Steps))
		for _, s := range r.Steps {
			fresh.Steps = append(fresh.Steps, Step{Component: s.Component, GoalChecks: s.GoalChecks})
		}
	}
	all := knownWaits(d, &fresh)
	limit := r.LockedAt.Add(r.Idle).Add(all + all/2 + waitsSlack)
	return &ETA{
		Basis: BasisWaits, Earliest: now.Add(left), Latest: now.Add(left + left/2),
		Overdue: now.Add(left).After(limit),
	}
}

// fromStages estimates stage by stage: what is left of the present one, and
// those that follow. Within deploying it goes by component, wave by wave, as far
// as each is known. It is nil when the past says nothing about a stage.
func fromStages(d *Deployment, r *Run, past []PastRun, now time.Time) *ETA {
	course := []Status{Preparing, Deploying, Verifying}
	if r.Kind == RunRollback {
		course = []Status{RollingBack}
	}
	present, since := d.openStatus(r), r.LockedAt
	if n := len(r.Stages); n > 0 && r.Stages[n-1].Name == present {
		since = r.Stages[n-1].StartedAt
	}
	eta := &ETA{Basis: BasisHistory, Earliest: now, Latest: now}
	reached := false
	for _, stage := range course {
		reached = reached || stage == present
		if !reached {
			continue
		}
		lengths := lengthsOf(past, func(p PastRun) (time.Duration, bool) {
			length, known := p.Stages[stage]
			return length, known
		})
		if len(lengths) < minPast {
			return nil
		}
		p50, p90 := percentile(lengths, 50), percentile(lengths, 90)
		if stage == present {
			elapsed := now.Sub(since) - r.IdleSince(since)
			eta.Overdue = elapsed > p90
			p50, p90 = max(p50-elapsed, 0), max(p90-elapsed, 0)
			if stage == Deploying {
				p50 = max(p50, componentsLeft(d, r, past, 50, now))
				p90 = max(p90, componentsLeft(d, r, past, 90, now))
			}
		}
		eta.Earliest, eta.Latest = eta.Earliest.Add(p50), eta.Latest.Add(p90)
	}
	if !reached {
		return nil
	}
	return eta
}

// componentsLeft is how long the components still take that have not passed, the
// slowest of each wave counting. One without enough past counts as nothing.
func componentsLeft(d *Deployment, r *Run, past []PastRun, p int, now time.Time) time.Duration {
	waves, err := GraphOf(d.Components).Waves()
	if err != nil {
		return 0
	}
	left := time.Duration(0)
	for _, wave := range waves {
		slowest := time.Duration(0)
		for _, name := range wave {
			s := r.Step(name)
			lengths := lengthsOf(past, func(p PastRun) (time.Duration, bool) {
				length, known := p.Components[name]
				return length, known
			})
			if d.Component(name).Unchanged || len(lengths) < minPast || s != nil && !s.PassedAt.IsZero() {
				continue
			}
			length := percentile(lengths, p)
			if s != nil && !s.StartedAt.IsZero() {
				length -= now.Sub(s.StartedAt) - r.IdleSince(s.StartedAt)
			}
			slowest = max(slowest, length)
		}
		left += slowest
	}
	return left
}

// lengthsOf picks one length of each past run that has it.
func lengthsOf(past []PastRun, pick func(PastRun) (time.Duration, bool)) []time.Duration {
	var lengths []time.Duration
	for _, p := range past {
		if length, known := pick(p); known {
			lengths = append(lengths, length)
		}
	}
	return lengths
}

// percentile returns the p-th percentile by nearest rank.
func percentile(values []time.Duration, p int) time.Duration {
	sort.Slice(values, func(i, j int) bool { return values[i] < values[j] })
	rank := (p*len(values) + 99) / 100
	return values[max(rank, 1)-1]
}

// knownWaits sums what is left of the waits that are known beforehand: the
// passes in a row along the longest chain of components, the pauses between
// traffic steps, and the bake window.
func knownWaits(d *Deployment, r *Run) time.Duration {
	waves, err := GraphOf(d.Components).Waves()
	if r.Kind == RunRollback {
		return knownRestores(r, waves)
	}
	left := d.Definition.Policy.Bake - r.Baked
	if err != nil {
		return max(left, 0)
	}
	for _, wave := range waves {
		longest := time.Duration(0)
		for _, name := range wave {
			c := d.Component(name)
			s := r.Step(name)
			if c.Unchanged || c.Dropped || (s != nil && !s.PassedAt.IsZero()) {
				continue
			}
			pauses := time.Duration(max(len(c.Definition.Promotion.Steps)-1, 0)) * c.Definition.Promotion.Pause
			longest = max(longest, 2*gateTime(c.Definition.Checks)+pauses)
		}
		left += longest
	}
	return max(left, 0)
}

// knownRestores is knownWaits of a rollback, which goes back wave by wave.
func knownRestores(r *Run, waves [][]string) time.Duration {
	left := time.Duration(0)
	for _, wave := range waves {
		longest := time.Duration(0)
		for _, name := range wave {
			if s := r.Step(name); s != nil && s.PassedAt.IsZero() {
				longest = max(longest, gateTime(s.GoalChecks))
			}
		}
		left += longest
	}
	return left
}

// gateTime is how long checks take to pass often enough in a row.
func gateTime(checks []CheckDefinition) time.Duration {
	longest := time.Duration(0)
	for _, c := range checks {
		longest = max(longest, time.Duration(c.Passes)*c.Interval)
	}
	return longest
}
