package deployment

import "time"

// Plan is what an operation would do, and what it was made from.
type Plan struct {
	Kind          RunKind         `json:"kind"`
	DeploymentID  string          `json:"deployment_id,omitempty"` // of a rollback
	Target        Target          `json:"target"`
	From          string          `json:"from,omitempty"`
	To            string          `json:"to,omitempty"`
	TargetVersion string          `json:"target_version,omitempty"`
	MadeAt        time.Time       `json:"made_at"`
	Order         [][]string      `json:"order"` // components side by side, one wave after another
	Components    []PlanComponent `json:"components"`
	Expected      time.Duration   `json:"expected"`
	Downtime      time.Duration   `json:"downtime"`
	NotRestored   []string        `json:"not_restored,omitempty"`
	Planned       Planned         `json:"planned"`
	Request       *Request        `json:"request,omitempty"` // of a start
}

// PlanComponent is the part of one component.
type PlanComponent struct {
	Component   string     `json:"component"`
	Platform    string     `json:"platform"`
	Action      Action     `json:"action"`
	Unchanged   bool       `json:"unchanged,omitempty"`
	Steps       []PlanStep `json:"steps,omitempty"`
	NotRestored []string   `json:"not_restored,omitempty"`
	Warnings    []string   `json:"warnings,omitempty"`
}

// PlanStep is one change.
type PlanStep struct {
	Resource string `json:"resource"`
	Action   string `json:"action"`
	Summary  string `json:"summary"`
	Diff     string `json:"diff,omitempty"`
	Command  string `json:"command,omitempty"`
}

// LogQuery selects log lines of a deployment's components.
type LogQuery struct {
	Component string // "" for all
	Resource  string // id; "" for all
	Since     time.Time
	Tail      int // 0: all that there is
	Follow    bool
	Previous  bool
}

// RollbackWish is what a person asks of a rollback.
type RollbackWish struct {
	Reason        string
	TargetVersion string   // "": each component's `before`
	Planned       *Planned // nil without --plan
	Key           *IdempotencyKey
}
