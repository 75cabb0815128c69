package judge

import (
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// Judgement is all that is said about a picture.
type Judgement struct {
	Verdict   Verdict
	Progress  Progress
	Resources []sdk.Resource // a tree by ParentID, parents first; see ID and ContainerID
	Checks    []sdk.Check    // names stay the same from revision to revision
}

// State is the judgement as Watch sends it.
func (j Judgement) State() sdk.State {
	return sdk.State{
		Phase: j.Progress.Phase, Message: j.Progress.Message, Fraction: j.Progress.Fraction,
		Resources: j.Resources,
	}
}

// Progress is how far a rollout is.
type Progress struct {
	Fraction float64 // 0..1, 1 only when done
	Phase    sdk.Phase
	Message  string // one line: counts, and what is waited for
}

// Kind is what a verdict is.
type Kind int

// The kinds of verdict.
const (
	GoingOn     Kind = iota // nothing speaks against it yet
	Done                    // what was asked for runs
	Failed                  // it cannot succeed by itself
	Environment             // something outside the change keeps it from succeeding
)

// String is the kind in words.
func (k Kind) String() string {
	switch k {
	case GoingOn:
		return "going on"
	case Done:
		return "done"
	case Failed:
		return "failed"
	case Environment:
		return "environment"
	default:
		return "unknown"
	}
}

// Verdict is what is concluded.
type Verdict struct {
	Kind    Kind
	Message string // one line: why
	// Failure is set when Failed, and when Environment, then with Failure.Environment.
	Failure *sdk.Failure
	// Suspect is what stands in the way of what still goes on, if something is known to:
	// the reason to give when the time is over.
	Suspect *sdk.Failure
	// Again is when the same facts are to be judged once more; zero: only other facts
	// change the verdict.
	Again time.Time
}

// Judge says what a picture means. Workloads that are not in it are not judged: whoever
// expects one must see that it is there.
func Judge(p picture.Picture, policy Policy) Judgement {
	c := look(p, policy.withDefaults())
	verdict := c.verdict()
	return Judgement{
		Verdict:   verdict,
		Progress:  c.progress(verdict),
		Resources: c.resources(),
		Checks:    c.checks(),
	}
}

// A court is a picture with what was found in it.
type court struct {
	picture.Picture
	policy   Policy
	nodes    map[string]picture.Node
	cases    []*lawsuit
	services []finding // of Services that do not reach what is ready
}

// A lawsuit is one workload with what was found about it.
type lawsuit struct {
	*picture.Workload
	id       string
	goal     goal
	findings []finding
	again    time.Time // when a look at the same facts may see it complete
}

func look(p picture.Picture, policy Policy) *court {
	c := &court{Picture: p, policy: policy, nodes: make(map[string]picture.Node, len(p.Nodes))}
	for _, n := range p.Nodes {
		c.nodes[n.Name] = n
	}
	for i := range p.Workloads {
		w := &p.Workloads[i]
		l := &lawsuit{Workload: w, id: ID(w.Ref)}
		l.goal = c.reach(l)
		if !l.goal.complete && !l.goal.settling && l.goal.observed {
			l.findings = c.find(l)
		}
		c.cases = append(c.cases, l)
	}
	c.services = c.unserved()
	return c
}
