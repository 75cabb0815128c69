package sdk

import (
	"context"
	"time"

	"github.com/apm-deploy/apm/sdk/diag"
)

// Platform drives one kind of platform. Every method takes a context and
// honours it; errors are [*Error] values, so that the host knows that the
// plugin itself answered. The order of calls is
//
//	Configure, then per operation
//	Resolve → Snapshot → Deploy or Rollback → Watch … Probe … → Snapshot
//
// and Recover before any of them is repeated after a crash of either side.
type Platform interface {
	// Configure hands over the platform block of config.hcl. It comes exactly
	// once per process, before every call but Validate. Mistakes of the user
	// are diagnostics with a path; an error means that the plugin itself could
	// not do its work.
	Configure(ctx context.Context, request ConfigureRequest) (diag.Diagnostics, error)

	// Resolve freezes what is to run. It is the only call that reads files,
	// tags and artifacts by name; Deploy uses nothing but the release.
	Resolve(ctx context.Context, request ResolveRequest) (Release, diag.Diagnostics, error)

	// Snapshot returns all that is needed to bring the component back to what
	// it is now. Where nothing runs, the snapshot is Empty. It changes neither what
	// runs nor a stamp; it may keep content of its own, so that the way back exists.
	Snapshot(ctx context.Context, request SnapshotRequest) (SnapshotResult, error)

	// Deploy starts the change and returns as soon as it is accepted, within
	// 60 s. The same operation id and digest give the same handle and no second
	// effect; the same id with another digest is ReasonOperationMismatch.
	Deploy(ctx context.Context, request DeployRequest) (Handle, error)

	// Rollback is a forward operation towards a snapshot, with the rules of
	// Deploy. To an empty snapshot it removes only what our operations created.
	Rollback(ctx context.Context, request RollbackRequest) (Handle, error)

	// Watch sends what happens to an operation until its Outcome, which is the
	// last event, and then returns nil. The first event of a fresh stream is a
	// State. A token that it cannot go on from, or any if it never sends one, is
	// OutOfRange, ReasonResumeExpired: the host asks for a fresh stream. Returning
	// without an Outcome is a broken stream. Cancelling ctx ends the stream and
	// never the operation.
	Watch(ctx context.Context, request WatchRequest, sink Sink) error

	// Probe looks once. A workload that is gone is an unhealthy check; only
	// what could not be looked at is unknown.
	Probe(ctx context.Context, request ProbeRequest) (ProbeResult, error)

	// Recover says what became of an operation after a crash, from what is
	// stamped on the platform and without the plugin's memory. RecoverNotStarted
	// must be proven; RecoverUnknown is the honest default. After
	// RecoverRunning the plugin drives the remainder.
	Recover(ctx context.Context, request RecoverRequest) (Recovery, error)
}

// Validator checks a configuration or a spec beyond what the schema says, with
// no network and no side effect, before Configure too. Either may be nil.
type Validator interface {
	Validate(ctx context.Context, config, spec []byte) (diag.Diagnostics, error)
}

// Planner says what an operation would do, and changes nothing.
type Planner interface {
	Plan(ctx context.Context, request PlanRequest) (Plan, error)
}

// Promoter moves traffic to a candidate. A platform that has it is staged and
// must be a [Canceller] too.
type Promoter interface {
	// Promote sets the share of the traffic, 1 to 100. It is in force when Watch
	// sends a Candidate with that percent; 100 ends in the Outcome. Repeating a
	// percent is idempotent, a lower one goes back.
	Promote(ctx context.Context, request PromoteRequest) (Handle, error)
}

// PercentPromoter is a Promoter that honours steps below 100.
type PercentPromoter interface {
	Promoter
	PromotesPercent()
}

// Canceller stops an operation. The result arrives on Watch. Before
// Promote(100) it discards the candidate and leaves the old release as it was.
type Canceller interface {
	Cancel(ctx context.Context, request CancelRequest) error
}

// TargetWatcher watches what runs, without an operation and without an end:
// resources, and drift that somebody else caused.
type TargetWatcher interface {
	WatchTarget(ctx context.Context, request WatchTargetRequest, sink Sink) error
}

// LogReader reads the log lines of a component.
type LogReader interface {
	Logs(ctx context.Context, request LogsRequest, send func(lines ...LogLine) error) error
}

// HealthReporter follows the platform itself after Configure. Report is called
// at once and on every change until ctx ends.
type HealthReporter interface {
	Health(ctx context.Context, report func(Health) error) error
}

// Inventorier lists everything on the platform that carries APM's stamps, of
// one installation or ("") of all, so that a person can find and remove what
// an installation left running even if its database is gone. An item goes away
// by Rollback to an empty snapshot under an epoch above the one it carries.
type Inventorier interface {
	Inventory(ctx context.Context, installationID string) ([]InventoryItem, error)
}

// Drainer stops accepting work and flushes, for at most grace. It returns the
// ids of the operations that still run on the platform. A plugin without it is
// drained by the SDK, which refuses new calls and waits for those under way.
type Drainer interface {
	Drain(ctx context.Context, grace time.Duration) (inFlight []string, err error)
}

// Closer ends what the platform runs in the background: what follows an operation,
// refreshes a token, shares a watch. It is called once, when the process is about to
// end because the host asked for it, is gone, or a signal came, and has ctx's time,
// about a second. Operations go on at the platform, or are gone on with after Recover:
// Close cancels none. Calls may be under way; those that come later fail.
type Closer interface {
	Close(ctx context.Context) error
}

// Sink receives events of a stream in order. Several at once are one batch: the
// host stores them in one transaction, together with the token of the last. An
// error means that nobody listens any more; the stream should end with it. The
// slice, and the Resource and Log of an event, are the sender's again when Sink
// returns: see [Event.Clone].
type Sink func(events ...Event) error

// Capabilities say what a platform can do beyond [Platform].
type Capabilities struct {
	Plan        bool
	Staged      bool // candidate and Promote; requires Cancel
	Percent     bool // Promote honours steps below 100
	Cancel      bool
	WatchTarget bool
	Logs        bool
	Inventory   bool
}

// CapabilitiesOf returns what p can do. A platform on the far side of a
// connection states it by a method Capabilities() Capabilities; for any other
// it is derived from the optional interfaces that p implements.
func CapabilitiesOf(p Platform) Capabilities {
	if stated, ok := p.(interface{ Capabilities() Capabilities }); ok {
		return stated.Capabilities()
	}
	var c Capabilities
	_, c.Plan = p.(Planner)
	_, c.Cancel = p.(Canceller)
	if _, promotes := p.(Promoter); promotes && c.Cancel {
		c.Staged = true
		_, c.Percent = p.(PercentPromoter)
	}
	_, c.WatchTarget = p.(TargetWatcher)
	_, c.Logs = p.(LogReader)
	_, c.Inventory = p.(Inventorier)
	return c
}
