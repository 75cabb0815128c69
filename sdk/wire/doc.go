// Package wire carries [sdk.Platform] over gRPC: [Server] on the plugin's side,
// [Client] on the host's. It keeps the rules of the contract that no author
// should have to think about (errors with their detail, size limits, fencing by
// epoch, batching, heartbeats, draining, panics).
//
// It is the only package that knows gRPC and go-plugin; it is made for the host
// and for package serve, and promises nothing to others. It must never decide
// what an operation does.
package wire
