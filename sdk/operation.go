package sdk

import (
	"time"

	"github.com/apm-deploy/apm/sdk/diag"
)

// Limits of the contract, in bytes.
const (
	MaxMessage  = 16 << 20 // any message, in both directions
	MaxHandle   = 64 << 10 // Handle.State
	MaxRelease  = 8 << 20  // Release.State
	MaxSnapshot = 8 << 20  // Snapshot.State
)

// OperationKind is deploy or rollback.
type OperationKind int

// The kinds of operation.
const (
	OperationUnspecified OperationKind = iota
	OperationDeploy
	OperationRollback
)

// String returns "deploy", "rollback" or "unspecified".
func (k OperationKind) String() string {
	switch k {
	case OperationDeploy:
		return "deploy"
	case OperationRollback:
		return "rollback"
	default:
		return "unspecified"
	}
}

// ConfigureRequest is the configuration of one platform.
type ConfigureRequest struct {
	Platform       string // the name of this instance, "prod-eu"
	Config         []byte // JSON, complete and typed by the plugin's own schema
	HostVersion    string
	InstallationID string // one per database; stamped on everything created
	DataDir        string // scratch only; must survive being deleted
}

// Target is one component of an application in an environment at a version.
//
// Application, Environment and Component name it. Version and Spec are for people and
// messages: Deploy and Rollback must not need them, the release or the snapshot holds
// all. Version is the one that is deployed, or runs; of a rollback and of every call
// about it the one that comes back, "" if no deployment brought it there; of a
// rollback to an empty snapshot the one that is removed.
type Target struct {
	Application string
	Environment string
	Component   string
	Version     string
	Spec        []byte // JSON, complete and typed by the plugin's own schema; nil where the host has none
}

// Operation goes with every call that acts, so that it can be recognised and
// refused.
type Operation struct {
	ID            string // idempotency key, stored by the host before the first call
	DeploymentID  string
	Kind          OperationKind
	RequestDigest string // over target and release or snapshot
	Epoch         uint64 // lower than the highest seen or stamped for the component is refused
	Staged        bool   // of a deploy: bring up a candidate and wait for Promote; a rollback is never staged
}

// Release is the frozen content of a component at a version.
type Release struct {
	Version  uint32            // of the plugin's own encoding of State
	State    []byte            // at most MaxRelease; larger content stays with the plugin, by digest
	Digest   string            // equal content, equal digest; "" where content cannot be compared
	Revision string            // for people
	View     map[string]string // for people and diffs, redacted
}

// Snapshot is everything needed to bring a component back.
type Snapshot struct {
	Version  uint32
	State    []byte // at most MaxSnapshot
	Digest   string
	Revision string
	View     map[string]string
	Empty    bool // nothing ran
}

// Handle is opaque to the host and handed back verbatim. The zero Handle is
// absent.
type Handle struct {
	Version uint32
	State   []byte // at most MaxHandle
}

// IsZero says whether the handle is absent.
func (h Handle) IsZero() bool { return h.Version == 0 && len(h.State) == 0 }

// ResolveRequest asks to freeze the target's spec.
type ResolveRequest struct{ Target Target }

// MaxRetain is how many digests a request's Retain has at most.
const MaxRetain = 20

// SnapshotRequest asks for the state that Target is in. Snapshot changes neither what
// runs nor a stamp; it may keep content of its own, so that the way back exists.
type SnapshotRequest struct {
	Target  Target
	Handle  Handle   // of the operation just verified, for an "after" snapshot
	Release *Release // about to be deployed: every live object it would touch belongs to "before"
}

// SnapshotResult is a snapshot and the digest of what was observed.
type SnapshotResult struct {
	Snapshot       Snapshot
	ObservedDigest string // desired state only: no status, restarts, autoscaled counts or our stamps
}

// PlanRequest names an operation that is not to be carried out.
type PlanRequest struct {
	Kind     OperationKind
	Target   Target
	Release  *Release  // of a deploy
	Snapshot *Snapshot // of a rollback
}

// Plan is what an operation would do.
type Plan struct {
	Steps            []Step
	ObservedDigest   string
	NotRestored      []string      // what a rollback leaves as it is: data, external state
	ExpectedDowntime time.Duration // 0: none
	Diagnostics      diag.Diagnostics
}

// Step is one change of a plan.
type Step struct {
	Resource string // "apps/v1 Deployment shop/api"
	Action   string // create, update, delete, restart, scale, shift_traffic, ...
	Diff     string // unified, secrets redacted
	Command  string // what a person would type; "" where no command exists
	Summary  string // one line
}

// DeployRequest starts the deploy of a release.
type DeployRequest struct {
	Operation      Operation
	Target         Target
	Release        Release
	ExpectedDigest string // ReasonStateChanged if the observed digest is another; "" does not compare
	// Retain are the digests of what the host still counts on for this component,
	// most needed first, at most MaxRetain: of the snapshots that it may go back to
	// (Snapshot.Digest, or where the plugin gave none the SHA-256 of Snapshot.State
	// in hex), and of the releases that wait for their turn (Release.Digest). What
	// one of them needs must not be pruned, whatever the plugin's own bound says,
	// until a later Deploy or Rollback comes with a list that lacks it. Each list
	// replaces the one before, an empty one too; RequestDigest does not cover it.
	Retain []string
}

// PromoteRequest moves traffic to the candidate of an operation.
type PromoteRequest struct {
	Operation Operation
	Target    Target
	Handle    Handle
	Percent   int // 1 to 100
}

// RollbackRequest starts the way back to a snapshot.
type RollbackRequest struct {
	Operation      Operation
	Target         Target
	Snapshot       Snapshot
	ExpectedDigest string
	Reason         string
	Retain         []string // as in DeployRequest
}

// CancelRequest stops an operation.
type CancelRequest struct {
	Operation Operation
	Target    Target
	Handle    Handle
}

// RecoverRequest carries all that the lost call carried.
type RecoverRequest struct {
	Operation Operation
	Target    Target
	Handle    Handle    // zero: the answer was lost
	Release   *Release  // of a deploy
	Snapshot  *Snapshot // of a rollback
}

// RecoverStatus is what became of an operation.
type RecoverStatus int

// The results of Recover.
const (
	RecoverUnspecified RecoverStatus = iota
	RecoverNotStarted                // proven, and no earlier call can still land
	RecoverRunning                   // from now on the plugin drives the remainder
	RecoverFinished
	RecoverUnknown // cannot prove either way: a person decides
)

// Recovery is the answer of Recover.
type Recovery struct {
	Status  RecoverStatus
	Handle  Handle
	Outcome *Outcome // when finished
	Message string
}

// InventoryItem is one component that carries APM's stamps.
type InventoryItem struct {
	InstallationID string
	Application    string
	Environment    string
	Component      string
	Version        string
	Epoch          uint64
	OperationID    string
	Since          time.Time
	Description    string // one line: pids, ports
}
