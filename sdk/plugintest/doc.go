// Package plugintest is the conformance suite of the plugin contract. A plugin
// that passes [Run] can be trusted by the host: its deploys are idempotent, its
// rollbacks restore, and it is found again after a crash of either side.
//
// [Run] is for `go test`, [Check] for any other program; the rules that the cases are
// about stand in docs/plugin-protocol.md, by number.
//
// The suite starts a real plugin process by the wire contract ([Start]) or serves
// the platform within the test process, over real gRPC all the same. It must
// never know a platform: all that is special comes with [Config].
package plugintest
