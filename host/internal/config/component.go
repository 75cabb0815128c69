package config

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk/schema"
)

// component evaluates one component with what the request says of it.
func (w *work) component(vars scope, c component, configuration json.RawMessage, fromRequest []check) (deployment.ComponentDefinition, error) {
	var host, checks *body
	var specs []*body
	for _, layer := range c.layers {
		host = merge(&componentGrammar, host, layer.without("spec", "check"))
		checks = mergeChecks(checks, layer)
		if spec := layer.of("spec"); len(spec) > 0 {
			specs = append(specs, spec[0].body)
		}
	}
	d := decoder{scope: vars, ps: w.ps}
	o := d.decode(&componentGrammar, "component", host)
	def := deployment.ComponentDefinition{
		Name: c.name, DependsOn: o.texts("depends_on"), Promotion: w.promotion(o),
		Checks: w.checks(vars, checks, fromRequest),
	}
	name, ok := w.platformOf(o, c)
	if !ok {
		return def, nil
	}
	def.Platform = name
	platform, _ := w.config.Platform(name)
	def.Monitor = platform.Monitor
	var err error
	if def.Spec, err = w.spec(vars, c, name, specs, configuration); err == nil {
		s, known := w.schemas[name]
		if known {
			def.Sensitive = s.Sensitive()
		}
	}
	return def, err
}

// platformOf is the platform that the component names, else the one to fill in.
func (w *work) platformOf(o *object, c component) (string, bool) {
	if o.attrs["platform"].bad {
		return "", false
	}
	if o.has("platform") {
		name := o.text("platform")
		if name == "" {
			w.ps.add(o.attrs["platform"].at, "name a platform, or remove it", "%q is empty", "platform")
			return "", false
		}
		return name, w.checkPlatform(o.attrs["platform"].at, name)
	}
	before := w.ranOn(c.name)
	switch {
	case w.asked == "" && before != "" && w.last.Environment == w.env, w.fill == "" && before != "":
		return before, true
	case w.fill != "":
		w.filled = true
		return w.fill, w.checkPlatform(field("platform"), w.fill)
	case w.app == nil:
		w.ps.lacks = true
		w.ps.add(field("platform"), "name one, or set default_platform in deployment {} of "+w.config.File, "no platform is named")
	default:
		w.ps.add(c.at, `add platform = "…", or name one with the request, or set default_platform in deployment {} of `+w.config.File, "component %s names no platform", quote(c.name))
	}
	return "", false
}

// ranOn is the platform of a component of the last deployment, if there still is
// such a platform: what names none stays where it is, and needs naming once only.
func (w *work) ranOn(component string) string {
	if w.last == nil {
		return ""
	}
	for _, before := range w.last.Components {
		if _, known := w.config.Platform(before.Platform); known && before.Name == component {
			return before.Platform
		}
	}
	return ""
}

// schema asks for the platform's spec once per definition.
func (w *work) schema(platform string) (schema.Schema, error) {
	if s, ok := w.schemas[platform]; ok {
		return s, nil
	}
	s, err := w.platforms.Spec(w.ctx, platform)
	if err != nil {
		return s, fmt.Errorf("read schema of platform %q: %w", platform, err)
	}
	w.schemas[platform] = s
	return s, nil
}

// spec merges file, environment and request, evaluates the result, and asks the
// plugin about it.
func (w *work) spec(vars scope, c component, platform string, layers []*body, configuration json.RawMessage) (json.RawMessage, error) {
	s, err := w.schema(platform)
	if err != nil {
		return nil, err
	}
	before := w.ps.count()
	d := decoder{scope: vars, ps: w.ps, guarded: true, secret: sensitiveKeys("", &s.Block)}
	at := field("configuration")
	if w.app != nil && len(w.app.in(w.env)) > 1 {
		at = at.in(c.name)
	}
	spec := &body{at: c.at}
	for i, layer := range layers {
		// A block that stands twice in one layer would match both of the other.
		d.repeats(&s.Block, layer)
		if i == 0 {
			spec = layer
		} else {
			spec = merge(&s.Block, spec, layer)
		}
	}
	spec = merge(&s.Block, spec, fromJSON(&s.Block, configuration, at, w.ps))
	if w.ps.count() > before {
		return nil, nil
	}
	o := d.decode(&s.Block, "spec", spec)
	if w.ps.count() > before {
		return nil, nil
	}
	w.specs[c.name] = o
	raw, err := o.json()
	if err != nil {
		return nil, fmt.Errorf("encode spec of component %q: %w", c.name, err)
	}
	found, err := w.platforms.Validate(w.ctx, platform, raw)
	if err != nil {
		return nil, fmt.Errorf("validate spec of component %q: %w", c.name, err)
	}
	w.ps.addDiagnostics(o, found)
	return raw, nil
}

// promotion reads how traffic moves.
func (w *work) promotion(o *object) deployment.Promotion {
	p := deployment.DefaultPromotion()
	promote := o.first("promote")
	if promote == nil {
		return p
	}
	p.Pause = promote.duration(w.ps, "pause", 0, p.Pause)
	if !promote.has("steps") {
		return p
	}
	before := w.ps.count()
	steps := promote.numbers(w.ps, "steps", 1, 100)
	if w.ps.count() > before {
		return p
	}
	for i := 1; i < len(steps); i++ {
		if steps[i] <= steps[i-1] {
			w.ps.add(promote.locate([]string{"steps", strconv.Itoa(i)}), "write them rising, as in [10, 50, 100]", "step %d follows step %d", steps[i], steps[i-1])
			return p
		}
	}
	if len(steps) == 0 || steps[len(steps)-1] != 100 {
		w.ps.add(promote.attrs["steps"].at, "let the last step be 100, as in [10, 50, 100]", "%q must end in 100", "steps")
		return p
	}
	p.Steps = steps
	return p
}

// policy merges application, environment and request.
func (w *work) policy(vars scope) deployment.Policy {
	p := deployment.DefaultPolicy()
	merged := &body{at: field("policy")}
	if w.app != nil {
		for _, b := range []*body{w.app.body, w.app.environment(w.env)} {
			if b == nil {
				continue
			}
			for _, one := range b.of("policy") {
				merged = merge(&policyGrammar, merged, one.body)
			}
		}
	}
	merged = merge(&policyGrammar, merged, fromJSON(&policyGrammar, w.req.Policy, field("policy"), w.ps))
	d := decoder{scope: vars, ps: w.ps, later: laterApplication}
	o := d.decode(&policyGrammar, "policy", merged)

	if choice := o.oneOf(w.ps, "on_failure", string(deployment.OnFailureRollback), string(deployment.OnFailureLeave)); choice != "" {
		p.OnFailure = deployment.OnFailure(choice)
	}
	if choice := o.oneOf(w.ps, "concurrent", string(deployment.ConcurrentQueue), string(deployment.ConcurrentRefuse), string(deployment.ConcurrentSupersede)); choice != "" {
		p.Concurrent = deployment.Concurrent(choice)
	}
	p.Bake = o.duration(w.ps, "bake", 0, p.Bake)
	p.RequireReason = o.truth("require_reason")
	if t := o.first("timeouts"); t != nil {
		const least = time.Millisecond
		p.Timeouts.Preparing = t.duration(w.ps, "preparing", least, p.Timeouts.Preparing)
		p.Timeouts.Deploying = t.duration(w.ps, "deploying", least, p.Timeouts.Deploying)
		p.Timeouts.Verifying = t.duration(w.ps, "verifying", least, p.Timeouts.Verifying)
		p.Timeouts.RollingBack = t.duration(w.ps, "rolling_back", least, p.Timeouts.RollingBack)
	}
	return p
}
