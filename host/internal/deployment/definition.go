package deployment

import (
	"encoding/json"
	"time"
)

// Request is what a person asked for: the body of POST /api/v1/deployments.
type Request struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	Platform    string `json:"platform,omitempty"`
	Environment string `json:"environment,omitempty"`
	// Configuration overrides the spec: of the only component, or keyed by
	// component where there are several.
	Configuration json.RawMessage `json:"configuration,omitempty"`
	// HealthChecks and Policy are the JSON form of the blocks.
	HealthChecks json.RawMessage `json:"health_checks,omitempty"`
	Policy       json.RawMessage `json:"policy,omitempty"`
	Reason       string          `json:"reason,omitempty"`
}

// Definition is what a deployment is to do: complete, evaluated and frozen when
// it is accepted. Later steps use nothing else.
type Definition struct {
	Application string                `json:"application"`
	Environment string                `json:"environment"`
	Version     string                `json:"version"`
	Policy      Policy                `json:"policy"`
	Components  []ComponentDefinition `json:"components"` // as written
	Source      Source                `json:"source"`
}

// Source is what a definition was read from, so that the application is known
// the next time by its name alone.
type Source struct {
	File    string `json:"file,omitempty"`    // path of the application file; "" when the request itself was the application
	Content []byte `json:"content,omitempty"` // of the file
	// Request that was merged into it; of a request-born application all there is.
	Request Request `json:"request"`
}

// ComponentDefinition is one component of a definition.
type ComponentDefinition struct {
	Name      string          `json:"name"`
	Platform  string          `json:"platform"`
	DependsOn []string        `json:"depends_on,omitempty"`
	Spec      json.RawMessage `json:"spec"` // complete and typed by the plugin's schema
	// Sensitive are the keys of Spec that nobody may see, such as "env" or
	// "port.*.token", by the schema as it was when the spec was accepted.
	Sensitive []string          `json:"sensitive,omitempty"`
	Checks    []CheckDefinition `json:"checks,omitempty"`
	Promotion Promotion         `json:"promotion"`
	Monitor   Monitor           `json:"monitor"`
}

// Promotion is how traffic moves to a candidate.
type Promotion struct {
	Steps []int         `json:"steps"` // percent, rising, the last is 100; default [100]
	Pause time.Duration `json:"pause"` // between steps; default 0
}

// Monitor is how a platform is watched.
type Monitor struct {
	Interval time.Duration `json:"interval"` // between probes; default 10 s
	Timeout  time.Duration `json:"timeout"`  // of one operation with its checks; default 30 min
}

// Policy is how a deployment is run.
type Policy struct {
	OnFailure     OnFailure     `json:"on_failure"`     // default rollback
	Concurrent    Concurrent    `json:"concurrent"`     // default queue
	Bake          time.Duration `json:"bake"`           // observed passing time before completed; default 60 s
	RequireReason bool          `json:"require_reason"` // a rollback without reason is refused
	Timeouts      Timeouts      `json:"timeouts"`
}

// OnFailure is what follows a failure.
type OnFailure string

// The choices of OnFailure.
const (
	OnFailureRollback OnFailure = "rollback"
	OnFailureLeave    OnFailure = "leave"
)

// Concurrent is what happens to a second deployment of a target.
type Concurrent string

// The choices of Concurrent.
const (
	ConcurrentQueue     Concurrent = "queue"
	ConcurrentRefuse    Concurrent = "refuse"
	ConcurrentSupersede Concurrent = "supersede"
)

// Timeouts bound the stages of a run. Bake and waiting for people do not count.
type Timeouts struct {
	Preparing   time.Duration `json:"preparing"`    // default 5 min
	Deploying   time.Duration `json:"deploying"`    // default 30 min
	Verifying   time.Duration `json:"verifying"`    // default 10 min
	RollingBack time.Duration `json:"rolling_back"` // default 15 min
}

// DefaultPolicy is the policy of an application that says nothing.
func DefaultPolicy() Policy {
	return Policy{
		OnFailure:  OnFailureRollback,
		Concurrent: ConcurrentQueue,
		Bake:       60 * time.Second,
		Timeouts: Timeouts{
			Preparing:   5 * time.Minute,
			Deploying:   30 * time.Minute,
			Verifying:   10 * time.Minute,
			RollingBack: 15 * time.Minute,
		},
	}
}

// DefaultMonitor is the monitor of a platform that says nothing.
func DefaultMonitor() Monitor {
	return Monitor{Interval: 10 * time.Second, Timeout: 30 * time.Minute}
}

// DefaultPromotion moves all traffic at once.
func DefaultPromotion() Promotion { return Promotion{Steps: []int{100}} }
