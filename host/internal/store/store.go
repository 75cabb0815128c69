// Package store says what the history of deployments is kept in: one interface,
// one package per medium beneath it, one conformance suite (storetest) for all
// of them. The store is the arbiter between hosts and knows no other truth than
// its rows; it never calls a platform and never decides what a deployment does
// next.
//
// Errors are those of package deployment: ErrNotFound, ErrStaleEpoch,
// ErrUnavailable, ErrKeyReused, BusyError, RepeatedError, and *deployment.Error
// where a user's input is at fault. A change is made whole or not at all.
package store

import (
	"context"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Store keeps deployments, their events and what else must outlive a host. All
// methods are safe for concurrent use.
type Store interface {
	Intake
	Ownership
	Reader
	Feeder
	Registry
	Upkeep
}

// Intake takes in what people ask for.
type Intake interface {
	// Accept stores a new deployment with its events, blobs and audit record.
	// RepeatedError: the key was used for the same request before; ErrKeyReused:
	// for another one; BusyError: the target is busy and Concurrent is refuse.
	Accept(ctx context.Context, acceptance deployment.Acceptance) error
	// Command stores a person's wish with its audit record. ErrNotFound: the
	// target has no such deployment. RepeatedError, ErrKeyReused: see Accept.
	Command(ctx context.Context, command deployment.Command, audit deployment.AuditRecord) error
	// Repeated returns the deployment that the key was used for, "" when it is
	// new. ErrKeyReused: it was used for another request.
	Repeated(ctx context.Context, key deployment.IdempotencyKey) (deploymentID string, err error)
}

// Ownership is the right to act on targets, and the acts themselves. Leases run
// by the database's clock alone.
type Ownership interface {
	// Claim takes every target that nobody holds and that needs an owner: it has
	// an open deployment, a command, or a current deployment. Each gets a new
	// epoch. What the host holds already is not returned.
	Claim(ctx context.Context, host string, ttl time.Duration) ([]deployment.Lease, error)
	// Renew prolongs all leases that the host still holds, and returns them. One
	// that has ended is not revived.
	Renew(ctx context.Context, host string, ttl time.Duration) ([]deployment.Lease, error)
	// Release gives leases of the host back, all of them when no target is named.
	Release(ctx context.Context, host string, targets ...deployment.Target) error
	// Work returns all that the owner of a target needs. ErrNotFound: nothing was
	// ever accepted for the target.
	Work(ctx context.Context, target deployment.Target) (deployment.Work, error)
	// Commit makes a change. ErrStaleEpoch: the lease has ended or is another's.
	// The events of a deployment go on from its last seq without a gap.
	Commit(ctx context.Context, change deployment.Change) error
}

// Reader looks at what is stored.
type Reader interface {
	// Deployment returns one deployment, or ErrNotFound.
	Deployment(ctx context.Context, id string) (*deployment.Deployment, error)
	// Find returns ids that begin with prefix, in their order.
	Find(ctx context.Context, prefix string, limit int) ([]string, error)
	// List returns a page, newest first. A cursor that is none: Invalid.
	List(ctx context.Context, filter deployment.Filter) (deployment.Page, error)
	// Blob returns content by its key, or ErrNotFound.
	Blob(ctx context.Context, key string) ([]byte, error)

	// State returns what is known of a target, or ErrNotFound.
	State(ctx context.Context, target deployment.Target) (deployment.TargetState, error)
	// States returns that of all targets, by application and environment.
	States(ctx context.Context) ([]deployment.TargetState, error)
	// Commands returns all commands that are not carried out yet, oldest first.
	Commands(ctx context.Context) ([]deployment.Command, error)
	// Queue returns the open deployments of a target that do not hold its lock,
	// in the order in which they get it: rollbacks first, then as accepted.
	Queue(ctx context.Context, target deployment.Target) ([]string, error)

	// Completed returns the deployment of that version whose deploy run completed
	// last, whatever became of it since, or ErrNotFound.
	Completed(ctx context.Context, target deployment.Target, version string) (*deployment.Deployment, error)
	// CompletedVersions returns that of each version, newest first.
	CompletedVersions(ctx context.Context, target deployment.Target, limit int) ([]*deployment.Deployment, error)
	// LastAccepted returns the application's newest deployment in any
	// environment that is no removal, or ErrNotFound.
	LastAccepted(ctx context.Context, application string) (*deployment.Deployment, error)
	// Latest returns the newest deployment of each target.
	Latest(ctx context.Context) ([]*deployment.Deployment, error)
	// Applications returns the names of all applications that were ever accepted.
	Applications(ctx context.Context) ([]string, error)
	// PastRuns returns the lengths of the target's runs of that kind that ended
	// well, newest first.
	PastRuns(ctx context.Context, target deployment.Target, kind deployment.RunKind, limit int) ([]deployment.PastRun, error)
}

// Feeder reads events.
type Feeder interface {
	// Events returns events of a deployment with a seq above after, or
	// ErrNotFound.
	Events(ctx context.Context, id string, after uint64, limit int) ([]deployment.Event, error)
	// Feed returns events of all deployments in commit order. The cursor "" stands
	// before the first; a cursor that is none: Invalid.
	Feed(ctx context.Context, cursor string, limit int) (deployment.FeedPage, error)
	// FeedHead returns the cursor that stands after the last event.
	FeedHead(ctx context.Context) (string, error)
}

// Registry keeps tokens and the audit log.
type Registry interface {
	// CreateToken stores a token, by the hash of its secret.
	CreateToken(ctx context.Context, token deployment.Token, hash []byte, audit deployment.AuditRecord) error
	// Token returns a token and its hash, or ErrNotFound.
	Token(ctx context.Context, id string) (deployment.Token, []byte, error)
	// Tokens returns all tokens, oldest first.
	Tokens(ctx context.Context) ([]deployment.Token, error)
	// RevokeToken marks a token, or ErrNotFound. The first time stays.
	RevokeToken(ctx context.Context, id string, at time.Time, audit deployment.AuditRecord) error
	// UseTokens records when tokens were used last. A time before the one that is
	// stored, and an unknown token, change nothing.
	UseTokens(ctx context.Context, used map[string]time.Time) error
	// Audit returns records, newest first, and the cursor of the next page, ""
	// on the last. A cursor that is none: Invalid.
	Audit(ctx context.Context, cursor string, limit int) (records []deployment.AuditRecord, next string, err error)
	// Record writes an audit record of a change that is not in the store.
	Record(ctx context.Context, audit deployment.AuditRecord) error
}

// Upkeep is about the store itself.
type Upkeep interface {
	// InstallationID is made with the store and never changes.
	InstallationID() string
	// Health returns nil when the store can be read and written.
	Health(ctx context.Context) error
	// Ended counts the ends of deployments that this host brought about. Retention
	// takes nothing from them.
	Ended(ctx context.Context, host string) ([]deployment.Ended, error)
	// EndedLengths counts the same ends by how long each deployment took.
	EndedLengths(ctx context.Context, host string) ([]deployment.EndedLength, error)
	// Recorded is how many events this host has committed since it started.
	Recorded() uint64
	// Retain deletes ended deployments beyond the newest count of each target, and
	// those that ended longer than age ago (0: no such bound), with their events
	// and the blobs that nothing else refers to. It keeps what runs, what it
	// would be rolled back to, and what unfinished work refers to.
	Retain(ctx context.Context, count int, age time.Duration) (removed int, err error)
	// Close ends the store; nothing may be in flight. A second time it does nothing.
	Close() error
}

// Sealer encrypts what is sealed at rest. The associated data is the identity of
// the row, so that no sealed value can take the place of another.
type Sealer interface {
	Seal(plaintext, associated []byte) ([]byte, error)
	Open(sealed, associated []byte) ([]byte, error)
}
