package config

import "github.com/apm-deploy/apm/sdk/schema"

// The host's own blocks are read by the same decoder as those of plugins, from
// these schemas.

func attr(name, kind string) schema.Attribute { return schema.Attribute{Name: name, Type: kind} }

func required(name, kind, description string) schema.Attribute {
	return schema.Attribute{Name: name, Type: kind, Required: true, Description: description}
}

func single(name string, b schema.Block) schema.NestedBlock {
	return schema.NestedBlock{Name: name, Nesting: schema.Single, Block: b}
}

func labelled(name string, b schema.Block) schema.NestedBlock {
	return schema.NestedBlock{Name: name, Nesting: schema.Map, Block: b}
}

var monitorGrammar = schema.Block{Attributes: []schema.Attribute{attr("interval", "string"), attr("timeout", "string")}}

// platformGrammar is the host's part of a platform block.
var platformGrammar = schema.Block{
	Attributes: []schema.Attribute{attr("plugin", "string")},
	Blocks:     []schema.NestedBlock{single("monitor", monitorGrammar)},
}

// configGrammar is config.hcl. The platforms of deployment {} and platform "…"
// {} are taken out before.
var configGrammar = schema.Block{Blocks: []schema.NestedBlock{
	single("host", schema.Block{Attributes: []schema.Attribute{attr("data_dir", "string")}}),
	single("server", schema.Block{
		Attributes: []schema.Attribute{
			attr("listen", "string"), attr("allowed_hosts", "list(string)"),
			attr("allowed_origins", "list(string)"), attr("anonymous", "string"),
		},
		Blocks: []schema.NestedBlock{single("websocket", schema.Block{Attributes: []schema.Attribute{
			attr("ping", "string"), attr("idle", "string"), attr("buffer", "number"),
		}})},
	}),
	labelled("plugin", schema.Block{Attributes: []schema.Attribute{
		{Name: "path", Type: "string", Required: true, Path: true, Description: "the plugin's binary"},
		attr("sha256", "string"), attr("environment", "list(string)"), attr("dev", "bool"), attr("log_level", "string"),
		attr("memory_limit", "string"), attr("open_files", "number"),
	}}),
	single("deployment", schema.Block{
		Attributes: []schema.Attribute{
			attr("default_platform", "string"), attr("default_environment", "string"), attr("applications", "list(string)"),
		},
		Blocks: []schema.NestedBlock{
			single("history", schema.Block{Blocks: []schema.NestedBlock{
				single("keep", schema.Block{Attributes: []schema.Attribute{attr("count", "number"), attr("age", "string")}}),
			}}),
			single("cache", schema.Block{}),
		},
	}),
}}

// laterConfig names the keys of config.hcl that a later version has.
var laterConfig = map[string][]string{
	"": {
		"oidc", "approval", "approvals", "webhook", "webhooks", "freeze", "freeze_window", "notification", "notifications",
		"audit", "seal", "rate_limit", "role", "roles",
	},
	"server":     {"tls", "rate_limit", "trusted_proxies"},
	"deployment": {"approval", "approvals", "freeze", "webhook", "webhooks"},
	"history":    {"database"},
	"cache":      {"redis"},
}

var policyGrammar = schema.Block{
	Attributes: []schema.Attribute{
		attr("on_failure", "string"), attr("concurrent", "string"), attr("bake", "string"), attr("require_reason", "bool"),
	},
	Blocks: []schema.NestedBlock{single("timeouts", schema.Block{Attributes: []schema.Attribute{
		attr("preparing", "string"), attr("deploying", "string"), attr("verifying", "string"), attr("rolling_back", "string"),
	}})},
}

// componentGrammar is a component without its spec and checks.
var componentGrammar = schema.Block{
	Attributes: []schema.Attribute{attr("platform", "string"), attr("depends_on", "list(string)")},
	Blocks: []schema.NestedBlock{single("promote", schema.Block{Attributes: []schema.Attribute{
		attr("steps", "list(number)"), attr("pause", "string"),
	}})},
}

// applicationGrammar is an application without its components and environments.
var applicationGrammar = schema.Block{
	Attributes: []schema.Attribute{attr("default_environment", "string")},
	Blocks:     []schema.NestedBlock{single("policy", policyGrammar)},
}

var environmentGrammar = schema.Block{Blocks: []schema.NestedBlock{single("policy", policyGrammar)}}

// laterApplication names the keys of application files that a later version has.
var laterApplication = map[string][]string{
	"application": {"approval", "approvals", "freeze", "freeze_window", "webhook", "webhooks", "notification", "analysis"},
	"environment": {"approval", "approvals", "freeze", "freeze_window", "webhook", "webhooks"},
	"policy":      {"approval", "approvals", "freeze"},
	"component":   {"analysis"},
}

// checkAttributes are those of every check.
var checkAttributes = []schema.Attribute{
	attr("interval", "string"), attr("timeout", "string"), attr("passes", "number"), attr("failures", "number"), attr("startup", "string"),
}

// checkGrammars are the checks by type.
var checkGrammars = map[string]schema.Block{
	"http": {Attributes: append([]schema.Attribute{
		required("url", "string", `what to ask, as in "http://${address}/healthz"`),
		attr("method", "string"), attr("headers", "map(string)"), attr("status", "list(number)"),
		attr("body", "string"), attr("header", "map(string)"), attr("latency", "string"),
	}, checkAttributes...)},
	"tcp": {Attributes: append([]schema.Attribute{
		required("address", "string", `host:port, or "${address}"`),
	}, checkAttributes...)},
	"grpc": {Attributes: append([]schema.Attribute{
		required("address", "string", `host:port, or "${address}"`), attr("service", "string"), attr("tls", "bool"),
	}, checkAttributes...)},
}

// laterChecks are check types of a later version.
var laterChecks = []string{"postgres", "redis", "mysql", "prometheus"}
