// Package demo shows a deployment that comes up, one that takes over, and one
// that goes bad and is rolled back by itself, with a client that never retries
// running all the while.
//
// It starts the ordinary host as a child on a data directory of its own and
// speaks REST and WebSocket like any client. It must never touch another data
// directory, and must leave nothing running: what it deployed goes before it
// ends, and what a killed demo left goes before the next one begins.
package demo
