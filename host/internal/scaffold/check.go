package scaffold

import (
	"context"
	"errors"
	"fmt"
	goversion "go/version"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// pluginName is what config.hcl takes as the label of a plugin block. It also
// becomes a block, a directory and a program.
var pluginName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// checkName refuses what cannot be the name of a plugin.
func checkName(name string) error {
	switch {
	case name == "history" || name == "cache":
		return invalid("choose another name", "a plugin cannot be named %q: deployment { %s { … } } is the host's", name, name)
	case pluginName.MatchString(name):
		return nil
	}
	remedy := "use lower case letters, digits, - and _, a letter first, 63 at most"
	if near := suggestion(name); near != "" {
		remedy += "; for example " + near
	}
	return invalid(remedy, "%q is no name for a plugin", name)
}

var unusable = regexp.MustCompile(`[^a-z0-9_-]+`)

// suggestion returns a name near the wrong one, "" if nothing is left of it.
func suggestion(name string) string {
	near := strings.Trim(unusable.ReplaceAllString(strings.ToLower(name), "-"), "-_0123456789")
	near = strings.TrimPrefix(near, "apm-plugin-")
	if !pluginName.MatchString(near) {
		return ""
	}
	return near
}

// checkModule refuses what `go mod init` would refuse, and what is ours.
func checkModule(path string) error {
	if err := module.CheckImportPath(path); err != nil {
		var wrong *module.InvalidPathError
		if errors.As(err, &wrong) {
			err = wrong.Err
		}
		return invalid("write it like example.com/team/apm-plugin-files", "%q is no path of a Go module: %w", path, err)
	}
	if path == ours || strings.HasPrefix(path, ours+"/") {
		return invalid("choose a path of your own, like example.com/team/apm-plugin-files", "%q belongs to APM itself", path)
	}
	return nil
}

// goTime bounds a question to the go command, which may get a newer toolchain first.
const goTime = 5 * time.Minute

// checkGo looks whether the go command can build a module with that go.mod, in its
// directory: there it may choose a newer toolchain by itself.
func checkGo(ctx context.Context, dir string, mod []byte) error {
	file, err := modfile.ParseLax("go.mod", mod, nil)
	if err != nil {
		return err
	}
	needed := file.Go.Version
	get := fmt.Sprintf("install Go %s or newer: https://go.dev/dl/ has it for every system", needed)
	if _, err := exec.LookPath("go"); err != nil {
		return &deployment.Error{
			Code: deployment.Unavailable, Err: err, Remedy: get,
			Message: fmt.Sprintf("a plugin needs Go %s to be built, and there is no go on the PATH", needed),
		}
	}
	have, err := ask(ctx, dir, "GOVERSION")
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		// It cannot say so here; without the go.mod it can.
		have, err = ask(ctx, os.TempDir(), "GOVERSION")
	}
	if err != nil {
		return &deployment.Error{
			Code: deployment.Unavailable, Err: err, Remedy: get,
			Message: fmt.Sprintf("a plugin needs Go %s to be built, and the go on the PATH does not work: %v", needed, err),
		}
	}
	if goversion.Compare(have, "go"+needed) < 0 {
		return &deployment.Error{
			Code: deployment.Unavailable, Message: fmt.Sprintf("a plugin needs Go %s to be built; this is %s", needed, have),
			Remedy: get + ", or let go get it: GOTOOLCHAIN=auto",
		}
	}
	return nil
}

// workspace returns the go.work above a directory, which leaves its module out: ""
// where there is none.
func workspace(ctx context.Context, dir string) string {
	file, err := ask(ctx, dir, "GOWORK")
	if err != nil || !filepath.IsAbs(file) {
		return ""
	}
	return file
}

// ask asks the go command for a setting, as it is in a directory.
func ask(ctx context.Context, dir, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, goTime)
	defer cancel()
	command := exec.CommandContext(ctx, "go", "env", name)
	command.Dir = dir
	command.Env = os.Environ()
	if name != "GOWORK" {
		command.Env = append(command.Env, "GOWORK=off")
	}
	output, err := command.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimSpace(string(output)), err
}

// invalid is an error of what was asked for.
func invalid(remedy, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &deployment.Error{Code: deployment.Invalid, Message: err.Error(), Remedy: remedy, Err: err}
}
