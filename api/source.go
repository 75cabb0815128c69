// Package api is the root of the module that holds every contract of the host, and
// nothing else: the messages of a plugin in plugin/v1, the REST and WebSocket types
// in v1, the Go client in client. It has its own source and no code.
package api

import "embed"

// Source is the source of this module. `apm plugin new` gives it to authors of
// plugins, who may have no other way to it; see host/internal/scaffold.
//
//go:embed LICENSE go.mod go.sum *.go buf.gen.yaml buf.yaml client plugin v1
var Source embed.FS
