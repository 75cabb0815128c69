package docs_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// exampleID stands in the documentation for the deployment accepted last.
const exampleID = "550e8400-e29b-41d4-a716-446655440000"

// scene is a fresh clone in a home of its own, with the ports of the machine
// that are free instead of those that the documentation names.
type scene struct {
	t     *testing.T
	page  *testing.T // the test of the whole page
	host  *harness.Host
	ports *strings.Replacer
}

// newScene builds what a page begins with: config.hcl, applications/ and what
// `make build` made, as in a fresh clone.
func newScene(t *testing.T) *scene {
	t.Helper()
	h := harness.New(t)
	h.Data = h.Path(".local/share/apm")
	s := &scene{t: t, page: t, host: h}
	port := strings.TrimPrefix(h.URL(), "http://localhost:")
	pairs := []string{"localhost:8080", "localhost:" + port, "127.0.0.1:8080", "127.0.0.1:" + port}
	for _, address := range []string{"127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:8083", "127.0.0.1:8084", "127.0.0.1:8085"} {
		pairs = append(pairs, address, h.Address())
	}
	s.ports = strings.NewReplacer(pairs...)
	root := harness.Repository(t)
	for _, name := range []string{"config.hcl", "applications/my-app.hcl"} {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		// Short waits, so that the test is quick: what is written does not change.
		quick := strings.NewReplacer(`"10s"`, `"1s"`, `"3s"`, `"300ms"`)
		h.Write(name, quick.Replace(s.ports.Replace(string(content))))
	}
	for _, name := range []string{
		"apm", "plugins/apm-plugin-process", "my-app/v1.9.0/server", "my-app/v2.0.0/server", "test/apm-plugin-fake", "test/apm-plugin-fake.conform.hcl",
	} {
		harness.CopyProgram(t, harness.Binary(t, name), h.Path("bin/"+name))
	}
	conform, err := os.ReadFile(filepath.Join(root, "bin/plugins/conform.hcl"))
	if err != nil {
		t.Fatalf("%v; make build puts it there", err)
	}
	h.Write("bin/plugins/conform.hcl", string(conform))
	if err := os.Mkdir(h.Path("tools"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("curl"); err != nil {
		self, err := os.Executable()
		if err == nil {
			err = os.Symlink(self, h.Path("tools/curl"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if r := h.CLI("plugin", "lock"); r.Code != 0 {
		t.Fatal(r)
	}
	return s
}

// words replaces what the documentation writes by what it is here.
func (s *scene) words(text string) string {
	text = s.ports.Replace(text)
	if strings.Contains(text, exampleID) {
		text = strings.ReplaceAll(text, exampleID, s.last())
	}
	return text
}

// lastCommand prints the id of the deployment that was accepted last.
const lastCommand = "$(bin/apm deploy list --limit 1 -o json --jq '.deployments[0].id')"

// commands is words for a shell, where the id is asked for when its turn comes.
func (s *scene) commands(text string) string {
	return s.ports.Replace(strings.ReplaceAll(text, exampleID, lastCommand))
}

// last is the id of the deployment that was accepted last.
func (s *scene) last() string {
	s.t.Helper()
	var list apiv1.DeploymentList
	s.host.JSON(s.host.Must(0, "deploy", "list", "--limit", "1", "-o", "json"), &list)
	if len(list.Deployments) == 0 {
		s.t.Fatal("the page uses the example id before anything was deployed")
	}
	return list.Deployments[0].ID
}

// goEnv is what the go command of this machine works with.
func goEnv(t *testing.T) (environ []string) {
	t.Helper()
	names := []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN"}
	values, err := exec.CommandContext(t.Context(), "go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		t.Fatalf("go env: %v", err)
	}
	for i, value := range strings.Split(strings.TrimSpace(string(values)), "\n") {
		environ = append(environ, names[i]+"="+value)
	}
	return environ
}

// directory is where the next block begins.
func (s *scene) directory() string {
	s.t.Helper()
	if dir := strings.TrimSpace(s.host.Read(".directory")); dir != "" {
		return dir
	}
	return s.host.Home
}

// commandTime bounds one block.
const commandTime = 3 * time.Minute

// shell runs a script in the home. Its variables and its directory are those of
// the blocks before it on the page. What go has downloaded and built on this
// machine is there too.
func (s *scene) shell(script string) (output string, err error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), commandTime)
	defer cancel()
	const wrap = `set -a; [ -e .variables ] && . ./.variables; [ -e .directory ] && cd "$(cat .directory)"
trap 'c=$?; export -p > ~/.variables; pwd > ~/.directory; exit $c' EXIT
`
	command := exec.CommandContext(ctx, "bash", "-c", wrap+script)
	command.Dir = s.host.Home
	command.Env = s.host.Environ(append(goEnv(s.t), "PATH="+s.host.Path("tools")+":"+os.Getenv("PATH"))...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = 5 * time.Second
	content, err := command.CombinedOutput()
	return string(content), err
}

var (
	versions  = regexp.MustCompile(`\bv\d+(\.\d+)*\b`)
	ids       = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
	hashes    = regexp.MustCompile(`\b[0-9a-f]{8,64}\b`)
	times     = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?|\b\d\d:\d\d:\d\d\b`)
	durations = regexp.MustCompile(`\b(\d+h)?(\d+m)?\d+(\.\d+)?(ms|s|m|h)\b`)
	numbers   = regexp.MustCompile(`\d+(\.\d+)?`)
	bars      = regexp.MustCompile(` *[█▏▎▍▌▋▊▉]+ *`)
	spaces    = regexp.MustCompile(`[ \t]+`)
)

// plain removes from a line what differs from one time to another.
func plain(line string) string {
	line = times.ReplaceAllString(line, "T")
	line = ids.ReplaceAllString(line, "I")
	line = hashes.ReplaceAllStringFunc(line, func(text string) string {
		if strings.ContainsAny(text, "0123456789") {
			return "H"
		}
		return text
	})
	line = versions.ReplaceAllStringFunc(line, func(v string) string { // they do not differ
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r - '0' + 'ａ'
			}
			return r
		}, v)
	})
	line = durations.ReplaceAllString(line, "D")
	line = numbers.ReplaceAllString(line, "N")
	line = bars.ReplaceAllString(line, " ")
	return strings.TrimSpace(spaces.ReplaceAllString(line, " "))
}

// missing returns the first wanted line that the output does not have, after
// those before it; "" when it has all of them.
func missing(wanted, output string) string {
	rest := strings.Split(output, "\n")
next:
	for _, want := range strings.Split(strings.TrimRight(wanted, "\n"), "\n") {
		if plain(want) == "" || plain(want) == "…" {
			continue
		}
		parts := strings.Split(plain(want), "…")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(strings.TrimSpace(parts[i]))
		}
		pattern := regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
		for i, line := range rest {
			if pattern.MatchString(plain(line)) {
				rest = rest[i+1:]
				continue next
			}
		}
		return want
	}
	return ""
}
