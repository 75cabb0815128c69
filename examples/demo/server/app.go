package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxBody is the most that /echo gives back.
const maxBody = 1 << 20

// app answers requests.
type app struct {
	log     *slog.Logger
	version string
	// unhealthyAfter is how long after the first ordinary request the health
	// check turns bad; 0: never.
	unhealthyAfter time.Duration
	posts          *os.File // nil: ids are not kept
	sick           string   // file of versions that are unhealthy; "": none

	mu    sync.Mutex
	first time.Time // of the ordinary requests
	told  bool      // that the health check has turned
}

func newApp(log *slog.Logger, getenv func(string) string) (*app, error) {
	a := &app{log: log, version: getenv("DEMO_VERSION"), sick: getenv("DEMO_SICK")}
	var err error
	if a.unhealthyAfter, err = unhealthyAfter(getenv("DEMO_UNHEALTHY"), a.version); err != nil {
		return nil, err
	}
	if path := getenv("DEMO_STARTS"); path != "" {
		file, err := appendTo(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		if _, err := fmt.Fprintf(file, "%d %s\n", os.Getpid(), a.version); err != nil {
			return nil, err
		}
	}
	if path := getenv("DEMO_POSTS"); path != "" {
		if a.posts, err = appendTo(path); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// unhealthyAfter reads "v3=5s" for one version.
func unhealthyAfter(setting, version string) (time.Duration, error) {
	if setting == "" {
		return 0, nil
	}
	name, after, ok := strings.Cut(setting, "=")
	if !ok {
		return 0, fmt.Errorf("read DEMO_UNHEALTHY %q: write VERSION=DURATION, like v3=5s", setting)
	}
	if name != version {
		return 0, nil
	}
	d, err := time.ParseDuration(after)
	if err != nil {
		return 0, fmt.Errorf("read DEMO_UNHEALTHY %q: %w", setting, err)
	}
	return d, nil
}

// appendTo opens a file that several processes append lines to: each line is
// one write, so that none is torn.
func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

func (a *app) close() {
	if a.posts != nil {
		_ = a.posts.Close()
	}
}

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("POST /echo", a.echo)
	mux.HandleFunc("GET /healthz", a.healthz)
	return mux
}

func (a *app) home(w http.ResponseWriter, _ *http.Request) {
	a.serving()
	fmt.Fprintf(w, "demo %s (pid %d)\n", a.version, os.Getpid())
}

// echo gives the body back, after the request's id is on file: an answer means
// that the request was carried out.
func (a *app) echo(w http.ResponseWriter, r *http.Request) {
	a.serving()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if id := r.Header.Get("X-Request-Id"); id != "" && a.posts != nil {
		if _, err := a.posts.WriteString(id + "\n"); err != nil {
			a.log.Error("cannot keep an id", "id", id, "error", err)
			http.Error(w, "cannot keep the id", http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("X-Demo-Version", a.version)
	_, _ = w.Write(body)
}

func (a *app) healthz(w http.ResponseWriter, _ *http.Request) {
	if since := a.unhealthySince(); since > 0 {
		http.Error(w, fmt.Sprintf("no connection to the database for %s", since.Round(time.Second)), http.StatusServiceUnavailable)
		return
	}
	if a.declaredSick() {
		http.Error(w, "version "+a.version+" was declared sick", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// serving notes the first ordinary request: from then on the clock runs.
func (a *app) serving() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.first.IsZero() {
		a.first = time.Now()
		a.log.Info("first request")
	}
}

// unhealthySince returns for how long the health check has been bad, 0 while
// it is good.
func (a *app) unhealthySince() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unhealthyAfter == 0 || a.first.IsZero() {
		return 0
	}
	since := time.Since(a.first.Add(a.unhealthyAfter))
	if since > 0 && !a.told {
		a.told = true
		a.log.Error("the connection to the database is gone (so this version pretends): /healthz answers 503 from now on")
	}
	return since
}

// declaredSick says whether the file of sick versions names this one now.
func (a *app) declaredSick() bool {
	if a.sick == "" {
		return false
	}
	versions, err := os.ReadFile(a.sick)
	return err == nil && slices.Contains(strings.Fields(string(versions)), a.version)
}
