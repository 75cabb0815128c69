package sdk

import (
	"log/slog"

	"github.com/apm-deploy/apm/sdk/schema"
)

// Plugin describes a plugin; main hands it to serve.Main.
type Plugin struct {
	// Name of the plugin, "kubernetes". It equals the label of its plugin block
	// in config.hcl. Required.
	Name string
	// Version of the plugin, semver without "v". Required.
	Version string
	// Config is the schema of a platform block, Spec that of a component's spec
	// block; see schema.Of.
	Config schema.Schema
	Spec   schema.Schema
	// New makes the platform. It is called once per process, before Configure,
	// and must not touch the platform. The logger's lines reach the host's log.
	New func(log *slog.Logger) Platform
}

// Description is what a plugin says about itself before it is configured.
type Description struct {
	Name          string
	Version       string
	ProtocolMinor uint32
	Capabilities  Capabilities
	Config        schema.Schema
	Spec          schema.Schema
}
