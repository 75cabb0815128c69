// Package cli is the command line: `apm serve` is the daemon, everything else
// is a client of its REST and WebSocket interface.
//
// Data goes to stdout, progress and errors to stderr. The package must never
// end the process (main does, with the code that Run returns), never write to
// anything but the streams it was given, and never decide anything about a
// deployment: it shows what the host says.
package cli
