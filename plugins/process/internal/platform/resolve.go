package platform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/apm-deploy/apm/plugins/process/internal/artifact"
	"github.com/apm-deploy/apm/plugins/process/internal/release"
	"github.com/apm-deploy/apm/plugins/process/internal/shim"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Resolve freezes the spec: the artifact goes into the store, the command
// becomes a file with a digest.
func (p *Platform) Resolve(ctx context.Context, request sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
	_, dir, err := p.identity(request.Target)
	if err != nil {
		return sdk.Release{}, nil, err
	}
	spec, diags := schema.Read[Spec](request.Target.Spec)
	if diags.HasErrors() {
		return sdk.Release{}, diags, nil
	}
	p.mu.RLock()
	store := artifact.Store{Dir: p.layout.Artifacts(p.installation)}
	user := p.config.User
	p.mu.RUnlock()
	r := release.Release{
		Command: spec.Command, Directory: spec.Directory, Env: spec.Env, Replicas: spec.Replicas, Ports: spec.ports(),
		StopTimeout: spec.StopTimeout, Drain: spec.Drain, StartTimeout: spec.StartTimeout, User: user,
	}
	if spec.Artifact != "" {
		r.Artifact, r.Files, err = store.Add(ctx, spec.Artifact, shim.Claim(dir))
		var bad *artifact.InvalidError
		if errors.As(err, &bad) {
			what := fmt.Sprintf("artifact %q", spec.Artifact)
			if bad.Entry != "" {
				what += ":"
			}
			remedy := fmt.Sprintf("build version %q again, or correct artifact", request.Target.Version)
			return sdk.Release{}, append(diags, wrong("artifact", remedy, "%s %v", what, bad)), nil
		}
		if err != nil {
			return sdk.Release{}, diags, unavailable(ctx, "store artifact", err)
		}
	}
	if diags = append(diags, findCommand(&r, store)...); diags.HasErrors() {
		return sdk.Release{}, diags, nil
	}
	state, err := r.Encode()
	if err != nil {
		return sdk.Release{}, diags, internal("resolve", err)
	}
	return sdk.Release{
		Version: release.Encoding, State: state, Digest: r.Digest(), Revision: request.Target.Version, View: r.View(),
	}, diags, nil
}

// findCommand looks up the program, in the artifact or on this machine.
func findCommand(r *release.Release, store artifact.Store) (diags diag.Diagnostics) {
	files := ""
	if r.Artifact != "" {
		files = store.Files(r.Artifact)
	}
	directory := r.Directory
	if !filepath.IsAbs(directory) && files != "" {
		directory = filepath.Join(files, directory)
	}
	if directory != "" {
		if info, err := os.Stat(directory); err != nil || !info.IsDir() {
			where := "on this machine"
			if files != "" && !filepath.IsAbs(r.Directory) {
				where = "in the artifact"
			}
			return append(diags, wrong("directory", "make it, or correct directory", "there is no directory %q %s", r.Directory, where))
		}
	}
	program := r.Command[0]
	var found string
	switch {
	case filepath.IsAbs(program):
		found = program
	case !strings.Contains(program, "/"):
		if found = lookPath(program, r.Env); found == "" {
			remedy := "install it, or write the whole path"
			if _, err := os.Stat(filepath.Join(directory, program)); err == nil && directory != "" {
				remedy = "it lies in the directory: write ./" + program
			}
			return append(diags, wrong("command", remedy, "command %q was not found in PATH", program))
		}
	case directory == "":
		return append(diags, wrong("command", "give an artifact, a directory, or the whole path", "command %q is relative", program))
	default:
		found = filepath.Join(directory, program)
	}
	if problem := runnable(found); problem != "" {
		return append(diags, wrong("command", "correct command, or the file", "command %q %s", program, problem))
	}
	r.Executable = found
	if files != "" {
		if inside, err := filepath.Rel(files, found); err == nil && filepath.IsLocal(inside) {
			r.Executable = inside
		}
		return diags
	}
	var err error
	if r.Files, err = artifact.HashFile(found); err != nil {
		diags = append(diags, wrong("command", "let the host's user read it", "command %q cannot be read: %v", program, err))
	}
	return diags
}

// wrong is an error about a key of the spec, with what to do.
func wrong(key, remedy, format string, args ...any) diag.Diagnostic {
	return diag.Diagnostic{Severity: diag.Error, Summary: fmt.Sprintf(format, args...), Detail: remedy, Path: []string{key}}
}

func runnable(file string) string {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "was not found"
	case err != nil:
		return "cannot be looked at: " + err.Error()
	case !info.Mode().IsRegular():
		return "is not a file"
	case info.Mode().Perm()&0o111 == 0:
		return "is not executable; chmod +x it"
	default:
		return ""
	}
}

// lookPath finds a program in the PATH that the instance will have.
func lookPath(program string, env map[string]string) string {
	path, own := env["PATH"]
	if !own {
		found, err := exec.LookPath(program)
		if err != nil || !filepath.IsAbs(found) {
			return ""
		}
		return found
	}
	for _, dir := range filepath.SplitList(path) {
		if file := filepath.Join(dir, program); filepath.IsAbs(dir) && runnable(file) == "" {
			return file
		}
	}
	return ""
}
