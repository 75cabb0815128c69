package v1

import (
	"encoding/json"
	"time"
)

// StartRequest is the body of POST /api/v1/deployments.
type StartRequest struct {
	Name          string          `json:"name" doc:"Application. Known from its file, from its last accepted deployment, or defined by this request." example:"my-app"`
	Version       string          `json:"version" doc:"Version to bring to the environment." example:"v2.0.0"`
	Platform      string          `json:"platform,omitempty" doc:"Platform of components that name none. Default: deployment.default_platform of config.hcl." example:"process"`
	Environment   string          `json:"environment,omitempty" doc:"Default: the application's, then deployment.default_environment of config.hcl." example:"production"`
	Configuration json.RawMessage `json:"configuration,omitempty" doc:"Overrides the spec; keyed by component when there are several."`
	HealthChecks  json.RawMessage `json:"health_checks,omitempty" doc:"Checks that the host runs: a list of {type, name, component, ...}."`
	Policy        json.RawMessage `json:"policy,omitempty" doc:"The policy block as JSON."`
	Reason        string          `json:"reason,omitempty" maxLength:"1000" doc:"Why; recorded, in one line."`
	// Planned makes the deployment run only if the plan still holds.
	Planned *Planned `json:"planned,omitempty" doc:"What an approved plan was made from (the member \"planned\" of a plan); refused when the live state moved."`
}

// Deployment is the status body.
type Deployment struct {
	ID              string        `json:"id" example:"550e8400-e29b-41d4-a716-446655440000"`
	Name            string        `json:"name"`
	Version         string        `json:"version"`
	Environment     string        `json:"environment"`
	Platforms       []string      `json:"platforms"`
	Status          string        `json:"status" enum:"pending,preparing,deploying,verifying,completed,failed,cancelled,rolling_back,rolled_back,rollback_failed"`
	Reason          string        `json:"reason" doc:"One line that says why the status is what it is."`
	Current         bool          `json:"current" doc:"Whether this deployment is what runs on the target now."`
	Remove          bool          `json:"remove,omitempty"`
	Run             int           `json:"run" doc:"Number of the run that the progress is about."`
	Progress        Progress      `json:"progress"`
	ETA             *ETA          `json:"eta,omitempty"`
	Waiting         *Waiting      `json:"waiting,omitempty"`
	HealthChecks    []HealthCheck `json:"health_checks"`
	Components      []Component   `json:"components"`
	Stages          []Stage       `json:"stages" doc:"Of all runs, in order."`
	Failure         *Failure      `json:"failure,omitempty"`
	PreviousVersion string        `json:"previous_version,omitempty"`
	Actor           string        `json:"actor"`
	AcceptedAt      time.Time     `json:"accepted_at"`
	UpdatedAt       time.Time     `json:"updated_at"`
	EndedAt         *time.Time    `json:"ended_at,omitempty"`
	Seq             uint64        `json:"seq" doc:"Of the last event."`
}

// Progress of a run.
type Progress struct {
	Percentage   float64 `json:"percentage" example:"66.7"`
	CurrentStep  int     `json:"current_step" example:"2"`
	TotalSteps   int     `json:"total_steps" example:"3"`
	CurrentStage string  `json:"current_stage" example:"Waiting for pods to be ready"`
}

// ETA is when the run is expected to end.
type ETA struct {
	Basis    string    `json:"basis" enum:"history,waits" doc:"history: P50 to P90 of at least 3 past runs; waits: the run's own known waits."`
	Earliest time.Time `json:"earliest"`
	Latest   time.Time `json:"latest"`
	Overdue  bool      `json:"overdue,omitempty"`
}

// Waiting says what a deployment waits for.
type Waiting struct {
	Kind  string    `json:"kind" enum:"lock,plugin,environment"`
	For   string    `json:"for" doc:"The holder's deployment id, the platform, or what is down."`
	Since time.Time `json:"since"`
	// Position in the queue, from 1; 0 when it does not queue.
	Position int `json:"position,omitempty"`
}

// HealthCheck is a check in the words of the product description.
type HealthCheck struct {
	Name      string    `json:"name" example:"pod-abc123-readiness"`
	Type      string    `json:"type" example:"readiness"`
	Status    string    `json:"status" enum:"healthy,degraded,unhealthy,unknown"`
	Message   string    `json:"message" example:"Pod is ready"`
	Component string    `json:"component"`
	LatencyMS float64   `json:"latency_ms,omitempty"`
	Passes    int       `json:"passes"`
	Failures  int       `json:"failures"`
	Since     time.Time `json:"since"`
	CheckedAt time.Time `json:"checked_at"`
}

// Component of a deployment.
type Component struct {
	Name      string            `json:"name"`
	Platform  string            `json:"platform"`
	DependsOn []string          `json:"depends_on,omitempty"`
	Status    string            `json:"status"`
	Reason    string            `json:"reason,omitempty"`
	Revision  string            `json:"revision,omitempty"`
	Traffic   *int              `json:"traffic_percent,omitempty" doc:"Share of the traffic that the candidate gets, while there is one."`
	Addresses map[string]string `json:"addresses,omitempty"`
	Resources []Resource        `json:"resources"`
	Checks    []HealthCheck     `json:"checks"`
	Dropped   bool              `json:"dropped,omitempty"`
}

// Resource of a component.
type Resource struct {
	ID       string `json:"id"`
	ParentID string `json:"parent_id,omitempty"`
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Revision string `json:"revision,omitempty"`
	Health   string `json:"health" enum:"pending,ready,degraded,failed,gone"`
	Desired  uint32 `json:"desired,omitempty"`
	Ready    uint32 `json:"ready,omitempty"`
	Restarts uint32 `json:"restarts"`
	Reason   string `json:"reason,omitempty"`
	Message  string `json:"message,omitempty"`
}

// Failure is what ended the good course.
type Failure struct {
	Code       string `json:"code"`
	Component  string `json:"component,omitempty"`
	Resource   string `json:"resource,omitempty"`
	Message    string `json:"message"`
	Suggestion string `json:"suggestion,omitempty"`
	EvidenceID string `json:"evidence_id,omitempty"`
}

// Stage is a stretch of a run.
type Stage struct {
	Run       int        `json:"run"`
	Name      string     `json:"name"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
}

// DeploymentList is a page, newest first.
type DeploymentList struct {
	Deployments []Deployment `json:"deployments"`
	Next        string       `json:"next,omitempty" doc:"Cursor of the next page; absent on the last."`
}

// RollbackRequest is the body of POST /api/v1/deployments/{id}/rollback.
type RollbackRequest struct {
	Reason        string   `json:"reason,omitempty" maxLength:"1000" example:"Application errors detected" doc:"Why; recorded, in one line."`
	TargetVersion string   `json:"target_version,omitempty" maxLength:"128" example:"v1.9.0" doc:"Default: what ran before this deployment."`
	DryRun        bool     `json:"dry_run,omitempty" doc:"Answer the plan and change nothing."`
	Planned       *Planned `json:"planned,omitempty"`
}

// CancelRequest is the body of POST /api/v1/deployments/{id}/cancel.
type CancelRequest struct {
	Reason string `json:"reason,omitempty" maxLength:"1000" doc:"Why; recorded, in one line."`
}

// RemoveRequest is the body of DELETE /api/v1/targets/{application}/{environment}.
type RemoveRequest struct {
	Reason  string   `json:"reason,omitempty" maxLength:"1000" doc:"Why; recorded, in one line."`
	Planned *Planned `json:"planned,omitempty"`
}
