package conform_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest"
)

// failing is a T that a hook may fail: the test goes on and looks at what it said.
type failing struct {
	*testing.T
	said     []string
	cleanups []func()
}

func (f *failing) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

func (f *failing) Errorf(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}

func (f *failing) Cleanup(cleanup func()) { f.cleanups = append(f.cleanups, cleanup) }

// does runs a hook, with what it wants done afterwards.
func does(t *testing.T, hook func(plugintest.T)) (said string) {
	t.Helper()
	f := &failing{T: t}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		hook(f)
	}()
	<-ended
	for _, cleanup := range f.cleanups {
		cleanup()
	}
	return strings.Join(f.said, "\n")
}

const something = "config { root = \"r\" }\n"

func hooks(t *testing.T, content string) (dir string, c plugintest.Config) {
	t.Helper()
	dir, _, c, err := load(t, something+content)
	if err != nil {
		t.Fatal(err)
	}
	return dir, c
}

func TestChangeFiles(t *testing.T) {
	t.Parallel()
	dir, c := hooks(t, `environment = { GREETING = "hello" }
change_files {
  command = ["/bin/sh", "-c", "echo $GREETING >changed"]
  undo    = ["/bin/sh", "-c", "cat changed >undone; rm changed"]
}`)
	if said := does(t, c.ChangeFiles); said != "" {
		t.Error(said)
	}
	if content, err := os.ReadFile(filepath.Join(dir, "undone")); err != nil || string(content) != "hello\n" {
		t.Errorf("%q %v", content, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "changed")); !os.IsNotExist(err) {
		t.Errorf("not undone: %v", err)
	}
}

func TestChangeLive(t *testing.T) {
	t.Parallel()
	dir, c := hooks(t, `change_live { command = ["./change", "a b"] }`)
	executable(t, filepath.Join(dir, "change"), "#!/bin/sh\necho \"$APM_APPLICATION $APM_ENVIRONMENT $APM_COMPONENT $1\" >told\n")
	said := does(t, func(t plugintest.T) {
		c.ChangeLive(t, sdk.Target{Application: "shop", Environment: "test", Component: "web"})
	})
	if content, err := os.ReadFile(filepath.Join(dir, "told")); err != nil || said != "" || string(content) != "shop test web a b\n" {
		t.Errorf("%q %v, %s", content, err, said)
	}
}

func TestServesByCommand(t *testing.T) {
	t.Parallel()
	_, c := hooks(t, `serves { command = ["/bin/sh", "-c", "echo to stderr >&2; printf %s \"$APM_ADDRESS_HTTP_2 $APM_ADDRESS\""] }`)
	for want, addresses := range map[string]map[string]string{
		"a:1 a:1": {"http-2": "a:1"},
		"a:1 ":    {"http-2": "a:1", "admin": "b:2"},
	} {
		var got string
		said := does(t, func(t plugintest.T) { got = c.Serves(t, addresses) })
		if said != "" || got != want {
			t.Errorf("%q, want %q; %s", got, want, said)
		}
	}
}

func TestServesByGet(t *testing.T) {
	t.Parallel()
	connections := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/version" {
			http.Error(w, "no such\npage", http.StatusNotFound)
			return
		}
		connections[r.RemoteAddr] = true
		fmt.Fprint(w, r.Method, " ", r.URL.RawQuery)
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	for name, test := range map[string]struct {
		file      string
		addresses map[string]string
		want      string
		said      string
	}{
		"by its name":  {`serves { path = "/version?a=b" }`, map[string]string{"http": address, "x": "127.0.0.1:1"}, "GET a=b", ""},
		"the only one": {`serves { path = "/version" }`, map[string]string{"web": address}, "GET ", ""},
		"named":        {"serves {\n  port = \"web\"\n  path = \"/version\"\n}", map[string]string{"web": address, "http": "127.0.0.1:1"}, "GET ", ""},
		"with scheme":  {`serves { path = "/version" }`, map[string]string{"web": server.URL + "/"}, "GET ", ""},
		"not there":    {`serves { port = "web" }`, map[string]string{"http": address, "admin": "x"}, "", `no address "web", only ["admin" "http"]: name one of them by port`},
		"no address":   {`serves {}`, nil, "", `no address "http", only []`},
		"not found":    {`serves {}`, map[string]string{"http": address}, "", "answers 404 Not Found: no such"},
		"nobody":       {`serves {}`, map[string]string{"http": "127.0.0.1:1"}, "", "connection refused"},
	} {
		_, c := hooks(t, test.file)
		var got string
		said := does(t, func(t plugintest.T) { got = c.Serves(t, test.addresses) })
		if got != test.want || (said == "") != (test.said == "") || !strings.Contains(said, test.said) {
			t.Errorf("%s: %q, want %q; it said %q, want %q", name, got, test.want, said, test.said)
		}
	}
	if len(connections) != 4 {
		t.Errorf("%d connections for 4 requests: a kept one leads to where the traffic was", len(connections))
	}
}

// A command that fails or hangs fails its case, and says what it wrote.
func TestCommandsThatFail(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, want string }{
		"exit code":   {`change_files { command = ["/bin/sh", "-c", "echo out; echo why >&2; exit 3"] }`, "change_files.command of the file, [\"/bin/sh\" \"-c\" \"echo out; echo why >&2; exit 3\"]: exit status 3\nwhy\nout"},
		"no program":  {`change_files { command = ["./none"] }`, "there is no such program"},
		"not in PATH": {`change_files { command = ["no-such-program-anywhere"] }`, "executable file not found in $PATH"},
		"undo": {`change_files {
  command = ["true"]
  undo    = ["false"]
}`, "change_files.undo of the file, [\"false\"]: exit status 1"},
	} {
		_, c := hooks(t, test.file)
		if said := does(t, c.ChangeFiles); !strings.Contains(said, test.want) {
			t.Errorf("%s: %q, want %q", name, said, test.want)
		}
	}
}
