package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func start(t *testing.T, env map[string]string) *app {
	t.Helper()
	a, err := newApp(slog.New(slog.DiscardHandler), func(name string) string { return env[name] })
	if err != nil {
		t.Fatalf("newApp: %v", err)
	}
	t.Cleanup(a.close)
	return a
}

func ask(t *testing.T, a *app, method, path, id, body string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if id != "" {
		request.Header.Set("X-Request-Id", id)
	}
	answer := httptest.NewRecorder()
	a.handler().ServeHTTP(answer, request)
	return answer
}

func TestHealthTurnsBadByItsOwnClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := start(t, map[string]string{"DEMO_VERSION": "v3", "DEMO_UNHEALTHY": "v3=5s"})
		time.Sleep(time.Hour) // without traffic nothing happens
		if got := ask(t, a, "GET", "/healthz", "", "").Code; got != http.StatusOK {
			t.Fatalf("healthz before the first request: %d", got)
		}
		ask(t, a, "GET", "/", "", "")
		time.Sleep(5*time.Second - time.Nanosecond)
		if got := ask(t, a, "GET", "/healthz", "", "").Code; got != http.StatusOK {
			t.Fatalf("healthz within 5 s: %d", got)
		}
		time.Sleep(2 * time.Nanosecond)
		if got := ask(t, a, "GET", "/healthz", "", "").Code; got != http.StatusServiceUnavailable {
			t.Fatalf("healthz after 5 s: %d", got)
		}
		if got := ask(t, a, "GET", "/", "", ""); got.Code != http.StatusOK || !strings.HasPrefix(got.Body.String(), "demo v3 ") {
			t.Fatalf("ordinary request after 5 s: %d %q", got.Code, got.Body)
		}
	})
}

func TestOtherVersionsStayHealthy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := start(t, map[string]string{"DEMO_VERSION": "v2", "DEMO_UNHEALTHY": "v3=5s"})
		ask(t, a, "GET", "/", "", "")
		time.Sleep(time.Hour)
		if got := ask(t, a, "GET", "/healthz", "", "").Code; got != http.StatusOK {
			t.Fatalf("healthz: %d", got)
		}
	})
}

func TestSickWhileTheFileNamesIt(t *testing.T) {
	t.Parallel()
	sick := filepath.Join(t.TempDir(), "sick")
	a := start(t, map[string]string{"DEMO_VERSION": "v2", "DEMO_SICK": sick})
	for _, step := range []struct {
		versions string
		want     int
	}{{"v1\nv2\n", http.StatusServiceUnavailable}, {"v1 v22", http.StatusOK}, {"", http.StatusOK}} {
		if err := os.WriteFile(sick, []byte(step.versions), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := ask(t, a, "GET", "/healthz", "", "").Code; got != step.want {
			t.Errorf("healthz while %q is sick: %d, want %d", step.versions, got, step.want)
		}
	}
}

func TestEchoKeepsEachID(t *testing.T) {
	t.Parallel()
	posts := filepath.Join(t.TempDir(), "posts")
	a := start(t, map[string]string{"DEMO_VERSION": "v1", "DEMO_POSTS": posts})
	for i := range 3 {
		answer := ask(t, a, "POST", "/echo", fmt.Sprintf("id-%d", i), "hello")
		body, _ := io.ReadAll(answer.Body)
		if answer.Code != http.StatusOK || string(body) != "hello" {
			t.Fatalf("echo: %d %q", answer.Code, body)
		}
	}
	kept, err := os.ReadFile(posts)
	if err != nil || string(kept) != "id-0\nid-1\nid-2\n" {
		t.Fatalf("ids on file: %q, %v", kept, err)
	}
}

func TestStartIsOnFile(t *testing.T) {
	t.Parallel()
	starts := filepath.Join(t.TempDir(), "starts")
	start(t, map[string]string{"DEMO_VERSION": "v1", "DEMO_STARTS": starts})
	start(t, map[string]string{"DEMO_VERSION": "v2", "DEMO_STARTS": starts})
	want := fmt.Sprintf("%[1]d v1\n%[1]d v2\n", os.Getpid())
	if got, err := os.ReadFile(starts); err != nil || string(got) != want {
		t.Fatalf("starts: %q, want %q, %v", got, want, err)
	}
}

func TestBadSetting(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"v3", "v3=soon"} {
		env := map[string]string{"DEMO_VERSION": "v3", "DEMO_UNHEALTHY": setting}
		if _, err := newApp(slog.New(slog.DiscardHandler), func(n string) string { return env[n] }); err == nil {
			t.Errorf("DEMO_UNHEALTHY %q was taken", setting)
		}
	}
}
