package deployment

import "time"

// RunKind is what a run does.
type RunKind string

// The kinds of run.
const (
	RunDeploy   RunKind = "deploy"
	RunRollback RunKind = "rollback"
	RunRemove   RunKind = "remove"
)

// Trigger is who or what began a run.
type Trigger string

// The triggers.
const (
	TriggerUser   Trigger = "user"
	TriggerPolicy Trigger = "policy"
)

// Run is one pass of a deployment: the deploy, or one of its rollbacks.
type Run struct {
	Number  int     `json:"number"` // from 1
	Kind    RunKind `json:"kind"`
	Trigger Trigger `json:"trigger"`
	Actor   Actor   `json:"actor"`
	// Reason that the person gave, or the policy's; "" was not given.
	Reason string `json:"reason,omitempty"`
	From   string `json:"from,omitempty"` // version that ran
	To     string `json:"to,omitempty"`   // version to run; "" for nothing
	// TargetVersion that was asked for, and the completed deployment whose
	// `after` is the goal. Empty: the goal is each component's `before`.
	TargetVersion string `json:"target_version,omitempty"`
	Goal          string `json:"goal,omitempty"`
	// Planned is what an approved plan was made from; nil without --plan.
	Planned *Planned `json:"planned,omitempty"`

	RequestedAt time.Time `json:"requested_at"`
	LockedAt    time.Time `json:"locked_at,omitzero"`
	PreparedAt  time.Time `json:"prepared_at,omitzero"`
	DeployedAt  time.Time `json:"deployed_at,omitzero"` // every component settled and passed
	EndedAt     time.Time `json:"ended_at,omitzero"`

	// Result is the status the run ended with, "" while it goes on. A rollback
	// that was refused when its turn came ends with the status before it.
	Result Status `json:"result,omitempty"`
	// Why is the reason line that the run ended with.
	Why string `json:"why,omitempty"`

	Failure *Failure `json:"failure,omitempty"` // what ended the good course
	Cancel  *Cancel  `json:"cancel,omitempty"`
	Stages  []Stage  `json:"stages,omitempty"`

	// Baked is how much of the bake window was observed and passing.
	Baked time.Duration `json:"baked,omitempty"`
	// Idle is time in which nobody looked (host down, waiting for a plugin that
	// was restarted): it counts for no deadline.
	Idle time.Duration `json:"idle,omitempty"`
	// Gaps are the stretches that Idle is the sum of.
	Gaps []Gap `json:"gaps,omitempty"`
	// Percentage is the highest that was shown.
	Percentage float64 `json:"percentage,omitempty"`

	Steps []Step `json:"steps"` // one for each component
}

// Gap is a stretch in which nobody looked.
type Gap struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// IdleSince is how much of the time since then nobody looked.
func (r *Run) IdleSince(then time.Time) (idle time.Duration) {
	for _, gap := range r.Gaps {
		from := gap.From
		if from.Before(then) {
			from = then
		}
		idle += max(gap.To.Sub(from), 0)
	}
	return idle
}

// Stage is a stretch of a run, for timelines.
type Stage struct {
	Name      Status    `json:"name"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
}

// Cancel is a person's wish to stop.
type Cancel struct {
	Actor  Actor     `json:"actor"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// Why is the reason line of what was cancelled.
func (c *Cancel) Why() string {
	why := "cancelled by " + c.Actor.String()
	if c.Reason != "" {
		why += ": " + c.Reason
	}
	return why
}

// Failure says what ended the good course of a run or a component.
type Failure struct {
	Code        string `json:"code"` // shared codes of the plugin contract, and the Code* below
	Component   string `json:"component,omitempty"`
	Resource    string `json:"resource,omitempty"`
	Message     string `json:"message"`
	Suggestion  string `json:"suggestion,omitempty"`
	Environment bool   `json:"environment,omitempty"`
	// Keep: nothing is undone, whatever the policy says (superseded, unknown).
	Keep     bool   `json:"keep,omitempty"`
	Evidence string `json:"evidence,omitempty"` // key
}

// Codes of failures that the host itself concludes.
const (
	CodeCheckFailed   = "CHECK_FAILED"
	CodeDeadline      = "DEADLINE"
	CodeUnknown       = "UNKNOWN"
	CodeSuperseded    = "SUPERSEDED"
	CodePlanOutOfDate = "PLAN_OUT_OF_DATE"
	CodePluginError   = "PLUGIN_ERROR"
	CodePluginDown    = "PLUGIN_DOWN"
	CodePluginBug     = "PLUGIN_BUG" // it answered that it broke down
	CodeCancelled     = "CANCELLED"
)

// Action is what a run does to a component.
type Action string

// The actions.
const (
	ActionDeploy  Action = "deploy"
	ActionRestore Action = "restore"
	ActionRemove  Action = "remove"
	ActionNone    Action = "none"
)

// Step is what one run does to one component, and how far that is.
type Step struct {
	Component string `json:"component"`
	Action    Action `json:"action"`
	// Goal of a restore: what is brought back, how it is judged, and where it
	// came from.
	Goal        *SnapshotRef      `json:"goal,omitempty"`
	GoalFrom    string            `json:"goal_from,omitempty"`    // deployment
	GoalRelease string            `json:"goal_release,omitempty"` // digest of the release that it was
	GoalChecks  []CheckDefinition `json:"goal_checks,omitempty"`
	GoalSpec    []byte            `json:"goal_spec,omitempty"`

	Operations []Operation `json:"operations,omitempty"` // the last one counts

	StartedAt time.Time `json:"started_at,omitzero"` // first call
	SettledAt time.Time `json:"settled_at,omitzero"` // outcome succeeded
	PassedAt  time.Time `json:"passed_at,omitzero"`  // gate passed
	Failure   *Failure  `json:"failure,omitempty"`
	// Undone: the operation ended with nothing changed (cancelled before
	// Promote(100), or failed with the old release untouched).
	Undone bool `json:"undone,omitempty"`
}

// Operation returns the step's operation that counts, or nil.
func (s *Step) Operation() *Operation {
	if len(s.Operations) == 0 {
		return nil
	}
	return &s.Operations[len(s.Operations)-1]
}

// Step returns the step of a component, or nil.
func (r *Run) Step(component string) *Step {
	for i := range r.Steps {
		if r.Steps[i].Component == component {
			return &r.Steps[i]
		}
	}
	return nil
}

// Open says whether the run has not ended.
func (r *Run) Open() bool { return r.EndedAt.IsZero() }

// Planned is what a plan was made from: the operation of `--plan` runs only if
// all of it still holds.
type Planned struct {
	Components []PlannedComponent `json:"components"`
}

// PlannedComponent is one component of a plan.
type PlannedComponent struct {
	Component      string `json:"component"`
	ObservedDigest string `json:"observed_digest"`
	ReleaseDigest  string `json:"release_digest,omitempty"`
	SnapshotDigest string `json:"snapshot_digest,omitempty"`
}
