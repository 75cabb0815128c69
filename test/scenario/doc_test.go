// Package scenario_test runs one story after another through the built
// binaries, over REST, the WebSocket and the command line: what a user does, and
// what is to be seen of it in statuses, events and reasons, and from outside.
//
// A file is one topic. What is killed is in test/crash.
package scenario_test
