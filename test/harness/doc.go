// Package harness runs the built binaries for the end-to-end tests: a host with
// a home, a data directory, a configuration and applications of its own, the
// command line, the application under deployment, and the client that never
// retries.
//
// It never reaches into the host: all that a test learns comes over REST, over
// the WebSocket, from the command line, from the application's own files, or
// from the system. Each Host checks at the end of its test that nothing of it is
// left: no process, no listening socket.
package harness
