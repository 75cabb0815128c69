package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// readPlatforms takes the blocks of deployment {} and those named platform.
func (c *Config) readPlatforms(ofDeployment, named []*block, ps *problems) {
	for _, one := range ofDeployment {
		if len(one.labels) > 0 {
			ps.add(one.labelsAt[0], fmt.Sprintf("write %s { … }, or platform %q { … } outside of deployment", one.kind, one.labels[0]), "block %q has no name", one.kind)
			continue
		}
		if !slices.Contains(c.pluginNames(), one.kind) {
			remedy := fmt.Sprintf("add plugin %q { path = … }", clip(one.kind, 60))
			known := append(c.pluginNames(), "history", "cache")
			if near := Nearest(one.kind, known); near != "" {
				remedy = fmt.Sprintf("did you mean %q?", near)
			}
			ps.add(one.at, remedy, "%s is neither a block of deployment nor a plugin", quote(one.kind))
			continue
		}
		c.readPlatform(one, one.kind, one.kind, ps)
	}
	for _, one := range named {
		if len(one.labels) != 1 {
			ps.add(one.at, `write platform "name" { plugin = … }`, "block %q needs one name", "platform")
			continue
		}
		c.readPlatform(one, one.labels[0], "", ps)
	}
}

func (c *Config) readPlatform(one *block, name, plugin string, ps *problems) {
	if !platformName.MatchString(name) {
		ps.add(one.at, "letters, digits, . - and _", "%s is no name for a platform", quote(name))
		return
	}
	if first, twice := c.Platform(name); twice {
		ps.add(one.at, "choose another name", "platform %q stands twice, first at %s", name, first.at.short())
		return
	}
	mine := &body{at: one.body.at, blocks: one.body.of("monitor")}
	if a := one.body.attr("plugin"); a != nil {
		mine.attrs = append(mine.attrs, a)
	}
	d := decoder{scope: scope{ps: ps}, ps: ps}
	o := d.decode(&platformGrammar, "platform", mine)
	p := Platform{
		Name: name, Plugin: plugin, at: one.at, Monitor: deployment.DefaultMonitor(),
		body: one.body.without("plugin", "monitor"),
	}
	switch stated := o.text("plugin"); {
	case plugin == "" && !o.has("plugin"):
		if !o.attrs["plugin"].bad {
			ps.add(one.at, `add plugin = "…", `+c.pluginsKnown(""), "platform %q names no plugin", name)
		}
		return
	case plugin != "" && o.has("plugin") && stated != plugin:
		ps.add(o.attrs["plugin"].at, fmt.Sprintf("remove it, or write platform \"name\" { plugin = %s } outside of deployment", quote(stated)), "a block of deployment is the platform of the plugin of that name")
		return
	case plugin == "" && !slices.Contains(c.pluginNames(), stated):
		ps.add(o.attrs["plugin"].at, c.pluginsKnown(stated), "there is no plugin %s", quote(stated))
		return
	case plugin == "":
		p.Plugin = stated
	}
	if m := o.first("monitor"); m != nil {
		p.Monitor.Interval = m.duration(ps, "interval", 10*time.Millisecond, p.Monitor.Interval)
		p.Monitor.Timeout = m.duration(ps, "timeout", 10*time.Millisecond, p.Monitor.Timeout)
	}
	c.platforms = append(c.platforms, p)
}

// DecodePlatform evaluates the platform's block against its plugin's schema and
// returns what Configure receives.
func (c *Config) DecodePlatform(name string, s schema.Schema) (json.RawMessage, []deployment.Problem, error) {
	ps := &problems{}
	o, err := c.platform(name, s, ps)
	if err != nil {
		return nil, nil, err
	}
	if err := ps.err(fmt.Sprintf("platform %q is not valid", name), ""); err != nil {
		return nil, nil, err
	}
	raw, err := o.json()
	if err != nil {
		return nil, nil, fmt.Errorf("encode platform %q: %w", name, err)
	}
	return raw, ps.warnings(), nil
}

// LocatePlatform turns what a plugin said of the platform's configuration into
// problems with file, line and column.
func (c *Config) LocatePlatform(name string, s schema.Schema, found diag.Diagnostics) []deployment.Problem {
	ps := &problems{}
	o, err := c.platform(name, s, ps)
	if err != nil {
		return nil
	}
	ps.list = nil // DecodePlatform has said them
	ps.addDiagnostics(o, found)
	var out []deployment.Problem
	for _, p := range ps.list {
		out = append(out, ps.redact(p))
	}
	return out
}

func (c *Config) platform(name string, s schema.Schema, ps *problems) (*object, error) {
	p, ok := c.Platform(name)
	if !ok {
		return nil, &deployment.Error{
			Code: deployment.NotFound, Message: fmt.Sprintf("there is no platform %s", quote(name)),
			Remedy: suggest(name, c.platformNames()),
		}
	}
	d := decoder{scope: scope{ps: ps}, ps: ps, also: []string{"monitor"}}
	return d.decode(&s.Block, "", p.body), nil
}

// addDiagnostics maps what a plugin said to the places of o's values.
func (ps *problems) addDiagnostics(o *object, found diag.Diagnostics) {
	for _, d := range found {
		at := o.locate(d.Path)
		message := d.Summary
		if at.src != nil && len(d.Path) > 0 {
			message = joinPath(d.Path) + ": " + message
		}
		if d.Severity == diag.Warning {
			ps.warn(at, d.Detail, "%s", message)
		} else {
			ps.add(at, d.Detail, "%s", message)
		}
	}
}

func joinPath(path []string) string {
	field := ""
	for _, step := range path {
		field = joinField(field, step)
	}
	return field
}
