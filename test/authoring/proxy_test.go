package authoring_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// goEnv asks the go command of this machine for one of its settings.
func goEnv(t *testing.T, name string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatalf("go env %s: %v", name, err)
	}
	return strings.TrimSpace(string(output))
}

// recorder is a module proxy that keeps what it was asked for. It answers from what
// this machine has downloaded before, else as the proxy of this machine does.
type recorder struct {
	URL string

	downloaded http.Dir
	upstream   string

	mu    sync.Mutex
	asked []string
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{downloaded: http.Dir(filepath.Join(goEnv(t, "GOMODCACHE"), "cache", "download"))}
	for _, one := range strings.FieldsFunc(goEnv(t, "GOPROXY"), func(c rune) bool { return c == ',' || c == '|' }) {
		if strings.HasPrefix(one, "http") {
			r.upstream = strings.TrimSuffix(one, "/")
			break
		}
	}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	path := request.URL.EscapedPath()
	r.mu.Lock()
	r.asked = append(r.asked, path)
	r.mu.Unlock()
	if file, err := r.downloaded.Open(path); err == nil {
		defer file.Close()
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			_, _ = io.Copy(w, file)
			return
		}
	}
	if r.upstream == "" {
		http.NotFound(w, request)
		return
	}
	upward, err := http.NewRequestWithContext(request.Context(), http.MethodGet, r.upstream+path, nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := http.DefaultClient.Do(upward)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

// check fails the test when anything of ours was asked for, or nothing at all.
func (r *recorder) check(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	others := false
	for _, path := range r.asked {
		if strings.Contains(path, "apm-deploy") {
			t.Errorf("go asked the proxy for %s", path)
		}
		others = others || strings.HasPrefix(path, "/google.golang.org/grpc/@v/")
	}
	if !others {
		t.Errorf("go asked the proxy for no gRPC, so that this proves nothing: %q", r.asked)
	}
}

// author is somebody who works in a directory, with a module cache of its own.
type author struct {
	t       *testing.T
	dir     string
	environ []string
}

// newAuthor works behind a proxy, as GOPROXY has it. What the compiler made for
// others may be used: it is known by the content of what it was made from.
func newAuthor(t *testing.T, dir, goproxy string) *author {
	t.Helper()
	return &author{t: t, dir: dir, environ: append(os.Environ(),
		"GOPROXY="+goproxy, "GONOPROXY=", "GONOSUMDB=", "GOPRIVATE=", "GOWORK=",
		"GOMODCACHE="+filepath.Join(t.TempDir(), "modules"), "GOCACHE="+goEnv(t, "GOCACHE"),
		"GOFLAGS=-trimpath -modcacherw", "CGO_ENABLED=0",
	)}
}

// run runs a program in the directory, which must end well.
func (a *author) run(words ...string) (output string) {
	a.t.Helper()
	command := exec.CommandContext(a.t.Context(), words[0], words[1:]...)
	command.Dir, command.Env = a.dir, a.environ
	content, err := command.CombinedOutput()
	if err != nil {
		a.t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, content)
	}
	return string(content)
}
