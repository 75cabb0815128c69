package conform_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/sdk/conform"
	"github.com/apm-deploy/apm/sdk/plugintest"
)

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no binary":         {nil, "the argument BINARY is missing"},
		"two binaries":      {[]string{"a", "b"}, `unexpected argument "b": one binary at a time`},
		"unknown flag":      {[]string{"a", "--juint", "x"}, `unknown flag --juint; did you mean "--junit"?`},
		"no expression":     {[]string{"a", "--run", "("}, `--run "(" is no regular expression`},
		"no case":           {[]string{"a", "--run", "nothing of the kind"}, `matches no case: --list shows their names`},
		"no case to list":   {[]string{"--list", "--run", "nothing of the kind"}, `matches no case`},
		"no time":           {[]string{"a", "--timeout", "soon"}, `invalid value "soon" for flag -timeout: write a number and a unit, as in 2m`},
		"negative time":     {[]string{"a", "--timeout", "-1s"}, `--timeout -1s: write a time above zero, as in 2m`},
		"two on stdout":     {[]string{"a", "--json", "-", "--junit", "-"}, `--json and --junit both write to "-": name two files`},
		"value is missing":  {[]string{"a", "--json"}, `flag needs an argument: -json`},
		"both to one place": {[]string{"a", "--json", "x", "--junit", "x"}, `name two files`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t.Context(), test.args...)
			if code != conform.ExitUsage || stdout != "" || !strings.Contains(stderr, test.want) || !strings.Contains(stderr, "\n  conform --help shows how it is used\n") {
				t.Errorf("exit %d, stdout %q, stderr %q; want %s", code, stdout, stderr, test.want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t.Context(), "some", "--help")
	if code != conform.ExitPassed || stderr != "" {
		t.Errorf("exit %d, %s", code, stderr)
	}
	golden(t, "help.golden", stdout)
}

func TestList(t *testing.T) {
	t.Parallel()
	code, stdout, _ := run(t.Context(), "--list")
	if code != conform.ExitPassed || stdout != strings.Join(plugintest.Cases(), "\n")+"\n" {
		t.Errorf("exit %d, %s", code, stdout)
	}
	if _, stdout, _ = run(t.Context(), "--list", "--run", "^staged: steps$", "binary"); stdout != "staged: steps\n" {
		t.Errorf("with --run: %q", stdout)
	}
}

// What is no plugin cannot be tested: exit code 2, and what to do.
func TestBinariesThatDoNotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		executable(t, path, content)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	elf := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\xff\xff" // of a machine that nobody has
	for name, test := range map[string]struct{ binary, want string }{
		"missing":           {filepath.Join(dir, "none"), "there is no binary"},
		"a directory":       {dir, "is no binary but a directory: name the plugin's one file"},
		"not executable":    {put("plain", "#!/bin/sh\n", 0o600), "is not executable: chmod +x "},
		"without shebang":   {put("script", "echo hello\n", 0o700), "or a script without #! in its first line"},
		"interpreter gone":  {put("gone", "#!/no/such/python\n", 0o700), "the interpreter that its first line names"},
		"other machine":     {put("elf", elf, 0o700), "it is built for another system or architecture than this one"},
		"ends at once":      {put("ends", "#!/bin/sh\necho no such key >&2\nexit 7\n", 0o700), "exit before the handshake: exit status 7\nits log:\nno such key\nis it a plugin?"},
		"says hello":        {put("hello", "#!/bin/sh\necho hello\n", 0o700), `the first line on standard output is "hello"`},
		"a broken greeting": {put("broken", "#!/bin/sh\necho '1|1|unix|/x|grpc|!'\n", 0o700), "read certificate of handshake line"},
		"a flood":           {put("flood", "#!/bin/sh\nprintf '%09999d\\n'\n", 0o700), `the first line on standard output is "` + strings.Repeat("0", 100) + `…"`},
		"another protocol":  {put("older", "#!/bin/sh\necho '1|9|unix|/x|grpc|AA'\n", 0o700), "the plugin speaks version 9 of the plugin protocol, this suite version 1: build it with"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := filepath.Join(t.TempDir(), "report.json")
			code, stdout, stderr := run(t.Context(), test.binary, "--json", report)
			if code != conform.ExitUsage || stdout != "" || !strings.Contains(stderr, test.want) || !strings.Contains(stderr, test.binary) {
				t.Errorf("exit %d, stdout %q, stderr %q; want %s", code, stdout, stderr, test.want)
			}
		})
	}
}

func TestReportThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none", "report.json")
	code, stdout, stderr := run(t.Context(), plugin(t, "apm-plugin-fake"), "--junit", path)
	if code != conform.ExitUsage || stdout != "" || !strings.Contains(stderr, `--junit "`+path+`" cannot be written: no such file or directory`) {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	full := conform.Streams{Out: brokenPipe{}, Err: &bytes.Buffer{}}
	if code := conform.Main(t.Context(), full, []string{plugin(t, "apm-plugin-fake"), "--run", "^clean start", "--json", "-"}); code != conform.ExitUsage {
		t.Errorf("standard output that takes nothing: exit %d", code)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, os.ErrClosed }

// An earlier report stays when nothing could be tested, and where there was none none
// is made.
func TestEarlierReportStays(t *testing.T) {
	t.Parallel()
	binary := plugin(t, "apm-plugin-fake")
	report := beside(t, binary, "report.json", "{}")
	beside(t, binary, "conform.hcl", "nothing {}")
	none := filepath.Join(t.TempDir(), "report.xml")
	if code, _, _ := run(t.Context(), binary, "--json", report, "--junit", none); code != conform.ExitUsage {
		t.Errorf("exit %d", code)
	}
	if _, err := os.Stat(none); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a report of nothing: %v", err)
	}
	if content, err := os.ReadFile(report); err != nil || string(content) != "{}" {
		t.Errorf("%q %v", content, err)
	}
}
