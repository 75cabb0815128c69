package cli_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli"
)

// do runs a command line against the host and insists on its exit code. No
// output may hold a control byte: nobody looks at it from a terminal.
func (h testHost) do(t *testing.T, want cli.ExitCode, args ...string) (stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	code, stdout, stderr := runContext(ctx, t, h.env, args...)
	if code != want {
		t.Fatalf("apm %s: exit %d, want %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), code, want, stdout, stderr)
	}
	for _, r := range stdout + stderr {
		if unicode.IsControl(r) && r != '\n' {
			t.Fatalf("apm %s: control character %q in\n%s%s", strings.Join(args, " "), r, stdout, stderr)
		}
	}
	return stdout, stderr
}

// id returns the id of the newest deployment.
func (h testHost) id(t *testing.T) string {
	t.Helper()
	stdout, _ := h.do(t, cli.ExitDone, "deploy", "list", "--limit", "1", "--jq", ".deployments[0].id")
	return strings.TrimSpace(stdout)
}

func contains(t *testing.T, text string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestDeployAndRollBack(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	stdout, stderr := h.do(t, cli.ExitDone, "deploy", "start", "--name", "shop", "--version", "v1", "--watch", "--reason", "first")
	contains(t, stdout, "VERSION", "v1", "completed")
	contains(t, stderr, "accepted", "pending → preparing", "→ completed")
	first := h.id(t)

	h.do(t, cli.ExitDone, "deploy", "start", "--name", "shop", "--version", "v2", "--watch")
	second := h.id(t)
	stdout, _ = h.do(t, cli.ExitDone, "deploy", "status", second[:13])
	contains(t, stdout, "shop v2 test  completed", "100.0%", "this is what runs", second)

	// Only the current one can be rolled back.
	_, stderr = h.do(t, cli.ExitError, "deploy", "rollback", first)
	contains(t, stderr, "error:", second)

	stdout, _ = h.do(t, cli.ExitDone, "deploy", "rollback", second, "--dry-run")
	contains(t, stdout, "Rollback of shop in test from v2 to v1", "$ write web", "+new", "not restored       data", "nothing was changed")

	// It is a new run of a deployment that had ended: the watch waits for that one.
	stdout, stderr = h.do(t, cli.ExitDone, "deploy", "rollback", second, "--reason", "Performance degradation", "--watch")
	contains(t, stdout, "rolled_back")
	contains(t, stderr, "rolling_back")

	// A watch of what has ended tells how: here as a person wished.
	h.do(t, cli.ExitDone, "deploy", "watch", second)
	stdout, _ = h.do(t, cli.ExitDone, "deploy", "history", second)
	contains(t, stdout, "run 1  deploy v1 → v2", "run 2  rollback v2 → v1", "Performance degradation", "█", "deploying")
	stdout, _ = h.do(t, cli.ExitDone, "deploy", "history", second, "-o", "jsonl")
	if got := strings.Count(stdout, "\n"); got != 2 {
		t.Errorf("%d lines of history, want one for each run:\n%s", got, stdout)
	}

	// To nothing it asks, and there is no terminal.
	_, stderr = h.do(t, cli.ExitUsage, "deploy", "rollback", first)
	contains(t, stderr, "--yes")
	h.do(t, cli.ExitDone, "deploy", "rollback", first, "--yes", "--watch")
}

func TestFailureIsExplained(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.do(t, cli.ExitDone, "deploy", "start", "--name", "shop", "--version", "v1", "--watch")
	_, stderr := h.do(t, cli.ExitRolledBack, "deploy", "start", "--name", "shop", "--version", "v2", "--set", "exits=true", "--watch")
	id := h.id(t)
	contains(t, stderr, "exit code 3", "apm deploy explain "+id)
	stdout, _ := h.do(t, cli.ExitDone, "deploy", "explain", id)
	contains(t, stdout, "EXITED", "exit code 3", "look at the last lines", "panic: no configuration", "What was done", "What runs now", "web v1 on memory", "Next")
	stdout, _ = h.do(t, cli.ExitDone, "deploy", "explain", id, "-o", "json", "--jq", ".evidence[0].code")
	contains(t, stdout, "EXITED")

	// Without a token there is no evidence, and the rest is told.
	anonymous := testHost{env: map[string]string{"APM_URL": h.env["APM_URL"], "APM_DATA_DIR": t.TempDir()}}
	stdout, _ = anonymous.do(t, cli.ExitDone, "deploy", "explain", id)
	contains(t, stdout, "Evidence needs a token")
	if strings.Contains(stdout, "panic") {
		t.Errorf("evidence is shown without a token:\n%s", stdout)
	}
	anonymous.do(t, cli.ExitNotAllowed, "deploy", "logs", id)
	anonymous.do(t, cli.ExitNotAllowed, "deploy", "start", "--name", "shop", "--version", "v3")
	wrong := testHost{env: map[string]string{"APM_URL": h.env["APM_URL"], "APM_TOKEN": "wrong.token"}}
	wrong.do(t, cli.ExitNotAllowed, "deploy", "list")
}

func TestWatchThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	_, stderr := h.do(t, cli.ExitTimeout, "deploy", "start", "--name", "shop", "--version", "v1", "--set", "stuck=true", "--watch", "--timeout", "1s")
	id := h.id(t)
	contains(t, stderr, "the deployment goes on", "apm deploy watch "+id)

	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	code, _, stderr := runContext(ctx, t, h.env, "deploy", "watch", id)
	if code != cli.ExitDetached {
		t.Errorf("watch that was left: exit %d", code)
	}
	contains(t, stderr, "the deployment goes on", "apm deploy watch "+id)

	stdout, _ := h.do(t, cli.ExitDone, "deploy", "cancel", id, "--reason", "wrong version", "--watch")
	contains(t, stdout, "wrong version")
}

func TestPlanThatNoLongerHolds(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.do(t, cli.ExitDone, "deploy", "start", "--name", "shop", "--version", "v1", "--watch")
	stdout, _ := h.do(t, cli.ExitDone, "deploy", "start", "--name", "shop", "--version", "v2", "--dry-run", "-o", "json")
	plan := filepath.Join(t.TempDir(), "plan.json")
	check(t, os.WriteFile(plan, []byte(stdout), 0o600))

	_, stderr := h.do(t, cli.ExitUsage, "deploy", "start", "--plan", plan, "--version", "v3")
	contains(t, stderr, "exclude each other")
	_, stderr = h.do(t, cli.ExitUsage, "deploy", "rollback", h.id(t), "--plan", plan)
	contains(t, stderr, "the plan of another command: apm deploy start carries it out")

	h.do(t, cli.ExitDone, "deploy", "start", "--name", "shop", "--version", "v3", "--watch")
	_, stderr = h.do(t, cli.ExitPlanOutOfDate, "deploy", "start", "--plan", plan, "--watch")
	contains(t, stderr, "web")
}

func TestFormats(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	stdout, _ := h.do(t, cli.ExitDone, "deploy", "list")
	contains(t, stdout, "no deployments")
	stdout, _ = h.do(t, cli.ExitDone, "deploy", "start", "--name", "shop", "--version", "1.0", "--watch", "-o", "jsonl")
	lines := bufio.NewScanner(strings.NewReader(stdout))
	types := map[string]int{}
	for lines.Scan() {
		var e apiv1.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("read %q: %v", lines.Text(), err)
		}
		types[e.Type]++
	}
	if types["deployment.accepted"] != 1 || types["deployment.status"] < 3 || types["snapshot"] < 1 {
		t.Errorf("events: %v", types)
	}
	id := h.id(t)
	for format, want := range map[string]string{
		"table": "NAME", "wide": "ACTOR", "json": `"version": "1.0"`, "yaml": `version: "1.0"`, "jsonl": `"version":"1.0"`,
	} {
		stdout, _ := h.do(t, cli.ExitDone, "deploy", "list", "-o", format)
		contains(t, stdout, want, id)
	}
	stdout, _ = h.do(t, cli.ExitDone, "deploy", "list", "--template", `{{range .deployments}}{{.name}}={{.version}}{{end}}`)
	contains(t, stdout, "shop=1.0")
	_, stderr := h.do(t, cli.ExitError, "deploy", "list", "--jq", ".deployments.name")
	contains(t, stderr, "does not fit the data, which -o json shows")
	// What cannot be an expression is noticed before a deployment begins.
	for flag, expression := range map[string]string{"--jq": ".deployments[", "--template": "{{.x"} {
		h.do(t, cli.ExitUsage, "deploy", "start", "--name", "shop", "--version", "2.0", flag, expression)
	}
	stdout, _ = h.do(t, cli.ExitDone, "deploy", "list", "--version", "2.0", "-o", "json")
	contains(t, stdout, `"deployments": []`)
	h.do(t, cli.ExitNotFound, "deploy", "status", "00000000-0000-0000-0000-000000000000")
	stdout, _ = h.do(t, cli.ExitDone, "deploy", "logs", id)
	contains(t, stdout, "web/web-1 | hello world")
	stdout, _ = h.do(t, cli.ExitDone, "deploy", "watch", id, "-o", "json")
	contains(t, stdout, `"status": "completed"`)
}

func TestRemoveTokensPluginsAudit(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.do(t, cli.ExitNotFound, "deploy", "remove", "shop", "--yes")
	file := write(t, "c.hcl", "content = \"from a file\"\nfile = \"x.txt\"\n")
	h.do(t, cli.ExitDone, "deploy", "start", "--name", "shop", "--version", "v1", "--watch", "--config", file)
	stdout, _ := h.do(t, cli.ExitDone, "deploy", "remove", "shop", "--dry-run")
	contains(t, stdout, "Removal of shop from test")
	h.do(t, cli.ExitDone, "deploy", "remove", "shop", "--yes", "--watch")

	stdout, _ = h.do(t, cli.ExitDone, "token", "create", "ci", "--role", "viewer", "-o", "json", "--jq", ".id")
	id := strings.TrimSpace(stdout)
	stdout, _ = h.do(t, cli.ExitDone, "token", "list")
	contains(t, stdout, "ci", "viewer", id)
	stdout, _ = h.do(t, cli.ExitDone, "token", "revoke", id, "--yes")
	contains(t, stdout, "revoked")

	stdout, _ = h.do(t, cli.ExitDone, "plugin", "list")
	contains(t, stdout, "memory", "ready")
	stdout, _ = h.do(t, cli.ExitDone, "plugin", "inspect", "memory")
	contains(t, stdout, "content  string  (required)", "file  string  (path)")
	h.do(t, cli.ExitNotFound, "plugin", "inspect", "kubernetes")

	stdout, _ = h.do(t, cli.ExitDone, "audit", "--limit", "3")
	contains(t, stdout, "token.revoke", "token.create", "target.remove")
	if strings.Contains(stdout, "deployment.start") {
		t.Errorf("more than the limit:\n%s", stdout)
	}

	// The local token is found by itself, unless others may read it.
	local := testHost{env: map[string]string{"APM_DATA_DIR": h.dir}}
	stdout, _ = local.do(t, cli.ExitDone, "token", "show")
	contains(t, stdout, h.env["APM_TOKEN"])
	check(t, os.Chmod(filepath.Join(h.dir, "token"), 0o644))
	_, stderr := local.do(t, cli.ExitNotAllowed, "token", "show")
	contains(t, stderr, "chmod 600")
}
