package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// recordQuiet is how old the record of what runs may get while its checks are
// asked and nothing but counts changes. An active run has its heartbeat.
const recordQuiet = time.Minute

// transcriptLength is how many observations a checkup keeps for evidence.
const transcriptLength = 100

// checkup asks the health questions of one component over and over: the host's
// own checks, each by its interval, and the plugin's Probe by the platform's.
// It writes what it hears into the component; what follows from it is decided
// by those who started it.
type checkup struct {
	o         *owner
	d         *deployment.Deployment
	component string
	platform  string
	target    sdk.Target
	handle    deployment.Handle // with one, an unfinished operation's candidate is judged
	checks    []deployment.CheckDefinition
	addresses map[string]string
	interval  time.Duration // of Probe
	// passed: it had passed its gate before, so that failing counts at once.
	passed bool
	// goesOn: it takes over from a checkup of the same addresses, so that rows of
	// passes go on where nobody looked away for long.
	goesOn bool
	// probed is told what Probe saw beside the checks; may be nil.
	probed func(sdk.ProbeResult)

	began   time.Time
	news    chan struct{} // one observation or more since the last receive
	running sync.WaitGroup
	stop    context.CancelFunc

	mu         sync.Mutex
	transcript []deployment.CheckRecord
	fromProbe  map[string]bool
	probedOnce bool // the plugin has answered, or could not
}

// start begins to ask. The checks that stood there are asked anew: unless this
// checkup goes on with another's, their rows begin at zero; their status stays
// until there is an answer.
func (k *checkup) start(ctx context.Context) {
	ctx, k.stop = context.WithCancel(ctx)
	k.began = k.o.engine.Now()
	k.news = make(chan struct{}, 1)
	k.fromProbe = map[string]bool{}
	k.o.read(func() { k.reset() })
	for i := range k.checks {
		check := k.checks[i]
		k.running.Add(1)
		go func() {
			defer k.running.Done()
			k.ask(ctx, check)
		}()
	}
	k.running.Add(1)
	go func() {
		defer k.running.Done()
		k.probe(ctx)
	}()
}

// end stops asking and waits.
func (k *checkup) end() {
	k.stop()
	k.running.Wait()
}

// reset prepares the component's checks. Called under the owner's lock.
func (k *checkup) reset() {
	component := k.d.Component(k.component)
	known := component.Checks
	component.Checks = nil
	for _, definition := range k.checks {
		check := deployment.Check{Name: definition.Name, Type: definition.Type, Status: deployment.Unknown}
		for _, before := range known {
			if before.Name == definition.Name {
				check = before
			}
		}
		k.begin(&check, definition.Interval)
		check.NeedPasses, check.NeedFailures, check.Startup = definition.Passes, definition.Failures, definition.Startup
		component.Checks = append(component.Checks, check)
	}
	if !k.goesOn {
		return
	}
	for _, check := range known {
		if !k.defines(check.Name) {
			k.begin(&check, k.interval)
			component.Checks = append(component.Checks, check)
			k.fromProbe[check.Name] = true
		}
	}
}

// begin starts the rows of a check at zero, unless they go on.
func (k *checkup) begin(check *deployment.Check, interval time.Duration) {
	check.Component, check.EverPassed = k.component, k.passed
	if !k.goesOn || deployment.BakeObserved(k.began.Sub(check.At), interval) == 0 {
		check.Passes, check.Failures = 0, 0
	}
}

// ask asks one of the host's own checks by its interval.
func (k *checkup) ask(ctx context.Context, definition deployment.CheckDefinition) {
	for {
		bounded, cancel := context.WithTimeout(ctx, definition.Timeout+definition.Timeout/2)
		seen := k.o.engine.Checker.Look(bounded, definition, k.addresses)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if seen.At.IsZero() {
			seen.At = k.o.engine.Now().UTC()
		}
		k.hear(deployment.Check{
			Name: definition.Name, Type: definition.Type,
			NeedPasses: definition.Passes, NeedFailures: definition.Failures, Startup: definition.Startup,
		}, seen)
		if !sleep(ctx, max(definition.Interval, time.Millisecond)) {
			return
		}
	}
}

// hear folds an observation into the component's check. A change of status is
// a row; the first answer, also one that nobody could look, is recorded, and what
// else is heard now and then, so that the record shows how the check stands.
func (k *checkup) hear(like deployment.Check, seen deployment.Observation) {
	k.mu.Lock()
	k.transcript = append(k.transcript, deployment.CheckRecord{Check: like.Name, Observation: seen})
	if len(k.transcript) > transcriptLength {
		k.transcript = k.transcript[len(k.transcript)-transcriptLength:]
	}
	k.mu.Unlock()
	defer k.tell()

	var changed bool
	k.o.read(func() {
		check := k.find(like)
		trial := *check
		if changed = trial.Observe(seen) || check.At.IsZero() || k.stale(); !changed {
			*check = trial
		}
	})
	if !changed {
		return
	}
	_ = k.o.commit(k.d, func(c *change) { // an error has stopped the owner
		check := k.find(like)
		from := check.Status
		check.Observe(seen)
		if from == check.Status {
			return
		}
		c.event(deployment.EventCheckStatus, deployment.CheckPayload{
			Component: k.component, Name: check.Name, Type: check.Type,
			From: from, Status: check.Status, Message: check.Message, Latency: check.Latency,
		})
	})
}

// stale says whether the record of a deployment at rest is due. Called under the
// owner's lock.
func (k *checkup) stale() bool {
	r := k.d.Run()
	return r != nil && !r.Open() && k.o.engine.Now().Sub(k.d.UpdatedAt) >= recordQuiet
}

// find returns the component's check of that name, a new one if there is none.
// Called under the owner's lock.
func (k *checkup) find(like deployment.Check) *deployment.Check {
	component := k.d.Component(k.component)
	for i := range component.Checks {
		if component.Checks[i].Name == like.Name {
			return &component.Checks[i]
		}
	}
	like.Component, like.Status, like.EverPassed = k.component, deployment.Unknown, k.passed
	component.Checks = append(component.Checks, like)
	if !k.defines(like.Name) {
		k.mu.Lock()
		k.fromProbe[like.Name] = true
		k.mu.Unlock()
	}
	return &component.Checks[len(component.Checks)-1]
}

// defines says whether the host asks that check itself.
func (k *checkup) defines(name string) bool {
	for _, check := range k.checks {
		if check.Name == name {
			return true
		}
	}
	return false
}

// tell says that there is news.
func (k *checkup) tell() {
	select {
	case k.news <- struct{}{}:
	default:
	}
}

// judge asks for the verdict on what was heard so far. Nothing is good before
// the plugin was asked too.
func (k *checkup) judge(oldUnhealthy string) deployment.Verdict {
	k.mu.Lock()
	probed := k.probedOnce
	k.mu.Unlock()
	var checks []deployment.Check
	k.o.read(func() { checks = append(checks, k.d.Component(k.component).Checks...) })
	verdict := deployment.Judge(deployment.Question{
		Checks: checks, Began: k.began, Now: k.o.engine.Now(),
		Passed: k.passed, OldUnhealthy: oldUnhealthy,
	})
	if verdict.Kind == deployment.VerdictPromote && !probed {
		return deployment.Verdict{Kind: deployment.VerdictWait, Reason: "the plugin has not looked yet"}
	}
	return verdict
}

// lookedAt says whether any question was answered at all.
func (k *checkup) lookedAt() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.transcript) > 0 || k.probedOnce
}

// lastLook is when the check that was asked longest ago was asked.
func (k *checkup) lastLook() time.Time {
	last := k.o.engine.Now()
	k.o.read(func() {
		for _, check := range k.d.Component(k.component).Checks {
			if check.At.Before(last) {
				last = check.At
			}
		}
	})
	return last
}

// records returns the transcript, oldest first.
func (k *checkup) records() []deployment.CheckRecord {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := append([]deployment.CheckRecord(nil), k.transcript...)
	// A question counts from when it was asked; its answer may have come later
	// than that of one asked after it.
	slices.SortStableFunc(all, func(a, b deployment.CheckRecord) int { return a.At.Compare(b.At) })
	return all
}
