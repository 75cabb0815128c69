package cli_test

import (
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestCompletionOfSet(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for begun, want := range map[string][]string{
		"":                      {"content=\tstring, required: What it is", "exits=\tbool", "port.", "build.\tHow it is made."},
		"c":                     {"content=\tstring, required: What it is"},
		"x":                     nil,
		"port.":                 nil, // the label is the user's
		"port.http.":            {"port.http.listen=\tstring, required", "port.http.tls=\tbool"},
		"port.http.t":           {"port.http.tls=\tbool"},
		"port.http.tls=":        {"port.http.tls=true", "port.http.tls=false"},
		"build.":                {"build.cached=\tbool", "build.stage."},
		"build.cached=t":        {"build.cached=true\tdefault"},
		"build.stage.a.quick=f": {"build.stage.a.quick=false"},
		"exits=":                {"exits=true", "exits=false\tdefault"},
		"content=":              nil,
		"nothing.at.all=":       nil,
		"mount.":                nil,
	} {
		for _, words := range [][]string{{"--platform", "memory"}, nil} {
			got := completions(t, h.env, append(append([]string{"deploy", "start"}, words...), "--set", begun)...)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%v %q (-want +got):\n%s", words, begun, diff)
			}
		}
	}
	for _, test := range []struct {
		application, begun string
		want               []string
	}{
		{"one", "ex", []string{"exits=\tbool"}},
		{"two", "w", []string{"web.\tcomponent", "worker.\tcomponent"}},
		{"two", "web.ex", []string{"web.exits=\tbool"}},
		{"two", "web.port.a.t", []string{"web.port.a.tls=\tbool"}},
		{"two", "web.exits=t", []string{"web.exits=true"}},
		{"unknown", "ex", []string{"exits=\tbool"}},
	} {
		if diff := cmp.Diff(test.want, completions(t, h.env, "deploy", "start", "--name", test.application, "--set", test.begun)); diff != "" {
			t.Errorf("%s: %q (-want +got):\n%s", test.application, test.begun, diff)
		}
	}
}

// Without a host that answers a shell waits for a second, and hears nothing.
func TestCompletionWithoutAHost(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	silent, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { check(t, silent.Close()) })
	for _, env := range []map[string]string{
		{"APM_URL": "http://" + silent.Addr().String(), "APM_TOKEN": "t"},
		{"APM_URL": "http://127.0.0.1:1", "APM_TOKEN": "t"},
		{"APM_DATA_DIR": t.TempDir()},
		{},
	} {
		for _, words := range [][]string{{"deploy", "start", "--set", ""}, {"plugin", "restart", ""}, {"deploy", "start", "--platform", ""}} {
			began := time.Now()
			if got := completions(t, env, words...); len(got) != 0 {
				t.Errorf("%v: %q", words, got)
			}
			if took := time.Since(began); took > 5*time.Second { // a second on a machine that has nothing else to do
				t.Errorf("%v took %s", words, took)
			}
		}
	}
}
