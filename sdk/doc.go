// Package sdk is what the author of an APM platform plugin imports.
//
// A plugin is a program that drives one kind of platform. It implements
// [Platform], adds the optional interfaces that its platform can honour
// ([Planner], [Promoter], [Canceller], ...), and hands a [Plugin] to serve.Main
// (package sdk/serve) from main:
//
//	func main() {
//		os.Exit(serve.Main(sdk.Plugin{
//			Name: "files", Version: "0.1.0",
//			Config: schema.MustOf(Config{}), Spec: schema.MustOf(Spec{}),
//			New: func(log *slog.Logger) sdk.Platform { return &Platform{log: log} },
//		}))
//	}
//
// Everything that crosses the process boundary (gRPC, mutual TLS, logging,
// batching, heartbeats, limits, draining, recovered panics, the lifeline to the
// host) is the SDK's business; an author only meets the plain Go types of this
// package. The packages beside it: schema makes the schema of a configuration from
// a tagged struct and reads values into it, diag holds what is wrong with one, journal
// writes operations down where a platform has no place for stamps, plugintest tests a
// plugin against every rule below, serve is its main. What crosses the boundary, for
// those who write a plugin in another language, is docs/plugin-protocol.md of the
// repository.
//
// # One operation
//
// The host brings a component from one version to another like this:
//
//	Resolve   freeze what is to run: files, tags, artifacts      → Release
//	Snapshot  keep what runs now                                 → Snapshot
//	Deploy    start the change, return soon                      → Handle
//	Watch     tell what happens, until the Outcome
//	Probe     look once, as often as the host asks
//	Promote   only where the platform is staged: move the traffic
//	Rollback  the way back to a Snapshot, watched like Deploy
//	Recover   what became of an operation, after a crash of either side
//
// The host decides whether the change is good. A plugin tells what is there and
// does what it is told; it holds no schedule, no threshold and no verdict of its own.
//
// # What the host relies on
//
//   - Operations are known by [Operation].ID. The same id with the same RequestDigest
//     gives the same Handle and has no second effect; with another digest it is
//     [ReasonOperationMismatch].
//   - Installation id, operation id, digest and epoch are stamped on the platform
//     itself (a label, an annotation, a file beside it), so that Recover works for a
//     fresh process that remembers nothing. The data directory may be deleted.
//   - An epoch below the highest that was seen or stamped for the component is
//     [ReasonStaleEpoch]. The SDK refuses what its process has seen; what is stamped
//     is the plugin's to compare, and to raise, in Recover too. [Admit] says what a
//     call may do, given what is stamped.
//   - Recover says [RecoverNotStarted] only where that is proven. The SDK waits for
//     calls of this process that are under way; [RecoverUnknown] is the honest answer
//     to everything else. After [RecoverRunning] the plugin drives the remainder.
//   - Deploy looks at no name again: it uses the Release and nothing else.
//   - Watch begins with a [State] and ends with an [Outcome], for everyone who asks and
//     as often as he asks. Its end cancels nothing. Events carry a resume token if the
//     plugin can go on from it; an expired one is [ReasonResumeExpired].
//   - Digests of what is observed are over the desired state only: no status, no
//     restarts, no stamps. ExpectedDigest that does not hold is [StateChanged], with
//     the object and who changed it.
//   - Unknown means "could not look" and never leads to a rollback; what is gone is
//     unhealthy.
//   - Rollback to an empty Snapshot removes what our operations created, and nothing
//     else. Snapshot.State holds all that the way back needs, or names it by digest;
//     once that is gone, Plan and Rollback answer [SnapshotStale] before any change.
//     What Retain of a request names is not pruned.
//   - What runs in the background ends with the process: see [Closer].
//
// # Errors and mistakes
//
// Calls return [*Error] values, made by [Errorf], [StaleEpoch], [OperationMismatch],
// [StateChanged] or [SnapshotStale]: a code that decides what the host does, the rule
// that it is about, and a message that says what was wrong and what to do. Any other
// error counts as a bug of the plugin. Mistakes of the user in a configuration or a
// spec are no errors but diagnostics with a path, which the host shows at their file,
// line and column: [schema.Check] finds them, with what a Check method of the struct
// itself adds.
//
// Secrets: an attribute that is sensitive in the schema must not reach a log line, a
// View, a diff, an error or an event. Digests or schema.Redacted stand in for it.
//
// # Tests
//
// plugintest.Run starts the plugin's binary and checks these rules, case by case;
// what a plugin cannot do is skipped and named. A plugin that passes can be trusted
// with a rollback. The plugin in examples/plugin-symlink of the repository is a small
// one outside of APM's own modules that does.
//
// The host talks to a plugin through the same interface, so that its engine can
// be tested with a platform in its own process. This package must never import
// the host, and nothing in it may depend on the transport.
package sdk
