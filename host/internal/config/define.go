package config

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// work is one definition in the making.
type work struct {
	*Applications
	ctx   context.Context
	req   deployment.Request
	last  *deployment.Definition
	app   *application // nil: the request itself is the application
	known []*applicationFile
	ps    *problems
	env   string
	// asked is the platform that the request names; fill is the one for
	// components that name none, which may come from elsewhere.
	asked, fill string
	filled      bool // a component took fill
	schemas     map[string]schema.Schema
	specs       map[string]*object // by component
}

// Define returns what a request asks for, complete and frozen, and warnings. The
// application is known from its file, else from last (nil if there is none),
// else the request is an application of one component. What is wrong is a
// *deployment.Error Invalid with the place of each problem; a platform that is
// not ready is Unavailable.
func (a *Applications) Define(ctx context.Context, req deployment.Request, last *deployment.Definition) (deployment.Definition, []deployment.Problem, error) {
	return a.work(ctx, req, last).all()
}

// Locate turns what a plugin said of a component's spec into problems with file,
// line and column, or with the field of the request: the definition that Define
// made of the same. Empty where that cannot be read any more.
func (a *Applications) Locate(ctx context.Context, req deployment.Request, last *deployment.Definition, component string, found diag.Diagnostics) []deployment.Problem {
	w := a.work(ctx, req, last)
	if _, _, err := w.all(); err != nil || w.specs[component] == nil {
		return nil
	}
	ps := &problems{secrets: w.ps.secrets, shown: w.ps.shown}
	ps.addDiagnostics(w.specs[component], found)
	located := make([]deployment.Problem, 0, len(ps.list))
	for _, p := range ps.list {
		located = append(located, ps.redact(p))
	}
	return located
}

func (a *Applications) work(ctx context.Context, req deployment.Request, last *deployment.Definition) *work {
	return &work{
		Applications: a, ctx: ctx, req: req, last: last, ps: &problems{}, asked: req.Platform,
		schemas: map[string]schema.Schema{}, specs: map[string]*object{},
	}
}

// all makes the whole definition.
func (w *work) all() (deployment.Definition, []deployment.Problem, error) {
	none := deployment.Definition{}
	if err := w.checkRequest(); err != nil {
		return none, nil, err
	}
	w.known = w.scan(w.ctx)
	if err := w.ctx.Err(); err != nil {
		return none, nil, fmt.Errorf("read application files: %w", err)
	}
	if err := w.findApplication(); err != nil {
		return none, nil, err
	}
	w.choosePlatform()
	w.chooseEnvironment()
	if w.ps.failed() {
		return none, nil, w.err()
	}
	def, err := w.define()
	if err != nil {
		return none, nil, err
	}
	if err := w.err(); err != nil {
		return none, nil, err
	}
	return def, w.ps.warnings(), nil
}

func field(name string) place { return place{field: name} }

// checkRequest checks names and the platform, before any file is read.
func (w *work) checkRequest() error {
	w.ps.checkName(field("name"), "name", w.req.Name)
	w.ps.checkName(field("version"), "version", w.req.Version)
	if w.req.Environment != "" {
		w.ps.checkName(field("environment"), "environment", w.req.Environment)
	}
	w.checkPlatform(field("platform"), w.req.Platform)
	return w.ps.err("the request is not valid", "")
}

// checkPlatform reports a platform that config.hcl does not have.
func (w *work) checkPlatform(at place, name string) bool {
	if _, ok := w.config.Platform(name); ok || name == "" {
		return true
	}
	names := w.config.platformNames()
	remedy := "known platforms: " + strings.Join(names, ", ")
	if near := Nearest(name, names); near != "" {
		remedy = fmt.Sprintf("did you mean %q? %s", near, remedy)
	}
	if len(names) == 0 {
		remedy = w.config.File + " configures none"
	}
	w.ps.add(at, remedy, "there is no platform %s", quote(name))
	return false
}

// findApplication decides what the application is.
func (w *work) findApplication() error {
	lastFile := ""
	if w.last != nil {
		lastFile = w.last.Source.File
	}
	app, err := find(w.known, w.req.Name, lastFile)
	if err != nil {
		return err
	}
	w.app = app
	switch {
	case app != nil || w.last == nil:
	case w.last.Source.File != "":
		src := &source{path: lastFile, display: w.config.display(lastFile), content: w.last.Source.Content}
		stored := []*applicationFile{{src: src, ps: &problems{}}}
		stored[0].apps = applicationsIn(src, stored[0].ps)
		if w.app, err = find(stored, w.req.Name, lastFile); err != nil {
			return err
		}
		if w.app == nil {
			return fmt.Errorf("find application %q in the stored text of %q: not there", w.req.Name, lastFile)
		}
	default:
		return w.inherit()
	}
	return nil
}

// fromFile says whether a file of today defines the application.
func (w *work) fromFile() bool {
	return w.app != nil && slices.ContainsFunc(w.known, func(f *applicationFile) bool { return f.src == w.app.src })
}

// choosePlatform decides where components run that name no platform.
func (w *work) choosePlatform() {
	w.fill = w.req.Platform
	if w.fill == "" && w.last != nil && w.app != nil && !w.fromFile() {
		w.fill = w.last.Source.Request.Platform
	}
	if w.fill == "" {
		w.fill = w.config.DefaultPlatform
	}
}

// chooseEnvironment takes the request's, the application's, the last one's where
// the application is known from there, or the default of config.hcl.
func (w *work) chooseEnvironment() {
	w.env = w.req.Environment
	if w.env == "" && w.app != nil {
		d := decoder{scope: scope{ps: w.ps}.with("application", w.req.Name).with("version", w.req.Version), ps: w.ps}
		if v := d.attribute(attributeOf(&applicationGrammar, "default_environment"), w.app.body); v.given {
			w.env = v.AsString()
			w.ps.checkName(v.at, "default_environment", w.env)
		}
	}
	if w.env == "" && !w.fromFile() && w.last != nil {
		w.env = w.last.Environment
	}
	if w.env == "" {
		w.env = w.config.DefaultEnvironment
	}
	if w.env == "" && !w.ps.failed() {
		w.ps.add(field("environment"), "name one, or set default_environment in the application or in deployment {} of "+w.config.File, "no environment is named")
	}
	if w.app == nil || w.env == "" || w.app.environment(w.env) != nil {
		return
	}
	if near := Nearest(w.env, w.app.environments()); near != "" {
		w.ps.warn(field("environment"), fmt.Sprintf("did you mean %q?", near), "%s has no block for environment %s", w.app.src.display, quote(w.env))
	}
}

// define evaluates policy and components.
func (w *work) define() (deployment.Definition, error) {
	vars := scope{ps: w.ps}.with("version", w.req.Version).with("environment", w.env).with("application", w.req.Name)
	def := deployment.Definition{
		Application: w.req.Name, Environment: w.env, Version: w.req.Version,
		Policy: w.policy(vars),
	}
	components := w.components()
	overrides := w.configurations(components)
	checks := w.healthChecks(components)
	for _, c := range components {
		one, err := w.component(vars.with("component", c.name), c, overrides[c.name], checks[c.name])
		if err != nil {
			return def, err
		}
		def.Components = append(def.Components, one)
	}
	if !w.ps.failed() && w.asked != "" && !slices.ContainsFunc(def.Components, func(c deployment.ComponentDefinition) bool { return c.Platform == w.asked }) {
		w.ps.add(field("platform"), "leave it out, or remove platform from the component that is to run there", "no component of %s runs on platform %q: each names another", quote(w.req.Name), w.asked)
	}
	w.checkDependencies(components, def.Components)
	def.Source = w.source()
	return def, nil
}

// components returns what is to be defined.
func (w *work) components() []component {
	if w.app == nil {
		return []component{{name: w.req.Name, at: field("configuration"), layers: []*body{{at: field("configuration")}}}}
	}
	components := w.app.in(w.env)
	if len(components) == 0 {
		w.ps.add(w.app.at, `add component "name" { … }`, "application %s has no component in environment %s", quote(w.app.name), quote(w.env))
	}
	return components
}

// configurations returns what the request overrides, by component.
func (w *work) configurations(components []component) map[string]json.RawMessage {
	if len(components) == 1 {
		return map[string]json.RawMessage{components[0].name: w.req.Configuration}
	}
	byComponent, _ := jsonObject(w.req.Configuration, field("configuration"), w.ps)
	for _, name := range slices.Sorted(maps.Keys(byComponent)) {
		if !slices.ContainsFunc(components, func(c component) bool { return c.name == name }) {
			w.ps.add(field("configuration").in(name), suggest(name, componentNames(components)), "%s has several components, and %s is none of them", quote(w.req.Name), quote(name))
		}
	}
	return byComponent
}

func componentNames(components []component) []string {
	var names []string
	for _, c := range components {
		names = append(names, c.name)
	}
	return names
}

// source records what the definition was read from. Where the last deployment
// filled in, the request is stored with it, so that it says all the next time.
func (w *work) source() deployment.Source {
	s := deployment.Source{Request: w.req}
	if w.app != nil {
		s.File, s.Content = w.app.src.path, w.app.src.content
	} else {
		s.Request.Environment = w.env
	}
	if w.filled {
		s.Request.Platform = w.fill
	}
	return s
}

// err is all that is wrong. An application that nobody knows is told where one
// can begin.
func (w *work) err() error {
	subject := fmt.Sprintf("application %s is not valid", quote(w.req.Name))
	if w.app != nil || w.last != nil || !w.ps.lacks {
		if w.app == nil {
			subject = "the request is not valid"
		}
		return w.ps.err(subject, "")
	}
	return w.ps.err(fmt.Sprintf("application %s is not known, and the request does not say how to run it", quote(w.req.Name)), w.whereToBegin())
}

// whereToBegin names a file to start from and the applications that there are.
func (w *work) whereToBegin() string {
	dir := filepath.Join(w.config.Dir, "applications")
	for _, pattern := range w.config.ApplicationGlobs {
		if parent := filepath.Dir(pattern); !strings.ContainsAny(parent, `*?[\`) {
			dir = parent
			break
		}
	}
	var names []string
	example := ""
	for _, f := range w.known {
		for _, app := range f.apps {
			names = append(names, app.name)
			if example == "" || app.name == "my-app" {
				example = f.src.display
			}
		}
	}
	remedy := "write " + w.config.display(filepath.Join(dir, w.req.Name+".hcl"))
	if example != "" {
		remedy += ", starting from " + example
	}
	remedy += "; or give the missing keys in configuration"
	if near := Nearest(w.req.Name, names); near != "" {
		return fmt.Sprintf("did you mean %q? Else %s", near, remedy)
	}
	if len(names) > 0 {
		slices.Sort(names)
		if len(names) > 5 {
			names = append(names[:5], "…")
		}
		remedy += "; known applications: " + strings.Join(names, ", ")
	}
	return remedy
}
