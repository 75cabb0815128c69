package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/apm-deploy/apm/host/internal/cli"
)

// run runs a command line in an environment of its own, without a terminal.
func run(t *testing.T, env map[string]string, args ...string) (code cli.ExitCode, stdout, stderr string) {
	t.Helper()
	return runContext(t.Context(), t, env, args...)
}

func runContext(ctx context.Context, t *testing.T, env map[string]string, args ...string) (code cli.ExitCode, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = cli.Run(ctx, cli.Streams{
		In: strings.NewReader(""), Out: &out, Err: &err, Program: "apm",
		Getenv: func(name string) string { return env[name] },
	}, args)
	return code, out.String(), err.String()
}

func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, child := range cmd.Commands() {
		walk(child, visit)
	}
}

func TestEveryCommandHasAnExample(t *testing.T) {
	t.Parallel()
	root := cli.Root(cli.Streams{Getenv: func(string) string { return "" }})
	count := 0
	walk(root, func(cmd *cobra.Command) {
		count++
		if !strings.Contains(cmd.Example, cmd.CommandPath()) && cmd.Name() != "completion" && cmd != root {
			t.Errorf("%s: no example shows it: %q", cmd.CommandPath(), cmd.Example)
		}
		if cmd.Example == "" || cmd.Short == "" {
			t.Errorf("%s: no example or no short text", cmd.CommandPath())
		}
	})
	if count < 25 {
		t.Errorf("only %d commands were looked at", count)
	}
}

// Every example must at least be understood: known commands, known flags.
func TestExamplesParse(t *testing.T) {
	t.Parallel()
	root := cli.Root(cli.Streams{Getenv: func(string) string { return "" }})
	line := regexp.MustCompile(`(?m)^  apm( [^\n]*)?$`)
	walk(root, func(cmd *cobra.Command) {
		for _, example := range line.FindAllString(strings.ReplaceAll(cmd.Example, "\\\n", ""), -1) {
			words := split(strings.SplitN(example, " > ", 2)[0])[1:]
			fresh := cli.Root(cli.Streams{Getenv: func(string) string { return "" }})
			found, rest, err := fresh.Find(words)
			if err != nil {
				t.Errorf("%q: %v", example, err)
				continue
			}
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("%q: %v", example, err)
			}
			if err := found.ValidateArgs(found.Flags().Args()); err != nil {
				t.Errorf("%q: %v", example, err)
			}
		}
	})
}

// split takes a command line apart as a shell would.
func split(line string) []string {
	var words []string
	for _, match := range regexp.MustCompile(`"[^"]*"|'[^']*'|\S+`).FindAllString(line, -1) {
		words = append(words, strings.Trim(match, `"'`))
	}
	return words
}

// The command lines of the product description, literally.
func TestProductDescriptionParses(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		`deploy start --name my-app --version v2.0.0 --platform kubernetes --environment production`,
		`deploy start --name my-app --version v2.0.0 --watch`,
		`deploy status 550e8400-e29b-41d4-a716-446655440000`,
		`deploy list --platform kubernetes --status completed --limit 10`,
		`deploy rollback 550e8400-e29b-41d4-a716-446655440000 --reason "Performance degradation"`,
		`deploy rollback 550e8400-e29b-41d4-a716-446655440000 --dry-run`,
		`deploy rollback 550e8400 --target-version v1.9.0`,
		`deploy rollback 550e8400 --to-version v1.9.0`,
	} {
		root := cli.Root(cli.Streams{Getenv: func(string) string { return "" }})
		found, rest, err := root.Find(split(line))
		if err == nil {
			err = found.ParseFlags(rest)
		}
		if err == nil {
			err = found.ValidateArgs(found.Flags().Args())
		}
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	env := map[string]string{"APM_URL": "http://127.0.0.1:1", "APM_TOKEN": "x"}
	for name, test := range map[string]struct {
		args []string
		want string
		help string // of which command is pointed to
	}{
		"unknown command":    {[]string{"deplyo"}, `did you mean "deploy"?`, "apm"},
		"unknown subcommand": {[]string{"deploy", "lst"}, `did you mean "list"?`, "apm deploy"},
		"near to two":        {[]string{"plugin", "lck"}, `did you mean "lock" or "sdk"?`, "apm plugin"},
		"unknown flag":       {[]string{"deploy", "list", "--platformm", "x"}, "unknown flag: --platformm; did you mean --platform?", "apm deploy list"},
		"unknown format":     {[]string{"deploy", "list", "-o", "xml"}, "must be one of table, wide, json, yaml, jsonl", "apm deploy list"},
		"bad status":         {[]string{"deploy", "list", "--status", "done"}, "one of pending, preparing", "apm deploy list"},
		"bad limit":          {[]string{"deploy", "list", "--limit", "0"}, "at least 1", "apm deploy list"},
		"missing id":         {[]string{"deploy", "status"}, "the argument ID is missing", "apm deploy status"},
		"empty id":           {[]string{"deploy", "status", ""}, "the argument ID is empty", "apm deploy status"},
		"too many":           {[]string{"deploy", "status", "a", "b"}, `unexpected argument "b"`, "apm deploy status"},
		"too many files":     {[]string{"config", "validate", "a", "b"}, `unexpected argument "b"`, "apm config validate"},
		"missing name":       {[]string{"deploy", "start", "--version", "v1"}, "--name is missing", "apm deploy start"},
		"missing version":    {[]string{"deploy", "start", "--name", "a"}, "--version is missing", "apm deploy start"},
		"jq and template":    {[]string{"deploy", "list", "--jq", ".", "--template", "x"}, "exclude each other", "apm deploy list"},
		"remove needs yes":   {[]string{"deploy", "remove", "a", "--environment", "b"}, "--yes", "apm deploy remove"},
		"revoke needs yes":   {[]string{"token", "revoke", "a"}, "--yes", "apm token revoke"},
		"bad role":           {[]string{"token", "create", "a", "--role", "root"}, "one of viewer, deployer, admin", "apm token create"},
		"bad url":            {[]string{"deploy", "list", "--url", "localhost:8080"}, "http://HOST:PORT", "apm deploy list"},
		"no plan":            {[]string{"deploy", "start", "--plan", filepath.Join("testdata", "no-such-file")}, "cannot be read: no such file or directory; make one with --dry-run -o json", "apm deploy start"},
		"bad set":            {[]string{"deploy", "rollback", "a", "--dry-run", "--plan", "x"}, "exclude each other", "apm deploy rollback"},
		"installation alone": {[]string{"doctor", "--installation", "x"}, "--clean", "apm doctor"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, env, test.args...)
			if code != cli.ExitUsage || stdout != "" || !strings.Contains(stderr, test.want) || !strings.Contains(stderr, " "+test.help+" --help shows") {
				t.Errorf("exit %d, stdout %q, stderr %q; want exit 2 and %q", code, stdout, stderr, test.want)
			}
		})
	}
}

func TestUnreachableHostSaysHowToStartIt(t *testing.T) {
	t.Parallel()
	env := map[string]string{"APM_URL": "http://127.0.0.1:1", "APM_TOKEN": "x"}
	code, _, stderr := run(t, env, "deploy", "list")
	if code != cli.ExitError || !strings.Contains(stderr, "http://127.0.0.1:1") || !strings.Contains(stderr, "apm serve") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

// A data directory that is named is that of the host: where none runs on it, no
// other host is asked in its place.
func TestNoHostOnTheNamedDataDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, stdout, stderr := run(t, nil, "deploy", "list", "--data-dir", dir)
	if code != cli.ExitError || stdout != "" || !strings.Contains(stderr, "no host runs on the data directory "+dir) ||
		!strings.Contains(stderr, "--data-dir "+dir+" serve") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestNoHome(t *testing.T) {
	t.Parallel()
	code, _, stderr := run(t, map[string]string{"APM_CONFIG_FILE": ""}, "token", "show")
	if code != cli.ExitError || !strings.Contains(stderr, "HOME is not set") || !strings.Contains(stderr, "--data-dir") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

// Without HOME a data directory that is named is enough.
func TestDataDirWithoutHome(t *testing.T) {
	t.Setenv("HOME", "")
	dir := t.TempDir()
	file := filepath.Join(dir, "config.hcl")
	check(t, os.WriteFile(file, nil, 0o600))
	code, _, stderr := run(t, nil, "config", "validate", file)
	if code != cli.ExitError || !strings.Contains(stderr, "HOME is not set") {
		t.Errorf("neither HOME nor a data directory: exit %d, %s", code, stderr)
	}
	code, stdout, stderr := run(t, nil, "config", "validate", file, "--data-dir", filepath.Join(dir, "data"))
	if code != cli.ExitDone || !strings.Contains(stdout, "data in "+filepath.Join(dir, "data")) {
		t.Errorf("with --data-dir: exit %d, %s%s", code, stdout, stderr)
	}
	env := map[string]string{"APM_DATA_DIR": dir, "APM_CONFIG_FILE": file}
	if code, _, stderr = run(t, env, "token", "show"); code != cli.ExitNotFound || !strings.Contains(stderr, dir) {
		t.Errorf("with APM_DATA_DIR: exit %d, %s", code, stderr)
	}
}
