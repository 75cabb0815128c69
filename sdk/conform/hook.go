package conform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest"
)

// hook is what the file has done beside the plugin, by commands.
type hook struct {
	name          string // of the block
	dir           string // where commands run
	env           []string
	timeout       time.Duration
	command, undo []string
}

// hookTimeout bounds a command where the file has no timeout.
const hookTimeout = 60 * time.Second

// hook reads a block of commands.
func (f *File) hook(b *hclsyntax.Block, attributes ...string) *hook {
	f.onlyAttributes(b.Type, b.Body, attributes, nil)
	h := f.newHook(b.Type)
	h.command = f.command(b, "command")
	if b.Body.Attributes["undo"] != nil {
		h.undo = f.command(b, "undo")
	}
	return h
}

func (f *File) newHook(name string) *hook {
	return &hook{name: name, dir: f.dir, env: f.Environment, timeout: max(f.Timeout, hookTimeout)}
}

// command reads a program and its arguments.
func (f *File) command(b *hclsyntax.Block, name string) []string {
	a := b.Body.Attributes[name]
	if a == nil {
		f.scope.ps.add(b.TypeRange.Start, `add command = ["program", "argument"]`, "missing %q in %s", name, b.Type)
		return nil
	}
	before := len(f.scope.ps.list)
	words := f.list(a)
	if len(f.scope.ps.list) == before && (len(words) == 0 || words[0] == "") {
		f.scope.ps.add(a.Expr.Range().Start, "write a program and its arguments", "%q in %s is empty", name, b.Type)
	}
	if len(words) > 0 && strings.Contains(words[0], "/") {
		words[0] = absolutePath(f.dir, words[0])
	}
	return words
}

// files is ChangeFiles of the suite.
func (h *hook) files(t plugintest.T) {
	t.Helper()
	if len(h.undo) > 0 {
		t.Cleanup(func() {
			if _, err := h.run(context.Background(), "undo", h.undo); err != nil {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := h.run(t.Context(), "command", h.command); err != nil {
		t.Fatalf("%v", err)
	}
}

// live is ChangeLive, or Prune, of the suite.
func (h *hook) live(t plugintest.T, target sdk.Target) {
	t.Helper()
	_, err := h.run(t.Context(), "command", h.command,
		"APM_APPLICATION="+target.Application, "APM_ENVIRONMENT="+target.Environment, "APM_COMPONENT="+target.Component)
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// maxOutput bounds what is shown of a command's output.
const maxOutput = 2000

// run runs one command in the directory of the file and returns its standard
// output.
func (h *hook) run(ctx context.Context, what string, words []string, env ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, h.timeout, fmt.Errorf("it ran for more than %v", h.timeout))
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir, cmd.Env = h.dir, append(append(os.Environ(), h.env...), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	inGroup(cmd) // with all that it starts
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if ended := context.Cause(ctx); ended != nil && err != nil {
		err = ended
	}
	if err == nil {
		return stdout.String(), nil
	}
	if errors.Is(err, os.ErrNotExist) && filepath.IsAbs(words[0]) {
		err = errors.New("there is no such program")
	}
	said := strings.TrimSpace(stderr.String() + stdout.String())
	if len(said) > maxOutput {
		said = "…" + said[len(said)-maxOutput:]
	}
	if said != "" {
		said = "\n" + said
	}
	return "", fmt.Errorf("%s.%s of the file, %q: %w%s", h.name, what, words, err, said)
}
