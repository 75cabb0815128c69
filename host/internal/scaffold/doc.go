// Package scaffold writes what the author of a plugin begins with: a complete Go
// module that builds, passes the conformance suite and deploys something real.
//
// Two things are embedded. The module itself is examples/plugin-symlink of the
// repository, in template.txtar (`go generate` packs it, a test compares); with
// another name it is what [New] writes. And api and sdk, which no module proxy has
// before the first release: each of these modules embeds its own source, so that
// they are always those of this build, without a copy that grows old and without a
// step before `go build`. [WriteModules] writes them as directories that replace
// lines of a go.mod name, [WriteProxy] as a file module proxy for GOPROXY. See
// docs/adr for why a new module gets the directories.
//
// The package must never ask the network for anything, and leaves nothing half
// written behind.
package scaffold

//go:generate go run ./pack ../../../examples/plugin-symlink template.txtar
