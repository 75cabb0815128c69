package v1

import "time"

// Plan is what an operation would do. `--plan` takes it back as a file.
type Plan struct {
	Kind             string          `json:"kind" enum:"deploy,rollback,remove"`
	DeploymentID     string          `json:"deployment_id,omitempty"`
	Name             string          `json:"name"`
	Environment      string          `json:"environment"`
	From             string          `json:"from,omitempty"`
	To               string          `json:"to,omitempty"`
	MadeAt           time.Time       `json:"made_at"`
	Order            [][]string      `json:"order" doc:"Components side by side, one wave after another."`
	Components       []PlanComponent `json:"components"`
	ExpectedSeconds  float64         `json:"expected_seconds" doc:"Of the whole run, from history or known waits."`
	ExpectedDowntime float64         `json:"expected_downtime_seconds"`
	NotRestored      []string        `json:"not_restored"`
	// Planned goes back into the request that carries the plan out.
	Planned Planned `json:"planned"`
	// Request of a start, so that the plan file is enough.
	Request *StartRequest `json:"request,omitempty"`
	// TargetVersion of a rollback.
	TargetVersion string `json:"target_version,omitempty"`
}

// PlanComponent is the part of one component.
type PlanComponent struct {
	Component   string     `json:"component"`
	Platform    string     `json:"platform"`
	Action      string     `json:"action" enum:"deploy,restore,remove,none"`
	Unchanged   bool       `json:"unchanged,omitempty"`
	Steps       []PlanStep `json:"steps"`
	NotRestored []string   `json:"not_restored,omitempty"`
	Warnings    []string   `json:"warnings,omitempty"`
}

// PlanStep is one change.
type PlanStep struct {
	Resource string `json:"resource"`
	Action   string `json:"action"`
	Summary  string `json:"summary"`
	Diff     string `json:"diff,omitempty"`
	Command  string `json:"command,omitempty" doc:"What a person would type to do the same."`
}

// Planned is what a plan was made from.
type Planned struct {
	Components []PlannedComponent `json:"components"`
}

// PlannedComponent is one component of it.
type PlannedComponent struct {
	Component      string `json:"component"`
	ObservedDigest string `json:"observed_digest"`
	ReleaseDigest  string `json:"release_digest,omitempty"`
	SnapshotDigest string `json:"snapshot_digest,omitempty"`
}
