// Package v1 holds the types of APM's REST and WebSocket interface, version 1.
// openapi.yaml beside it is generated from them.
//
// The package must hold nothing but shapes: no behaviour, no transport.
package v1
