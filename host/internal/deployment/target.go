package deployment

import "time"

// Target is one application in one environment: what holds the lock, and where
// one version runs at a time.
type Target struct {
	Application string `json:"application"`
	Environment string `json:"environment"`
}

// String returns "application/environment".
func (t Target) String() string { return t.Application + "/" + t.Environment }

// TargetState is what is known of a target beyond its deployments. It is
// written only under the target's lease.
type TargetState struct {
	Target
	// Holder is the deployment that holds the lock, "" while none runs.
	Holder string `json:"holder,omitempty"`
	// Current is the last deployment that changed the platform; after a rollback
	// the one whose state was restored; "" when nothing of ours runs.
	Current string `json:"current,omitempty"`
	// Version that runs: of Current.
	Version string `json:"version,omitempty"`
	// Components are those that run now, by name.
	Components map[string]Running `json:"components,omitempty"`
	UpdatedAt  time.Time          `json:"updated_at"`
}

// Running is one component of a target as it was last left.
type Running struct {
	Platform string `json:"platform"`
	// Deployment whose content runs, and whose checks judge it.
	Deployment    string `json:"deployment"`
	Version       string `json:"version"`
	ReleaseDigest string `json:"release_digest,omitempty"`
	// Baseline is the observed digest of the last `after`, or of the snapshot
	// restored; another digest in a probe is drift.
	Baseline string `json:"baseline,omitempty"`
	// Snapshot is the `after` snapshot; nil where none was taken.
	Snapshot  *SnapshotRef      `json:"snapshot,omitempty"`
	Addresses map[string]string `json:"addresses,omitempty"`
	// Handle of the operation that brought it there.
	Handle Handle `json:"handle"`
	// Drifted is the observed digest that was reported as drift last.
	Drifted string `json:"drifted,omitempty"`
}

// Lease is the right to act on a target until a time of the database's clock.
// Its epoch only rises.
type Lease struct {
	Target
	Epoch uint64
	Until time.Time
	// For is how much longer the lease lasted when the store answered. Timers
	// are set from it, so that the two clocks never meet.
	For time.Duration
}

// Waiting says what a deployment waits for. It is not a status.
type Waiting struct {
	Kind  WaitKind  `json:"kind"`
	For   string    `json:"for"` // holder's id, platform's name, what is down
	Since time.Time `json:"since"`
}

// WaitKind is what is waited for.
type WaitKind string

// The kinds of waiting.
const (
	WaitLock        WaitKind = "lock"
	WaitPlugin      WaitKind = "plugin"
	WaitEnvironment WaitKind = "environment"
)
