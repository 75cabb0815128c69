package deployment

import (
	"strings"
	"time"
)

// CheckDefinition is one health question that the host asks itself. The texts
// may hold ${address} and ${addresses.NAME}, replaced when it is asked.
type CheckDefinition struct {
	Type string `json:"type"` // http, tcp or grpc
	Name string `json:"name"` // unique within its component

	Interval time.Duration `json:"interval"` // default 5 s
	Timeout  time.Duration `json:"timeout"`  // of one question; default 2 s
	Passes   int           `json:"passes"`   // in a row to be healthy; default 2
	Failures int           `json:"failures"` // in a row to be unhealthy; default 3
	// Startup is how long the check may fail before it has passed for the first
	// time; 0 (default): until the operation's deadline.
	Startup time.Duration `json:"startup,omitempty"`

	// Secrets are values that the texts hold and no answer may: those of env().
	Secrets []string `json:"secrets,omitempty"`

	HTTP *HTTPCheck `json:"http,omitempty"`
	TCP  *TCPCheck  `json:"tcp,omitempty"`
	GRPC *GRPCCheck `json:"grpc,omitempty"`
}

// Fixed says that the check asks one and the same place, and not the address that
// the platform reports.
func (c CheckDefinition) Fixed() bool {
	asked := ""
	switch {
	case c.HTTP != nil:
		asked = c.HTTP.URL
	case c.TCP != nil:
		asked = c.TCP.Address
	case c.GRPC != nil:
		asked = c.GRPC.Address
	}
	return !strings.Contains(asked, "${")
}

// HTTPCheck asks by HTTP. Redirects are not followed.
type HTTPCheck struct {
	URL     string            `json:"url"`
	Method  string            `json:"method"`            // default GET
	Headers map[string]string `json:"headers,omitempty"` // sent
	Status  []int             `json:"status"`            // default [200]
	Body    string            `json:"body,omitempty"`    // regular expression (RE2) that the first 64 KiB must match
	Header  map[string]string `json:"header,omitempty"`  // expected in the answer: name → regular expression
	Latency time.Duration     `json:"latency,omitempty"` // slower is degraded; 0: not judged
}

// TCPCheck passes when a connection is accepted.
type TCPCheck struct {
	Address string `json:"address"` // host:port
}

// GRPCCheck asks grpc.health.v1.Health.
type GRPCCheck struct {
	Address string `json:"address"`
	Service string `json:"service,omitempty"`
	TLS     bool   `json:"tls,omitempty"`
}

// Health is the answer of a check.
type Health string

// The answers. Unknown means that nobody could look; it never fails anything.
const (
	Healthy   Health = "healthy"
	Degraded  Health = "degraded"
	Unhealthy Health = "unhealthy"
	Unknown   Health = "unknown"
)

// Observation is one answer to one check at one time.
type Observation struct {
	Status  Health        `json:"status"`
	Message string        `json:"message,omitempty"`
	Latency time.Duration `json:"latency,omitempty"`
	At      time.Time     `json:"at"`
	// Environment: the answer says that the cause lies outside the change.
	Environment bool `json:"environment,omitempty"`
}

// Check is a health question and where it stands.
type Check struct {
	Component  string        `json:"component"`
	Name       string        `json:"name"`
	Type       string        `json:"type"`
	Status     Health        `json:"status"` // after thresholds
	Message    string        `json:"message,omitempty"`
	Resource   string        `json:"resource,omitempty"`
	Latency    time.Duration `json:"latency,omitempty"`
	Passes     int           `json:"passes"`                // in a row, up to now
	Failures   int           `json:"failures"`              // in a row, up to now
	Since      time.Time     `json:"since"`                 // of Status
	At         time.Time     `json:"at"`                    // last look
	EverPassed bool          `json:"ever_passed,omitempty"` // since this checkup began
	// Thresholds that Status was made with.
	NeedPasses   int           `json:"need_passes"`
	NeedFailures int           `json:"need_failures"`
	Startup      time.Duration `json:"startup,omitempty"`
	Environment  bool          `json:"environment,omitempty"` // the last answer blames something outside the change
}

// Resource is what a component is made of on its platform.
type Resource struct {
	ID       string         `json:"id"`
	ParentID string         `json:"parent_id,omitempty"`
	Kind     string         `json:"kind"`
	Name     string         `json:"name"`
	Revision string         `json:"revision,omitempty"`
	Health   ResourceHealth `json:"health"`
	Desired  uint32         `json:"desired,omitempty"`
	Ready    uint32         `json:"ready,omitempty"`
	Restarts uint32         `json:"restarts,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Message  string         `json:"message,omitempty"`
}

// ResourceHealth is the health of a resource.
type ResourceHealth string

// The health of a resource.
const (
	ResourcePending  ResourceHealth = "pending"
	ResourceReady    ResourceHealth = "ready"
	ResourceDegraded ResourceHealth = "degraded"
	ResourceFailed   ResourceHealth = "failed"
	ResourceGone     ResourceHealth = "gone"
)
