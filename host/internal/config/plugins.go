package config

import (
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
)

var (
	pluginName   = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	platformName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// Limits of a plugin's own limits: below the least it could not serve.
const (
	minMemory = 64 << 20
	minFiles  = 64
	maxFiles  = 1 << 20
)

func (c *Config) readPlugins(o *object, ps *problems) {
	for _, one := range o.blocks["plugin"] {
		p := Plugin{
			Name: one.label, Path: one.text("path"), Environment: one.texts("environment"),
			Dev: one.truth("dev"), LogLevel: "info", SHA256: strings.ToLower(one.text("sha256")),
		}
		switch {
		case one.label == "": // reported by the decoder
		case isHostBlock(one.label):
			ps.add(one.at, "choose another name", "a plugin cannot be named %q: deployment { %s { … } } is the host's", one.label, one.label)
		case !pluginName.MatchString(one.label):
			ps.add(one.at, "lower case letters, digits, - and _", "%s is no name for a plugin", quote(one.label))
		}
		if one.has("path") && p.Path == "" {
			ps.add(one.attrs["path"].at, "name the plugin's binary", "%q is empty", "path")
		}
		if raw, err := hex.DecodeString(p.SHA256); one.has("sha256") && (err != nil || len(raw) != 32) {
			ps.add(one.attrs["sha256"].at, "write 64 hexadecimal digits, or remove it and run: apm plugin lock", "%q is no SHA-256 checksum", "sha256")
		}
		for i, name := range p.Environment {
			if !variableName.MatchString(name) {
				ps.add(one.locate([]string{"environment", strconv.Itoa(i)}), `write names only, as in "HTTPS_PROXY"`, "%s is no name of a variable", quote(name))
			}
		}
		if level := one.oneOf(ps, "log_level", "trace", "debug", "info", "warn", "error"); level != "" {
			p.LogLevel = level
		}
		p.MemoryLimit = one.bytes(ps, "memory_limit", minMemory, 0)
		p.OpenFiles = one.number(ps, "open_files", minFiles, maxFiles, 0)
		c.plugins = append(c.plugins, p)
	}
}

func (c *Config) pluginNames() []string {
	var names []string
	for _, p := range c.plugins {
		names = append(names, p.Name)
	}
	return names
}

// pluginsKnown names the plugins that a platform can be of, for a remedy: the one
// that was most likely meant by what is stated, or all.
func (c *Config) pluginsKnown(stated string) string {
	if names := c.pluginNames(); len(names) > 0 {
		return suggest(stated, names)
	}
	return `and declare it: plugin "NAME" { path = "…" }`
}
