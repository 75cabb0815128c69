package scaffold

import (
	"context"
	"path/filepath"
)

// modulesDir is where the module of a plugin has api and sdk.
const modulesDir = "third_party/apm"

// Plugin is what to write.
type Plugin struct {
	// Name of the plugin, the label of its block in config.hcl.
	Name string
	// Dir is where its module goes; default: apm-plugin-NAME in the working
	// directory. It must be empty or not there.
	Dir string
	// Module is its module path; default: example.com/apm-plugin-NAME.
	Module string
	// Workspace is the go.work that New found above Dir, "" for none. The module is
	// no part of it, so that go needs GOWORK=off in Dir.
	Workspace string
}

// New writes the module of a plugin, and returns what it wrote with the defaults
// filled in and an absolute Dir. It returns a *deployment.Error, and has written
// nothing: Invalid for a name or a module path that cannot be used, Conflict for a
// directory that holds something, Unavailable for one that cannot be written to and
// where no Go that builds the module is there.
func New(ctx context.Context, p Plugin) (Plugin, error) {
	if err := checkName(p.Name); err != nil {
		return p, err
	}
	if p.Module == "" {
		p.Module = "example.com/apm-plugin-" + p.Name
	}
	if err := checkModule(p.Module); err != nil {
		return p, err
	}
	if p.Dir == "" {
		p.Dir = "apm-plugin-" + p.Name
	}
	var err error
	if p.Dir, err = filepath.Abs(p.Dir); err != nil {
		return p, err
	}
	files, err := render(p.Name, p.Module)
	if err != nil {
		return p, err
	}
	copies, err := modules()
	if err != nil {
		return p, err
	}
	for name, content := range copies {
		files[modulesDir+"/"+name] = content
	}
	err = write(ctx, p.Dir, files, func(stage string) error {
		p.Workspace = workspace(ctx, stage)
		return checkGo(ctx, stage, files["go.mod"])
	})
	return p, err
}
