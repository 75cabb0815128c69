package plugin_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// pages are the files of a version that is well.
func pages(version string) map[string]string {
	return map[string]string{"index.html": version, "healthz": "ok", "pages/about.html": "about " + version}
}

// website is an application on the plugin in Python, and a server of its files.
type website struct {
	*harness.Host
	platform *harness.Python
	url      string
}

// newWebsite starts a host whose platform www is the plugin in Python.
func newWebsite(t *testing.T) *website {
	t.Helper()
	h := harness.New(t)
	w := &website{Host: h, platform: h.Python("www")}
	server := httptest.NewServer(http.FileServer(http.Dir(w.current())))
	t.Cleanup(server.Close)
	w.url = server.URL
	w.platform.Define(harness.Application{Name: "site", Bake: "400ms"}, harness.HTTPCheck("healthz", w.url+"/healthz"))
	h.Start()
	return w
}

// current is the link that the platform swaps.
func (w *website) current() string { return filepath.Join(w.platform.Component("site"), "current") }

// serves fails the test when another version is served.
func (w *website) serves(t *testing.T, version string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(w.current(), "index.html"))
	if err != nil || string(content) != version {
		t.Errorf("index.html is %q, %v; want %q", content, err, version)
	}
}

// many writes a version whose copy takes a while: most of it are links, which no disk
// has to wait for.
func (w *website) many(version string) {
	w.platform.Release(version, pages(version))
	for n := range 800 {
		w.platform.Link(version, fmt.Sprintf("pages/%d.html", n), "about.html")
	}
}

// copies waits until files are being copied for an operation.
func (w *website) copies(t *testing.T) {
	t.Helper()
	copied := filepath.Join(w.platform.Component("site"), ".apm", "incoming", "*-[0-9]*", "pages", "*")
	harness.Eventually(t, "files are copied", func() (bool, string) {
		found, err := filepath.Glob(copied)
		return len(found) > 0, fmt.Sprint(len(found), err)
	})
}

// swaps counts how often a link is made anew from now on, as anybody sees it who
// looks all the time.
func swaps(t *testing.T, link string) (count func() int) {
	t.Helper()
	look := func() string {
		info, err := os.Lstat(link)
		if err != nil {
			return err.Error()
		}
		return info.ModTime().Format(time.RFC3339Nano)
	}
	var mu sync.Mutex
	seen, last := 0, look()
	ticks := time.NewTicker(time.Millisecond)
	stop := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			select {
			case <-ticks.C:
			case <-stop:
				return
			}
			if now := look(); now != last {
				mu.Lock()
				seen, last = seen+1, now
				mu.Unlock()
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		looking.Wait()
		ticks.Stop()
	})
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
}

// TestPython takes the plugin in Python through what a plugin is for, in a real
// host: the lock, two versions, a bad one that goes back by itself, a rollback by
// hand.
func TestPython(t *testing.T) {
	t.Parallel()
	w := newWebsite(t)
	for _, version := range []string{"v1", "v2"} {
		w.platform.Release(version, pages(version))
	}
	bad := pages("v3")
	delete(bad, "healthz")
	w.platform.Release("v3", bad)

	program, err := os.ReadFile(harness.PythonPlugin(t))
	if err != nil {
		t.Fatal(err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(program))
	if lock := w.Read("apm.lock.hcl"); !strings.Contains(lock, `plugin "symlink-python" {`) || !strings.Contains(lock, sum) {
		t.Errorf("apm.lock.hcl does not pin %s:\n%s", sum, lock)
	}
	shown := w.Must(0, "plugin", "inspect", "www").Stdout
	for _, part := range []string{
		"www: plugin symlink-python 0.1.0, ready", sum, "capabilities  plan, staged, cancel, watch_target, logs, inventory",
		"root          " + w.platform.Root, "keep  number  (default 5)", "env  map(string)  (sensitive)",
	} {
		if !strings.Contains(shown, part) {
			t.Errorf("inspect does not show %q:\n%s", part, shown)
		}
	}

	w.Deployed("site", "v1")
	w.serves(t, "v1")
	second := w.Deployed("site", "v2")
	w.serves(t, "v2")
	if logs := w.Must(0, "deploy", "logs", second.ID).Stdout; !strings.Contains(logs, "copied index.html, 2 bytes") {
		t.Errorf("the logs of v2: %s", logs)
	}

	third := w.Ends(w.Deploy("site", "v3").ID, harness.End{
		Status: "rolled_back", Reason: "^back on v2: component web: .*404",
		Path: []string{"preparing", "deploying", "rolling_back", "rolled_back"},
	})
	w.serves(t, "v2")
	if !w.Get(second.ID).Current || w.Get(third.ID).Current {
		t.Error("v2 is not current after v3 went back")
	}

	w.Rollback(second.ID, "")
	w.Ends(second.ID, harness.End{Status: "rolled_back", Reason: "v1", Path: harness.GoneBack})
	w.serves(t, "v1")

	if log := w.Read("host.log"); !strings.Contains(log, "operation ended") || !strings.Contains(log, "platform=www") {
		t.Errorf("the plugin's own lines are not in the host's log")
	}
	for what, text := range map[string]string{
		"host.log": w.Read("host.log"), "status": w.Must(0, "deploy", "status", second.ID, "-o", "json").Stdout,
		"history": w.Must(0, "deploy", "history", second.ID, "-o", "jsonl").Stdout,
	} {
		if strings.Contains(text, "canary-of-python") {
			t.Errorf("%s tells the secret", what)
		}
	}
}

// TestPythonKilled kills the plugin with SIGKILL while it copies: another process
// of it goes on, and the link is swapped once.
func TestPythonKilled(t *testing.T) {
	t.Parallel()
	w := newWebsite(t)
	w.platform.Release("v1", pages("v1"))
	w.many("v2")
	w.Deployed("site", "v1")
	swapped := swaps(t, w.current())
	d := w.Deploy("site", "v2")
	w.copies(t)
	killed := w.PlatformPID("www")
	w.KillPlugin(killed)
	if got := swapped(); got != 0 {
		t.Fatalf("the link was swapped before the kill")
	}
	w.Ends(d.ID, harness.End{Status: "completed", Path: harness.Forward})
	w.serves(t, "v2")
	if got := swapped(); got != 1 {
		t.Errorf("the link was swapped %d times, want once", got)
	}
	if pid := w.PlatformPID("www"); pid == killed {
		t.Errorf("process %d was not killed", pid)
	}
	var plugin apiv1.Plugin
	w.REST(http.MethodGet, "/api/v1/plugins/www", "").Decode(w.Host, &plugin)
	if plugin.State != "ready" || plugin.Restarts != 1 {
		t.Errorf("the platform is %s after %d restarts: %s", plugin.State, plugin.Restarts, plugin.Reason)
	}
}
