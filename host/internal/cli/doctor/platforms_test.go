package doctor_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/app"
	"github.com/apm-deploy/apm/host/internal/cli/doctor"
)

// A host that runs is asked how its platforms are: a broken one is a failure,
// with the way out; one that is ready is not worth a word.
func TestExamineTellsOfBrokenPlatforms(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	check(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(apiv1.Health{Status: "ok", PID: 4711, Installation: "alive"})
	})
	mux.HandleFunc("/api/v1/plugins", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer a.b" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(apiv1.PluginList{Plugins: []apiv1.Plugin{
			{Platform: "one", State: "ready"}, {Platform: "two", State: "broken", Reason: "exit status 1"}, {Platform: "three", State: "backoff"},
		}})
	})
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	dir := t.TempDir()
	data, err := json.Marshal(app.Running{PID: 4711, URL: "http://" + listener.Addr().String()})
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, app.HostFile), data, 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "token"), []byte("a.b"), 0o600))
	found := byCheck(doctor.Config{Config: load(t, dir, "localhost:0"), DataDir: dir}.Examine(t.Context()))
	if f := found["platform two"]; f.State != doctor.Fail || f.Message != "it is broken: exit status 1" || !strings.Contains(f.Remedy, "apm plugin restart two") {
		t.Errorf("%+v", f)
	}
	if f := found["platform three"]; f.State != doctor.Warn || f.Message != "it is backoff" {
		t.Errorf("%+v", f)
	}
	if f, told := found["platform one"]; told {
		t.Errorf("%+v", f)
	}
}
