package deployment

import (
	"errors"
	"time"
)

// Errors of a store.
var (
	// ErrNotFound: there is no such thing.
	ErrNotFound = errors.New("not found")
	// ErrStaleEpoch: the lease is another's; the change was not made.
	ErrStaleEpoch = errors.New("stale epoch")
	// ErrUnavailable: the store cannot be reached or written; nothing was
	// changed, or it is not known whether it was.
	ErrUnavailable = errors.New("store unavailable")
	// ErrKeyReused: the idempotency key was used with another request.
	ErrKeyReused = errors.New("idempotency key reused")
)

// BusyError says that a target is busy and the policy is to refuse.
type BusyError struct{ Holder string }

// Error names the holder.
func (e *BusyError) Error() string { return "target busy: deployment " + e.Holder + " runs" }

// RepeatedError says that the idempotency key was used for the same request
// before: its answer is that deployment.
type RepeatedError struct{ DeploymentID string }

// Error names the first deployment.
func (e *RepeatedError) Error() string { return "repeated request of deployment " + e.DeploymentID }

// Change is one transaction of the owner of a target: it is made whole, or not
// at all. It is conditional on the epoch of the target's lease.
type Change struct {
	Target Target
	Epoch  uint64

	Deployment *Deployment  // replaced as it is; nil: untouched
	State      *TargetState // replaced; nil: untouched
	Events     []Event      // appended; seq is unique per deployment
	Blobs      []Blob       // written once; the same key again is ignored
	Audit      []AuditRecord
	Consumed   []string // ids of commands that are carried out by this change
}

// Blob is content that is sealed at rest: a release, a snapshot, evidence.
type Blob struct {
	Key          string // "release/<deployment>/<component>", ...
	DeploymentID string
	Data         []byte
}

// Acceptance is the transaction that accepts a deployment.
type Acceptance struct {
	Deployment *Deployment // status pending
	Events     []Event     // deployment.accepted
	Blobs      []Blob      // releases
	Audit      AuditRecord
	Key        *IdempotencyKey // nil: none
	// Concurrent is what happens when the target has an unfinished deployment:
	// refuse → BusyError; supersede → a cancel command by Actor for each that has
	// not taken the lock.
	Concurrent Concurrent
}

// IdempotencyKey makes a request repeatable.
type IdempotencyKey struct {
	Principal string // whose key it is
	Key       string
	Digest    string // of the request
}

// Command is a person's wish about a deployment, stored with its audit record
// and carried out by the owner of the target.
type Command struct {
	ID           string      `json:"id"`
	DeploymentID string      `json:"deployment_id"`
	Target       Target      `json:"target"`
	Kind         CommandKind `json:"kind"`
	Actor        Actor       `json:"actor"`
	Reason       string      `json:"reason,omitempty"`
	At           time.Time   `json:"at"`
	// Waiting: a cancel that is meant for a deployment that waits for the lock;
	// one that has it by then goes on.
	Waiting bool `json:"waiting,omitempty"`
	// Of a rollback.
	TargetVersion string   `json:"target_version,omitempty"`
	Planned       *Planned `json:"planned,omitempty"`
	// Key makes the request repeatable; nil: none. It is kept apart.
	Key *IdempotencyKey `json:"-"`
}

// CommandKind is what is wished.
type CommandKind string

// The kinds of command.
const (
	CommandRollback CommandKind = "rollback"
	CommandCancel   CommandKind = "cancel"
)

// Work is all that the owner of a target needs to go on with it.
type Work struct {
	State TargetState
	// Open are the deployments with an open run, oldest first.
	Open []*Deployment
	// Current is the deployment that State names, nil if none. It may be in Open.
	Current *Deployment
	// Commands not yet carried out, oldest first.
	Commands []Command
}

// Filter selects deployments for a list, newest first.
type Filter struct {
	Application string
	Environment string
	Platform    string
	Version     string
	Status      []Status
	// Cursor of the page before, "" for the first; opaque.
	Cursor string
	Limit  int // 1 to 500
}

// Page is one page of a list.
type Page struct {
	Deployments []*Deployment
	Next        string // "" on the last page
}

// FeedPage is a stretch of all events in commit order.
type FeedPage struct {
	Events []Event
	Cursor string // stands after the last of them; opaque
	// Cursors stand after each of Events, one for one, so that a reader can go on
	// from the middle of a page; nil where the store does not tell.
	Cursors []string
}

// Ended counts the deployments that this host ended, for the metrics.
type Ended struct {
	Application string
	Environment string
	Platform    string
	Version     string
	Result      Status
	Count       int     // of ends: one that was rolled back later has ended twice
	First       int     // of Count: first ends, so that the sum counts deployments
	LastSeconds float64 // duration of the one that ended last
	LastEnded   time.Time
}

// EndedLength counts ends by how long the deployment took, for a histogram.
type EndedLength struct {
	Platform    string
	Environment string
	Result      Status
	// Bound is the smallest of LengthBounds that it kept within, in seconds;
	// infinite beyond the last one.
	Bound   float64
	Count   int
	Seconds float64 // of all of Count together
}

// LengthBounds are the bounds, in seconds, by which the lengths of deployments
// are counted.
func LengthBounds() []float64 {
	return []float64{1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600}
}

// PastRun is the length of a run that ended well, for estimates.
type PastRun struct {
	Stages     map[Status]time.Duration
	Components map[string]time.Duration // first call to passed gate
	Total      time.Duration
}
