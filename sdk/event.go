package sdk

import "time"

// WatchRequest follows one operation until its Outcome.
type WatchRequest struct {
	Target      Target
	Handle      Handle
	Operation   Operation
	ResumeToken []byte // empty: begin with a full State
}

// WatchTargetRequest follows what runs, for ever.
type WatchTargetRequest struct {
	Target      Target
	Handle      Handle
	ResumeToken []byte
}

// Event is one thing that happened. Exactly one of the pointers (or
// DroppedLogLines) is set.
type Event struct {
	ObservedAt      time.Time
	State           *State
	Resource        *Resource
	Log             *LogLine
	DroppedLogLines uint64
	Handle          *Handle // checkpoint: the host replaces its stored handle
	Candidate       *Candidate
	Drift           *Drift
	Heartbeat       bool // sent by the SDK after 15 s of silence
	Outcome         *Outcome

	// ResumeToken stands after this event: a later Watch with it continues
	// here. Empty where the plugin cannot resume.
	ResumeToken []byte
}

// Clone returns an event to keep: of those that a stream hands to its [Sink] the
// Resource and the Log are used again.
func (e Event) Clone() Event {
	if e.Resource != nil {
		resource := *e.Resource
		e.Resource = &resource
	}
	if e.Log != nil {
		line := *e.Log
		e.Log = &line
	}
	return e
}

// Phase is how far an operation is.
type Phase int

// The phases.
const (
	PhaseUnspecified Phase = iota
	PhasePending
	PhaseProgressing
	PhaseStabilizing
)

// State is the full picture of an operation or of what runs.
type State struct {
	Phase     Phase
	Message   string
	Fraction  float64 // 0..1, as the platform counts
	Resources []Resource
	Candidate *Candidate // when one waits for Promote
}

// Candidate is a release that is up beside the old one.
type Candidate struct {
	Addresses map[string]string // port name → host:port, reachable from the host; none: a component without ports, judged by Probe alone
	Revision  string
	Percent   int // of the traffic it gets now
}

// Drift says that somebody else changed the target.
type Drift struct {
	By       string
	Message  string
	Revision string
	Undone   bool // what a rollback restored was changed back
}

// ResourceHealth is the health of a resource.
type ResourceHealth int

// The health of a resource.
const (
	ResourceUnspecified ResourceHealth = iota
	ResourcePending
	ResourceReady
	ResourceDegraded
	ResourceFailed
	ResourceGone
)

// Resource is one thing that a component is made of on its platform. Resources
// form a tree by ParentID.
type Resource struct {
	ID       string
	ParentID string
	Kind     string
	Name     string
	Revision string
	Health   ResourceHealth
	Desired  uint32 // 0/0 where counting makes no sense
	Ready    uint32
	Restarts uint32
	Reason   string // a failure code, or the platform's own word
	Message  string
}

// LogLine is one line of a resource's output.
type LogLine struct {
	Resource string // id
	Line     string
	Previous bool // from the instance that ended
	Time     time.Time
	Stream   string // stdout, stderr or ""
}

// Result is how an operation ended.
type Result int

// The results.
const (
	ResultUnspecified Result = iota
	ResultSucceeded
	ResultFailed
	ResultCancelled  // staged and before Promote(100): the old release is as it was
	ResultSuperseded // somebody else changed the target
)

// Outcome ends an operation.
type Outcome struct {
	Result       Result
	Message      string
	Failure      *Failure
	Outputs      map[string]string
	Addresses    map[string]string // where the component answers now
	Revision     string
	SupersededBy string
}

// Failure codes shared by all platforms.
const (
	CodeImageNotFound       = "IMAGE_NOT_FOUND"
	CodeImagePullDenied     = "IMAGE_PULL_DENIED"
	CodeRegistryUnreachable = "REGISTRY_UNREACHABLE"
	CodeCrashLoop           = "CRASH_LOOP"
	CodeExited              = "EXITED"
	CodeOOMKilled           = "OOM_KILLED"
	CodeUnschedulable       = "UNSCHEDULABLE"
	CodeConfigMissing       = "CONFIG_MISSING"
	CodeProbeFailing        = "PROBE_FAILING"
	CodeQuotaExceeded       = "QUOTA_EXCEEDED"
	CodePermissionDenied    = "PERMISSION_DENIED"
	CodeProgressDeadline    = "PROGRESS_DEADLINE"
	CodePortInUse           = "PORT_IN_USE"
	CodeDependencyDown      = "DEPENDENCY_DOWN"
	CodePlatformDown        = "PLATFORM_DOWN"
	CodeOther               = "OTHER"
)

// MaxFailureLogs is the most log lines that a Failure carries.
const MaxFailureLogs = 100

// Failure says why an operation cannot succeed, with what a person needs to see.
type Failure struct {
	Code        string
	Resource    string
	Message     string
	Suggestion  string
	Logs        []LogLine // the last lines, at most MaxFailureLogs
	Events      []string  // the platform's own events about it, newest last
	Environment bool      // the cause lies outside the change
}

// ProbeRequest asks for one look. With the handle of an unfinished staged
// operation the candidate is judged.
type ProbeRequest struct {
	Target Target
	Handle Handle
}

// ProbeResult is what one look saw.
type ProbeResult struct {
	Checks         []Check
	Revision       string
	ObservedDigest string
	Addresses      map[string]string
}

// CheckStatus is the answer of a check.
type CheckStatus int

// The answers.
const (
	CheckUnspecified CheckStatus = iota
	CheckHealthy
	CheckDegraded
	CheckUnhealthy
	CheckUnknown // could not look: never a reason to roll back
)

// Check is one health question and its answer.
type Check struct {
	Name     string
	Type     string // readiness, liveness, startup, endpoint, mesh, target_health, process, ...
	Status   CheckStatus
	Message  string
	Latency  time.Duration
	Resource string // id
}

// LogsRequest selects log lines.
type LogsRequest struct {
	Target   Target
	Handle   Handle
	Resource string // id; "" for all of the component
	Since    time.Time
	Tail     int // 0: all that there is
	Follow   bool
	Previous bool
}

// HealthState is the health of the platform itself.
type HealthState int

// The states of a platform.
const (
	HealthUnspecified HealthState = iota
	HealthUndetected              // the platform is not there
	HealthUnhealthy               // there, but unusable
	HealthHealthy
)

// Health is what a plugin says about its platform.
type Health struct {
	State       HealthState
	Description string
	Attributes  map[string]string
}
