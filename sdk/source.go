package sdk

import "embed"

// Source is the source of this module. `apm plugin new` gives it to authors of
// plugins, who may have no other way to it. A plugin has no use for it, and the
// linker leaves it out of every program that does not name it.
//
//go:embed LICENSE go.mod go.sum *.go cmd conform diag journal plugintest schema serve wire
var Source embed.FS
