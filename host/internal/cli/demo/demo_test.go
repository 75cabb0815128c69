package demo_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/host/internal/cli/demo"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/config"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

func TestSecondDemoNamesTheFirst(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "demo")
	first, err := demo.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.Note(first, "http://localhost:8080"); err != nil {
		t.Fatal(err)
	}
	_, err = demo.Open(dir)
	var e *deployment.Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, "http://localhost:8080") || !strings.Contains(e.Remedy, "kill ") {
		t.Errorf("the second demo is told %v", err)
	}
	if err := demo.Close(first); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the empty directory stays: %v", err)
	}
	again, err := demo.Open(dir)
	if err != nil {
		t.Fatalf("after the first: %v", err)
	}
	if err := demo.Close(again); err != nil {
		t.Fatal(err)
	}
}

func TestForeignDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious.txt")
	if err := os.WriteFile(precious, []byte("keep me"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := demo.Open(dir); err == nil || !strings.Contains(err.Error(), "no directory of a demo") {
		t.Errorf("open: %v", err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

// The files that the demo writes are read by the host's own reader.
func TestFilesAreValid(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	for _, name := range []string{"apm", "plugins/apm-plugin-process", "demo/server", "demo/client"} {
		path := filepath.Join(bin, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("#!/bin/false\n"), 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(t.TempDir(), `a "strange" ${name}`)
	if err := demo.Write(dir, filepath.Join(bin, "apm"), "localhost:18080", "127.0.0.1:18088"); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(filepath.Join(dir, "config.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	if c.DataDir != dir || c.Server.Listen != "localhost:18080" || len(c.ApplicationGlobs) != 1 || c.Plugins()[0].SHA256 == "" {
		t.Errorf("config.hcl says data %q, listen %q, applications %q, plugins %+v", c.DataDir, c.Server.Listen, c.ApplicationGlobs, c.Plugins())
	}
	for _, version := range []string{"v1", "v2", "v3"} {
		if info, err := os.Stat(filepath.Join(dir, "artifacts", version, "server")); err != nil || info.Mode().Perm()&0o100 == 0 {
			t.Errorf("server of %s: %v", version, err)
		}
	}
}

func TestMissingProgramsNameTheRemedy(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	_, err := demo.Run(context.Background(), demo.Config{
		Dir: filepath.Join(t.TempDir(), "demo"), Executable: filepath.Join(t.TempDir(), "apm"), Progress: output.Writer{Writer: &out},
	})
	var e *deployment.Error
	if !errors.As(err, &e) || e.Remedy != "make build makes it" {
		t.Errorf("run: %v", err)
	}
}

func TestTakenPortIsNotChosen(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	taken, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address, ok := taken.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("address %v", taken.Addr())
	}
	chosen, err := demo.FreeAddress(t.Context(), "127.0.0.1", address.Port)
	if err != nil {
		t.Fatal(err)
	}
	if chosen == address.String() || strings.HasSuffix(chosen, ":0") {
		t.Errorf("%s was chosen while %s is taken", chosen, address)
	}
}

func TestPostsAreCompared(t *testing.T) {
	t.Parallel()
	got := demo.Compare([]string{"a", "b", "c", "d"}, []string{"a", "c", "c", "d", "of-another"})
	if want := (demo.Posts{Sent: 4, Lost: 1, Repeated: 1}); got != want {
		t.Errorf("posts %+v, want %+v", got, want)
	}
}

func TestGoodResult(t *testing.T) {
	t.Parallel()
	good := func() demo.Result {
		return demo.Result{
			Deployments: []demo.Deployment{{Status: "completed"}, {Status: "completed"}, {Status: "rolled_back"}},
			Posts:       demo.Posts{Sent: 10},
		}
	}
	if r := good(); !r.Good() {
		t.Error("a good result is not good")
	}
	for name, spoil := range map[string]func(*demo.Result){
		"status":   func(r *demo.Result) { r.Deployments[2].Status = "completed" },
		"failure":  func(r *demo.Result) { r.Deployments[0].Client.Failures = 1 },
		"lost":     func(r *demo.Result) { r.Posts.Lost = 1 },
		"repeated": func(r *demo.Result) { r.Posts.Repeated = 1 },
		"no posts": func(r *demo.Result) { r.Posts.Sent = 0 },
		"short":    func(r *demo.Result) { r.Deployments = r.Deployments[:2] },
	} {
		r := good()
		if spoil(&r); r.Good() {
			t.Errorf("good in spite of: %s", name)
		}
	}
}
