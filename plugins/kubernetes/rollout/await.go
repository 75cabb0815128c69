package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/judge"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// lag is how long a watch may tell of an older state than the one that was asked for,
// before the object itself is asked.
const lag = 3 * time.Second

// await follows what was asked for until it is done, has failed, or was changed by
// somebody else.
func (a *act) await(ctx context.Context) (*sdk.Outcome, error) {
	if len(a.notes.Workloads) == 0 {
		return a.whole(ctx, &sdk.Outcome{Result: sdk.ResultSucceeded, Message: fmt.Sprintf("%d objects are as asked for", len(a.notes.Keys))})
	}
	following, err := a.follower.Follow(a.notes.subject())
	if err != nil {
		return nil, err
	}
	defer following.Close()
	said, freed, since := "", map[string]bool{}, time.Now()
	for {
		if err := a.wanted(ctx); err != nil {
			return nil, err
		}
		pic, err := following.Picture(ctx)
		if err != nil {
			return nil, err
		}
		shown, outcome, err := a.compare(ctx, pic, time.Since(since) > lag)
		if outcome != nil || err != nil {
			return outcome, err
		}
		again := time.Time{}
		if !shown && len(pic.Blind) > 0 {
			a.work.Show(sdk.State{Phase: sdk.PhaseProgressing, Message: "could not look: " + pic.Blind[0]})
		}
		if shown {
			j := judge.Judge(pic, a.options.Policy)
			a.work.Show(j.State())
			if j.Verdict.Message != said && len(pic.Blind) == 0 {
				said = j.Verdict.Message
				a.work.Printf("%s", said)
			}
			outcome := conclude(j)
			if outcome != nil && outcome.Result == sdk.ResultSucceeded {
				outcome, err = a.whole(ctx, outcome)
				if err != nil {
					return nil, err
				}
			}
			if outcome != nil {
				return outcome, nil
			}
			if err := a.free(ctx, pic, freed); err != nil {
				return nil, err
			}
			if outcome := a.late(j); outcome != nil {
				return outcome, nil
			}
			again = j.Verdict.Again
		}
		if err := a.pause(ctx, following, again); err != nil {
			return nil, err
		}
	}
}

// pause waits for something to look at.
func (a *act) pause(ctx context.Context, following *follow.Following, again time.Time) error {
	while := a.options.Interval
	if !again.IsZero() {
		while = max(10*time.Millisecond, min(while, time.Until(again)))
	}
	timer := time.NewTimer(while)
	defer timer.Stop()
	select {
	case <-following.Changed():
	case <-a.work.Woken():
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// conclude makes the outcome of a verdict; nil while it goes on.
func conclude(j judge.Judgement) *sdk.Outcome {
	switch v := j.Verdict; v.Kind {
	case judge.Done:
		return &sdk.Outcome{Result: sdk.ResultSucceeded, Message: v.Message}
	case judge.Failed, judge.Environment:
		return &sdk.Outcome{Result: sdk.ResultFailed, Message: v.Message, Failure: v.Failure}
	default:
		return nil
	}
}

// late ends an operation that has had its time.
func (a *act) late(j judge.Judgement) *sdk.Outcome {
	if a.options.Timeout == 0 || time.Since(a.op.Started) < a.options.Timeout {
		return nil
	}
	message := fmt.Sprintf("not done after %s: %s", a.options.Timeout, j.Verdict.Message)
	failure := j.Verdict.Suspect
	if failure == nil {
		failure = &sdk.Failure{Code: sdk.CodeProgressDeadline, Resource: a.op.Subject, Message: message}
	}
	return &sdk.Outcome{Result: sdk.ResultFailed, Message: message, Failure: failure}
}

// compare says whether a picture shows what was asked for already, and what became of the
// operation if it shows what somebody else asked for.
func (a *act) compare(ctx context.Context, p picture.Picture, patient bool) (shown bool, outcome *sdk.Outcome, err error) {
	seen := map[cluster.Key]int64{}
	for i := range p.Workloads {
		seen[keyOfRef(p.Workloads[i].Ref)] = p.Workloads[i].Generation
	}
	for _, k := range parseKeys(a.notes.Workloads) {
		generation, there := seen[k]
		known, sure := a.known[k]
		switch {
		case there && sure && generation == known:
			continue
		case there && sure && generation < known, !there && len(p.Blind) > 0:
			return false, nil, nil
		case !there && !patient:
			return false, nil, nil
		}
		// Another generation than the one that was asked for, or none, or a fresh process.
		if outcome, err := a.verify(ctx, k); outcome != nil || err != nil {
			return false, outcome, err
		}
		if a.known[k] != generation {
			return false, nil, nil
		}
	}
	return true, nil, nil
}

// verify looks whether an object still is what was asked for.
func (a *act) verify(ctx context.Context, k cluster.Key) (*sdk.Outcome, error) {
	want, applies := a.notes.Digests[k.String()]
	seen, err := a.look(ctx, []cluster.Key{k})
	if err != nil {
		return nil, err
	}
	o := seen.objects[k]
	switch {
	case o == nil:
		return superseded(change{key: k, gone: true}), nil
	case applies && seen.digestOf(o) != want:
		c := changeOf(o)
		if a.meanwhile(c) {
			against, err := a.against(ctx, c, seen.scaled)
			if against || err != nil {
				return superseded(c), err
			}
		}
		a.notes.Digests[k.String()] = seen.digestOf(o) // as a controller completes an object
	}
	a.known[k] = o.GetGeneration()
	return nil, nil
}

// whole looks at all objects once more: what somebody else changed meanwhile is not what
// was deployed.
func (a *act) whole(ctx context.Context, outcome *sdk.Outcome) (*sdk.Outcome, error) {
	seen, err := a.look(ctx, parseKeys(a.notes.Keys))
	if err != nil {
		return nil, err
	}
	for _, c := range seen.changes(a.notes.Digests) {
		against := c.gone
		if a.meanwhile(c) {
			if against, err = a.against(ctx, c, seen.scaled); err != nil {
				return nil, err
			}
		}
		if against {
			return superseded(c), nil
		}
	}
	return outcome, nil
}

// meanwhile says whether somebody made a change since the operation began. Times of field
// managers are whole seconds.
func (a *act) meanwhile(c change) bool {
	return c.by != "" && c.at.After(a.op.Started.Add(-time.Second))
}

// against says whether a change is about what the release asks for. Who adds fields of his
// own, such as a label or an injected certificate, supersedes nothing: the cluster itself
// says whether there is anything left to apply.
func (a *act) against(ctx context.Context, c change, scaled cluster.Autoscaled) (bool, error) {
	o := a.asked[c.key]
	if o == nil {
		return true, nil
	}
	done, err := a.cluster.Apply(ctx, o, cluster.ApplyOptions{Stamp: &a.stamp, Autoscaled: scaled, DryRun: true})
	switch {
	case len(cluster.ConflictsOf(err)) > 0:
		return true, nil
	case err != nil:
		return false, err
	default:
		return done.Changed(), nil
	}
}

func superseded(c change) *sdk.Outcome {
	by := c.by
	if by == "" {
		by = "unknown"
	}
	return &sdk.Outcome{Result: sdk.ResultSuperseded, SupersededBy: by, Message: c.String() + " meanwhile"}
}
