package conform_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/sdk/conform"
	"github.com/apm-deploy/apm/sdk/plugintest/fake"
)

// run runs the command.
func run(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = conform.Main(ctx, conform.Streams{Out: &out, Err: &err}, args)
	return code, out.String(), err.String()
}

// row is the line of a case in a table.
func row(name, status string) *regexp.Regexp {
	return regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` +` + status + ` +\d+\.\d\ds`)
}

// read reads a report that was written as JSON.
func read(t *testing.T, path string) (report conform.Report) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(content, &report)
	}
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// A plugin that keeps every rule passes with a file that has everything in it; all
// that is skipped cannot be shown from outside.
func TestFakePasses(t *testing.T) {
	t.Parallel()
	binary := plugin(t, "apm-plugin-fake")
	file := beside(t, binary, "conform.hcl", fakeFile(""))
	dir := t.TempDir()
	code, stdout, stderr := run(t.Context(), binary, "--json", filepath.Join(dir, "report.json"), "--junit", filepath.Join(dir, "report.xml"))
	report := read(t, filepath.Join(dir, "report.json"))
	if code != conform.ExitPassed || stderr != "" || report.Failed > 0 || report.File != file || report.Plugin.Name != "fake" {
		t.Fatalf("exit %d, %s%s", code, stdout, stderr)
	}
	for _, c := range report.Cases {
		// What cannot be shown from outside, what its capabilities leave out, and what the fake does not have.
		without := regexp.MustCompile(`within this process|the plugin has |no UTF-8|prunes`)
		if why := strings.Join(c.Messages, " "); c.Status == "skipped" && !without.MatchString(why) {
			t.Errorf("%s is skipped: %s", c.Name, why)
		}
		if !row(c.Name, string(c.Status)).MatchString(stdout) {
			t.Errorf("the table has no line for %q:\n%s", c.Name, stdout)
		}
	}
	document, err := os.ReadFile(filepath.Join(dir, "report.xml"))
	if err != nil {
		t.Fatal(err)
	}
	checkJUnit(t, document, len(report.Cases), 0, report.Skipped)
}

// A plugin that breaks a rule fails the case of that rule, by name, everywhere.
func TestBrokenPluginIsNamed(t *testing.T) {
	t.Parallel()
	binary := plugin(t, "apm-plugin-broken")
	beside(t, binary, "conform.hcl", fakeFile(`fault "break" { rule = "epoch" }`))
	dir := t.TempDir()
	reports := []string{"--json", filepath.Join(dir, "report.json"), "--junit", filepath.Join(dir, "report.xml")}
	code, stdout, stderr := run(t.Context(), append(reports, "--run", "^(stale epoch refused|same id with another digest)$", binary, "-v")...)
	const broken = "stale epoch refused"
	if code != conform.ExitFailed || stderr != "" || !row(broken, "failed").MatchString(stdout) || !row("same id with another digest", "passed").MatchString(stdout) ||
		!strings.Contains(stdout, "\nfailed: "+broken+"\n") || !strings.Contains(stdout, "FAILED: 2 passed, 1 failed, 0 skipped") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	if !strings.Contains(stdout, `  | {"@timestamp"`) {
		t.Errorf("-v shows no line of the plugin's log:\n%s", stdout)
	}
	report := read(t, filepath.Join(dir, "report.json"))
	for _, c := range report.Cases {
		if (c.Status == "failed") != (c.Name == broken) || (c.Log == "") != (c.Name != broken) {
			t.Errorf("in JSON: %+v", c)
		}
	}
	document, err := os.ReadFile(filepath.Join(dir, "report.xml"))
	if err != nil {
		t.Fatal(err)
	}
	checkJUnit(t, document, 3, 1, 0)
	if !regexp.MustCompile(`<testcase name="` + broken + `" [^>]*>\s*<failure message="[^"]+`).Match(document) {
		t.Errorf("JUnit XML does not name it:\n%s", document)
	}
}

// The case that always runs has a name longer than that of the one asked for.
func TestColumnsAreStraight(t *testing.T) {
	t.Parallel()
	_, stdout, stderr := run(t.Context(), "--run", "^health is told$", plugin(t, "apm-plugin-fake"))
	var at []int
	for line := range strings.Lines(stdout) {
		if column := regexp.MustCompile(`  (RESULT|passed|skipped) `).FindStringIndex(line); column != nil {
			at = append(at, column[0])
		}
	}
	if len(at) != 3 || at[0] != at[1] || at[1] != at[2] {
		t.Errorf("columns at %v\n%s%s", at, stdout, stderr)
	}
}

// A plugin that starts and then contradicts itself fails a case: its file cannot be
// read by such a schema, and that is no mistake of who wrote the file.
func TestPluginThatContradictsItself(t *testing.T) {
	t.Parallel()
	variant := filepath.Join(t.TempDir(), "variant")
	if err := fake.Vary(os.Args[0], variant, fake.Variant{Schema: "contradicts"}); err != nil {
		t.Fatal(err)
	}
	binary := plugin(t, "apm-plugin-contradicts")
	executable(t, binary, fmt.Sprintf("#!/bin/sh\nexport APM_TEST_FAKE=1\nexec %q\n", variant))
	beside(t, binary, "conform.hcl", fakeFile(""))
	code, stdout, stderr := run(t.Context(), binary, "--run", "^describe")
	if code != conform.ExitFailed || stderr != "" || !row("describe before configure", "failed").MatchString(stdout) ||
		!strings.Contains(stdout, "schema of config: attribute \"root\": the name stands twice") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
}

// Without a file only what needs nothing to deploy runs, and one line says so.
func TestWithoutFile(t *testing.T) {
	t.Parallel()
	binary := plugin(t, "apm-plugin-fake")
	code, stdout, stderr := run(t.Context(), binary)
	const line = "\nno conform.hcl beside it: only the cases that need nothing to deploy run; write one, or name one with --config\n"
	if code != conform.ExitPassed || stderr != "" || !strings.Contains(stdout, line) {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	for name, status := range map[string]string{
		"describe before configure": "passed", "clean start by the wire contract": "passed", "lifeline closes": "passed",
		"configure exactly once": "skipped", "deploy twice with the same id": "skipped",
	} {
		if !row(name, status).MatchString(stdout) {
			t.Errorf("%s is not %s:\n%s", name, status, stdout)
		}
	}
}

// The file of a binary's own name goes before the one of the directory.
func TestFileBesideBinary(t *testing.T) {
	t.Parallel()
	binary := plugin(t, "apm-plugin-fake")
	beside(t, binary, "conform.hcl", "this is not read")
	own := beside(t, binary, "apm-plugin-fake.conform.hcl", `config { root = "${tmp}" }`)
	code, stdout, stderr := run(t.Context(), binary, "--run", "health")
	if code != conform.ExitPassed || !strings.Contains(stdout, ", with "+own+"\n") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	if err := os.Remove(own); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr = run(t.Context(), binary); code != conform.ExitUsage || !strings.Contains(stderr, "/conform.hcl:1:17: ") {
		t.Errorf("without it: exit %d, %s", code, stderr)
	}
	named := beside(t, binary, "named.hcl", `config { roof = "" }`)
	if code, _, stderr = run(t.Context(), "--config", named, binary); code != conform.ExitUsage ||
		!strings.Contains(stderr, named+`:1:10: unknown attribute "roof" in config; did you mean "root"?`) {
		t.Errorf("with --config: exit %d, %s", code, stderr)
	}
}

// A path without a directory is one of the working directory.
func TestBinaryOfTheWorkingDirectory(t *testing.T) {
	binary := plugin(t, "apm-plugin-fake")
	beside(t, binary, "conform.hcl", `config { root = "${tmp}" }`)
	t.Chdir(filepath.Dir(binary))
	code, stdout, stderr := run(t.Context(), "apm-plugin-fake", "--run", "health")
	if code != conform.ExitPassed || !strings.HasPrefix(stdout, "apm-plugin-fake: plugin fake ") || !strings.Contains(stdout, ", with ./conform.hcl\n") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
}

// The report on standard output is nothing but the report.
func TestReportOnStdout(t *testing.T) {
	t.Parallel()
	binary := plugin(t, "apm-plugin-fake")
	code, stdout, stderr := run(t.Context(), binary, "--json", "-", "--run", "^clean start")
	var report conform.Report
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != conform.ExitPassed || len(report.Cases) != 2 {
		t.Errorf("exit %d, %v, %s", code, err, stdout)
	}
	if !row("clean start by the wire contract", "passed").MatchString(stderr) {
		t.Errorf("the table is not on standard error: %s", stderr)
	}
	_, stdout, _ = run(t.Context(), binary, "--junit", "-", "--run", "^clean start")
	checkJUnit(t, []byte(stdout), 2, 0, 0)
}

func TestTimeoutGoesBeforeTheFile(t *testing.T) {
	t.Parallel()
	binary := plugin(t, "apm-plugin-fake")
	beside(t, binary, "conform.hcl", fakeFile(""))
	code, stdout, stderr := run(t.Context(), binary, "--run", "health", "--timeout", "1ns")
	if code != conform.ExitFailed || !row("health is told", "failed").MatchString(stdout) {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
}

// What is prepared is undone, and what cannot be prepared tests nothing.
func TestPrepare(t *testing.T) {
	t.Parallel()
	binary := plugin(t, "apm-plugin-fake")
	const file = `
config { root = "${tmp}" }
prepare {
  command = ["/bin/sh", "-c", "touch prepared; test -n \"$FINE\" || { echo no such luck >&2; exit 3; }"]
  undo    = ["/bin/sh", "-c", "mv prepared undone"]
}
`
	beside(t, binary, "conform.hcl", file)
	code, stdout, stderr := run(t.Context(), binary, "--run", "health")
	if code != conform.ExitUsage || stdout != "" || !strings.Contains(stderr, "prepare.command of the file") ||
		!strings.Contains(stderr, "exit status 3") || !strings.Contains(stderr, "no such luck") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	beside(t, binary, "conform.hcl", file+`environment = ["FINE=yes"]`)
	if code, stdout, stderr = run(t.Context(), binary, "--run", "health"); code != conform.ExitPassed {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(binary), "undone")); err != nil {
		t.Errorf("not undone: %v", err)
	}
	beside(t, binary, "conform.hcl", strings.Replace(file, "mv prepared", "mv nothing", 1)+`environment = ["FINE=yes"]`)
	if code, stdout, stderr = run(t.Context(), binary, "--run", "health"); code != conform.ExitUsage || !strings.Contains(stderr, "prepare.undo of the file") {
		t.Errorf("what cannot be undone: exit %d, %s%s", code, stdout, stderr)
	}
}

// A run that is ended says so, and what did not run has not passed.
func TestEndedRun(t *testing.T) {
	t.Parallel()
	binary := plugin(t, "apm-plugin-fake")
	beside(t, binary, "conform.hcl", fakeFile(""))
	ctx, cancel := context.WithCancel(t.Context())
	out := &watched{until: []byte("health is told"), then: cancel}
	path := filepath.Join(t.TempDir(), "report.json")
	code := conform.Main(ctx, conform.Streams{Out: out, Err: out}, []string{binary, "--json", path})
	if code != conform.ExitFailed || !strings.Contains(out.String(), "\ninterrupted: the last ") || strings.Contains(out.String(), "idle connection") {
		t.Errorf("exit %d, %s", code, out.String())
	}
	report := read(t, path)
	if last := report.Cases[len(report.Cases)-1]; last.Status != "failed" || report.Passed > 20 {
		t.Errorf("%d passed, the last is %+v", report.Passed, last)
	}
}

// watched is an output that does something once a text was written.
type watched struct {
	bytes.Buffer
	until []byte
	then  func()
}

func (w *watched) Write(p []byte) (int, error) {
	if bytes.Contains(p, w.until) {
		w.then()
	}
	return w.Buffer.Write(p)
}
