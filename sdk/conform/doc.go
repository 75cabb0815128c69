// Package conform runs the conformance suite of [plugintest] against any binary,
// in any language: what it deploys stands in a file, conform.hcl, and what comes
// of it is a table for people, a JSON document and JUnit XML.
//
// It is the command sdk/cmd/conform, and `apm plugin test`. It must never know a
// platform, and never need a host: the binary and its file are enough.
package conform
