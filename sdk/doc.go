// Package sdk is what the author of an APM platform plugin imports.
//
// A plugin implements [Platform], adds the optional interfaces that its
// platform can honour ([Planner], [Promoter], [Canceller], ...), and hands a
// [Plugin] to serve.Main (package sdk/serve) from main. Everything that crosses
// the process boundary (gRPC, mutual TLS, logging, batching, fencing, the
// lifeline to the host) is its business; an author only meets the plain Go types
// of this package.
//
// The host talks to a plugin through the same interface, so that its engine can
// be tested with a platform in its own process. This package must never import
// the host, and nothing in it may depend on the transport.
package sdk
