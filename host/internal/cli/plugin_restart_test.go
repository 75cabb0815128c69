package cli_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// A restart ends well only with a platform that is ready.
func TestPluginRestart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		states []string // after it
		args   []string
		code   cli.ExitCode
		stdout string
		stderr []string
	}{
		"comes up":         {states: []string{"starting", "ready"}, stdout: "memory is ready: plugin memory 1.0.0, process 42", stderr: []string{"memory is starting"}},
		"at its second go": {states: []string{"starting", "backoff", "starting", "ready"}, stdout: "is ready", stderr: []string{"memory is backoff: exit status 7"}},
		"as JSON":          {states: []string{"ready"}, args: []string{"-o", "json", "--jq", ".pid"}, stdout: "42"},
		"breaks":           {states: []string{"starting", "backoff", "broken"}, code: cli.ExitError, stderr: []string{`error: platform "memory" is broken: exit status 7`, "apm plugin inspect memory"}},
		"the host ends":    {states: []string{"stopped"}, code: cli.ExitError, stderr: []string{"stopped"}},
		"takes too long":   {states: []string{"starting"}, args: []string{"--timeout", "1s"}, code: cli.ExitTimeout, stderr: []string{`platform "memory" is starting after 1s`}},
		"of nothing":       {args: []string{"nothing"}, code: cli.ExitNotFound, stderr: []string{"there is no platform nothing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.processes.with(func() { h.processes.restart = test.states })
			args := append([]string{"plugin", "restart"}, test.args...)
			if name != "of nothing" {
				args = append(args, "memory")
			}
			stdout, stderr := h.do(t, test.code, args...)
			contains(t, stdout, test.stdout)
			contains(t, stderr, test.stderr...)
			if test.code != cli.ExitDone && stdout != "" {
				t.Errorf("said %q", stdout)
			}
		})
	}
}

func TestPluginUpgrade(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	answers := func(u apiv1.PluginUpgrade, err error) {
		h.processes.with(func() { h.processes.upgrade = func() (apiv1.PluginUpgrade, error) { return u, err } })
	}
	answers(apiv1.PluginUpgrade{
		Plugin: "memory", FromVersion: "1.0.0", FromSHA256: strings.Repeat("a", 64), ToVersion: "1.1.0", ToSHA256: strings.Repeat("b", 64),
		Platforms: []string{"memory", "other"},
	}, nil)
	stdout, _ := h.do(t, cli.ExitDone, "plugin", "upgrade", "memory")
	contains(t, stdout, "memory 1.1.0 (sha256 bbbbbbbbbbbb) runs in place of 1.0.0 (aaaaaaaaaaaa): memory, other")
	stdout, _ = h.do(t, cli.ExitDone, "plugin", "upgrade", "memory", "-o", "json", "--jq", ".to_version")
	contains(t, stdout, "1.1.0")
	answers(apiv1.PluginUpgrade{Plugin: "memory", ToVersion: "1.1.0", ToSHA256: strings.Repeat("b", 64), Unchanged: true}, nil)
	stdout, _ = h.do(t, cli.ExitDone, "plugin", "upgrade", "memory")
	contains(t, stdout, "is what runs; there was nothing to do")
	answers(apiv1.PluginUpgrade{}, &deployment.Error{Code: deployment.Unavailable, Message: "it crashed at its start; the old one stays in charge", Remedy: "mend it"})
	stdout, stderr := h.do(t, cli.ExitError, "plugin", "upgrade", "memory")
	contains(t, stderr, "the old one stays in charge", "mend it")
	if stdout != "" {
		t.Errorf("said %q", stdout)
	}
}

// completions are what a shell is told of a word that was begun.
func completions(t *testing.T, env map[string]string, words ...string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	code, stdout, stderr := runContext(ctx, t, env, append([]string{"__complete"}, words...)...)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if code != cli.ExitDone || len(lines) == 0 || !strings.HasPrefix(lines[len(lines)-1], ":") {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	return lines[:len(lines)-1]
}

func TestCompletionOfPlatforms(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for _, words := range [][]string{{"plugin", "restart", "me"}, {"plugin", "inspect", ""}, {"plugin", "upgrade", ""}, {"deploy", "start", "--platform", ""}} {
		if got := completions(t, h.env, words...); len(got) != 1 || !strings.HasPrefix(got[0], "memory\t") {
			t.Errorf("%v: %q", words, got)
		}
	}
	at := filepath.Join(h.dir, "config.hcl")
	if got := completions(t, h.env, "--config-file", at, "plugin", "lock", ""); len(got) != 1 || got[0] != "memory\t/nonexistent" {
		t.Errorf("plugin lock: %q", got)
	}
	for _, words := range [][]string{
		{"plugin", "restart", "x"}, {"plugin", "restart", "memory", ""}, {"--config-file", at, "plugin", "lock", "memory", ""}, {"plugin", "new", ""},
	} {
		if got := completions(t, h.env, words...); len(got) != 0 {
			t.Errorf("%v: %q", words, got)
		}
	}
}
