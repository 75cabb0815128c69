package main_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/artifact"
	"github.com/apm-deploy/apm/plugins/process/internal/instance"
	"github.com/apm-deploy/apm/plugins/process/internal/platform"
	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/shim"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest"
)

// TestMain makes the test binary a shim and an application too: within this
// process the plugin starts its own binary, which is this one.
//
//nolint:forbidigo // what the test binary is started as ends with a code
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case procinfo.ShimCommand:
			os.Exit(shim.Main(os.Args[2:]))
		case "app":
			os.Exit(app(os.Args[2:]))
		}
	}
	m.Run()
}

// app answers with the content of the file "content".
//
//nolint:forbidigo // an application prints, sleeps and dies on purpose
func app(args []string) int {
	switch {
	case len(args) > 0 && args[0] == "chatty":
		for n := range 12000 {
			fmt.Println("line", n)
		}
		for range 5 {
			fmt.Println("no UTF-8: \xff")
		}
	case len(args) > 0 && args[0] == "failing":
		fmt.Fprintln(os.Stderr, "cannot go on: as the suite wants it")
		return 1
	}
	content, err := os.ReadFile("content")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	err = http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(content)
	}))
	fmt.Fprintln(os.Stderr, err)
	return 1
}

const secret = "canary-5d1f0c"

func TestConformance(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "apm-plugin-process")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	root := filepath.Join(t.TempDir(), "state")
	port, err := instance.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	spec := specs{t: t, listen: fmt.Sprintf("127.0.0.1:%d", port)}
	one, two := spec.artifact("one"), spec.artifact("two")
	plugintest.Run(t, plugintest.Config{
		Command:     []string{binary},
		Plugin:      platform.Plugin(),
		Platform:    fmt.Appendf(nil, `{"state_dir": %q, "keep": 1}`, root),
		SpecV1:      spec.json(one),
		SpecV2:      spec.json(two),
		SpecBad:     []byte(`{"command": ["./run"], "replicas": 1000}`),
		SpecChatty:  spec.json(one, "chatty"),
		SpecFailing: spec.json(two, "failing"),
		Secrets:     []string{secret},
		ChangeFiles: func(t plugintest.T) {
			file := filepath.Join(one, "content")
			write(t, file, "changed")
			t.Cleanup(func() { write(t, file, "one") })
		},
		ChangeLive: func(t plugintest.T, target sdk.Target) {
			store, serving := artifacts(t, root, target)
			write(t, filepath.Join(store.Files(serving), "content"), "changed by hand")
		},
		Prune: func(t plugintest.T, target sdk.Target) {
			store, serving := artifacts(t, root, target)
			all, err := filepath.Glob(filepath.Join(store.Dir, "*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range all {
				if filepath.Base(one) == serving {
					continue
				}
				if err := os.RemoveAll(one); err != nil {
					t.Fatal(err)
				}
			}
		},
		Serves: func(t plugintest.T, addresses map[string]string) string {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addresses["http"], nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(body)
		},
		OldHandle: func(sdk.Handle) sdk.Handle { return sdk.Handle{Version: 1, State: []byte("old")} },
	})
	deadline := time.Now().Add(10 * time.Second)
	for len(procinfo.Shims(root)) > 0 { // the last one ends when nobody asks any more
		if time.Now().After(deadline) {
			t.Fatalf("shims are left: %v", procinfo.Shims(root))
		}
		<-time.After(20 * time.Millisecond)
	}
}

// artifacts returns what the component's installation keeps, and what serves of it.
func artifacts(t plugintest.T, root string, target sdk.Target) (store artifact.Store, serving string) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(root, "*", target.Application, target.Environment, target.Component))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("directories of the component: %v %v", dirs, err)
	}
	st, err := state.Load(dirs[0])
	if err != nil {
		t.Fatal(err)
	}
	return artifact.Store{Dir: state.ArtifactsOf(dirs[0])}, st.Serving.Release.Artifact
}

type specs struct {
	t      *testing.T
	listen string
}

// artifact makes a directory whose program answers with content.
func (s specs) artifact(content string) string {
	s.t.Helper()
	dir := s.t.TempDir()
	write(s.t, filepath.Join(dir, "content"), content)
	return dir
}

func (s specs) json(artifact string, args ...string) []byte {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	command := fmt.Sprintf("%q, \"app\"", self)
	for _, arg := range args {
		command += fmt.Sprintf(", %q", arg)
	}
	return fmt.Appendf(nil, `{"command": [%s], "artifact": %q, "env": {"PASSWORD": %q}, "drain": "1s",
		"port": {"http": {"listen": %q}}}`, command, artifact, secret, s.listen)
}

func write(t plugintest.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
