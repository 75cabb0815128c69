package config

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Platforms is what definitions need of the platforms.
type Platforms interface {
	// Spec returns the schema of a component's spec on the platform. One that is
	// not ready is a *deployment.Error Unavailable.
	Spec(ctx context.Context, platform string) (schema.Schema, error)
	// Validate asks the plugin about a spec that is complete and typed.
	Validate(ctx context.Context, platform string, spec []byte) (diag.Diagnostics, error)
}

// Applications knows the application files. It keeps nothing: each call reads
// them afresh. It is safe for concurrent use.
type Applications struct {
	config    *Config
	platforms Platforms
}

// NewApplications returns the applications of c.
func NewApplications(c *Config, platforms Platforms) *Applications {
	return &Applications{config: c, platforms: platforms}
}

// Application is an application that a file defines.
type Application struct {
	Name         string // of a file that cannot be read: its own, without the ending
	File         string
	Environments []string // that it has blocks for
	Components   []string
	Problem      string // why it cannot be deployed, "" where nothing is known to be wrong
}

// applicationFile is one file as it was read.
type applicationFile struct {
	src  *source
	apps []*application
	ps   *problems // outside of its applications
}

// stem is the file's name without its ending.
func (f *applicationFile) stem() string {
	base := filepath.Base(f.src.path)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// List returns what the application files define, by name.
func (a *Applications) List(ctx context.Context) []Application {
	out := []Application{}
	files := a.scan(ctx)
	for _, f := range files {
		fileProblem := firstProblem(f.ps)
		if len(f.apps) == 0 && fileProblem != "" {
			out = append(out, Application{Name: f.stem(), File: f.src.display, Environments: []string{}, Components: []string{}, Problem: fileProblem})
		}
		for _, app := range f.apps {
			one := Application{
				Name: app.name, File: f.src.display, Environments: app.environments(), Components: app.components(),
				Problem: fileProblem,
			}
			if one.Problem == "" {
				one.Problem = firstProblem(app.ps)
			}
			if twins := named(files, app.name); one.Problem == "" && len(twins) > 1 {
				one.Problem = definedTwice(twins)
			}
			out = append(out, one)
		}
	}
	slices.SortStableFunc(out, func(x, y Application) int { return strings.Compare(x.Name+"\x00"+x.File, y.Name+"\x00"+y.File) })
	return out
}

// components returns the names of all components, of all environments.
func (app *application) components() []string {
	names := []string{}
	bodies := []*body{app.body}
	for _, one := range app.body.of("environment") {
		bodies = append(bodies, one.body)
	}
	for _, b := range bodies {
		for _, one := range b.of("component") {
			if len(one.labels) == 1 && !slices.Contains(names, one.labels[0]) {
				names = append(names, one.labels[0])
			}
		}
	}
	return names
}

func firstProblem(ps *problems) string {
	for _, p := range ps.list {
		if !p.Warning {
			return ps.redact(p).String()
		}
	}
	return ""
}

// scan reads all application files.
func (a *Applications) scan(ctx context.Context) []*applicationFile {
	var paths []string
	for _, pattern := range a.config.ApplicationGlobs {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			continue // Load has checked the patterns
		}
		paths = append(paths, matches...)
	}
	slices.Sort(paths)
	var files []*applicationFile
	for _, path := range slices.Compact(paths) {
		if ctx.Err() != nil {
			break
		}
		src, err := readSource(path, a.config.display(path))
		f := &applicationFile{src: src, ps: &problems{}}
		if err != nil {
			f.ps.list = append(f.ps.list, deployment.Problem{File: src.display, Message: "cannot be read: " + reasonOf(err), Remedy: "make it readable, or take it out of the directory"})
		} else {
			f.apps = applicationsIn(src, f.ps)
		}
		files = append(files, f)
	}
	return files
}

// named returns the applications of that name.
func named(files []*applicationFile, name string) []*application {
	var out []*application
	for _, f := range files {
		for _, app := range f.apps {
			if app.name == name {
				out = append(out, app)
			}
		}
	}
	return out
}

func definedTwice(twins []*application) string {
	places := make([]string, 0, len(twins))
	for _, app := range twins {
		places = append(places, app.at.short())
	}
	return "defined twice: " + strings.Join(places, " and ")
}

// find returns the application of that name, nil where no file defines it. A
// broken file stops only what it defines: by its text as far as it can be read,
// by its name, or because it is the file that was deployed last.
func find(files []*applicationFile, name, lastFile string) (*application, error) {
	twins := named(files, name)
	if len(twins) > 1 {
		ps := &problems{}
		for _, app := range twins {
			ps.add(app.at, "rename one of them", "application %s is defined here", quote(name))
		}
		return nil, ps.err(fmt.Sprintf("application %s is %s", quote(name), definedTwice(twins)), "")
	}
	for _, f := range files {
		mine := len(twins) == 1 && twins[0].src == f.src
		if mine || (len(twins) == 0 && (f.stem() == name || f.src.path == lastFile)) {
			if err := f.ps.err(f.src.display+" is not valid", ""); err != nil {
				return nil, err
			}
		}
	}
	if len(twins) == 0 {
		return nil, nil
	}
	return twins[0], twins[0].ps.err(fmt.Sprintf("application %s is not valid", quote(name)), "")
}
