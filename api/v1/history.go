package v1

import "time"

// Run is one pass of a deployment: the deploy, or one of its rollbacks.
type Run struct {
	Number        int        `json:"number"`
	Kind          string     `json:"kind" enum:"deploy,rollback,remove"`
	Trigger       string     `json:"trigger" enum:"user,policy"`
	Actor         string     `json:"actor"`
	Reason        string     `json:"reason" doc:"\"not given\" when nobody gave one."`
	From          string     `json:"from,omitempty"`
	To            string     `json:"to,omitempty"`
	TargetVersion string     `json:"target_version,omitempty"`
	Goal          string     `json:"goal,omitempty" doc:"Deployment whose state is restored."`
	RequestedAt   time.Time  `json:"requested_at"`
	StartedAt     *time.Time `json:"started_at,omitempty"`
	EndedAt       *time.Time `json:"ended_at,omitempty"`
	Result        string     `json:"result,omitempty"`
	Why           string     `json:"why,omitempty"`
	Failure       *Failure   `json:"failure,omitempty"`
	CancelledBy   string     `json:"cancelled_by,omitempty"`
	Stages        []Stage    `json:"stages"`
	Steps         []RunStep  `json:"steps"`
}

// RunStep is what a run did to one component.
type RunStep struct {
	Component  string      `json:"component"`
	Action     string      `json:"action"`
	StartedAt  *time.Time  `json:"started_at,omitempty"`
	SettledAt  *time.Time  `json:"settled_at,omitempty"`
	PassedAt   *time.Time  `json:"passed_at,omitempty"`
	Failure    *Failure    `json:"failure,omitempty"`
	Operations []Operation `json:"operations"`
}

// Operation is one call to a platform.
type Operation struct {
	ID        string     `json:"id"`
	Kind      string     `json:"kind"`
	Staged    bool       `json:"staged,omitempty"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Result    string     `json:"result,omitempty"`
	Message   string     `json:"message,omitempty"`
}

// RunList holds the runs of a deployment, oldest first.
type RunList struct {
	Runs []Run `json:"runs"`
}

// Span is a stretch of a timeline.
type Span struct {
	Run       int        `json:"run"`
	Kind      string     `json:"kind" enum:"run,stage,component,operation,candidate,bake"`
	Name      string     `json:"name"`
	Parent    string     `json:"parent,omitempty"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Result    string     `json:"result,omitempty"`
}

// Timeline is the history of a deployment as spans for drawing.
type Timeline struct {
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Spans     []Span     `json:"spans"`
}

// Content is a release or a snapshot by its redacted view.
type Content struct {
	Component      string            `json:"component"`
	Which          string            `json:"which" enum:"release,before,after"`
	Digest         string            `json:"digest"`
	ObservedDigest string            `json:"observed_digest,omitempty"`
	Revision       string            `json:"revision,omitempty"`
	Empty          bool              `json:"empty,omitempty"`
	TakenAt        *time.Time        `json:"taken_at,omitempty"`
	View           map[string]string `json:"view"`
	// Diff against the deployment or snapshot asked for by ?against=.
	Diff string `json:"diff,omitempty" doc:"Unified diff of the views."`
}

// ContentList holds the releases or the snapshots of a deployment.
type ContentList struct {
	Contents []Content `json:"contents"`
}

// Evidence of a failure. It needs a token.
type Evidence struct {
	ID         string        `json:"id"`
	Run        int           `json:"run"`
	Component  string        `json:"component"`
	Code       string        `json:"code"`
	Resource   string        `json:"resource,omitempty"`
	Message    string        `json:"message"`
	Suggestion string        `json:"suggestion,omitempty"`
	Logs       []LogLine     `json:"logs"`
	Events     []string      `json:"events"`
	Checks     []Observation `json:"checks" doc:"Transcript of the checks, oldest first."`
	Resources  []Resource    `json:"resources"`
	At         time.Time     `json:"at"`
}

// EvidenceList holds all evidence of a deployment, oldest first.
type EvidenceList struct {
	Evidence []Evidence `json:"evidence"`
}

// Observation is one line of a check transcript.
type Observation struct {
	Check     string    `json:"check"`
	Status    string    `json:"status"`
	Message   string    `json:"message,omitempty"`
	LatencyMS float64   `json:"latency_ms,omitempty"`
	At        time.Time `json:"at"`
}

// LogLine is one line of a resource's output. It needs a token.
type LogLine struct {
	Component string    `json:"component,omitempty"`
	Resource  string    `json:"resource,omitempty"`
	Line      string    `json:"line"`
	Previous  bool      `json:"previous,omitempty"`
	Time      time.Time `json:"time"`
	Stream    string    `json:"stream,omitempty"`
}

// LogList holds log lines, oldest first.
type LogList struct {
	Lines []LogLine `json:"lines"`
}

// RollbackCandidate is a version that can be rolled back to.
type RollbackCandidate struct {
	Version      string    `json:"version"`
	DeploymentID string    `json:"deployment_id"`
	CompletedAt  time.Time `json:"completed_at"`
	Default      bool      `json:"default,omitempty" doc:"What a rollback without target_version restores."`
}

// RollbackCandidateList holds them, newest first.
type RollbackCandidateList struct {
	Candidates []RollbackCandidate `json:"candidates"`
}
