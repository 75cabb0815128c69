//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/apm-deploy/apm/test/testbed/internal/node"
	"github.com/apm-deploy/apm/test/testbed/internal/place"
)

const usage = `one of these is needed:
  up       start the node of this checkout, or find it running; it stays until down
  down     end it and remove all of it
  status   say what runs and where
  prepare  build and install what a node needs, once for the machine; starts nothing
  settle   what make test does at its end: down, unless up started it or somebody uses it; says what was left out`

var errUsage = errors.New(usage)

// run does one command. serve and init are for the testbed itself.
func run(ctx context.Context, args []string) error {
	if len(args) == 2 && args[0] == "serve" {
		s := node.Service{Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
		if err := json.Unmarshal([]byte(args[1]), &s); err != nil {
			return err
		}
		return node.Serve(ctx, s)
	}
	if len(args) != 1 {
		return errUsage
	}
	if args[0] == "init" {
		return node.Init(ctx, os.Stdin, os.Stderr)
	}
	work, err := os.Getwd()
	if err != nil {
		return err
	}
	repository, err := place.Repository(work)
	if err != nil {
		return err
	}
	dir, err := place.Directory(repository)
	if err != nil {
		return err
	}
	o := node.Options{Dir: dir, Repository: repository, Progress: os.Stderr}
	switch args[0] {
	case "up":
		return up(ctx, o, os.Stdout)
	case "down":
		return node.Down(ctx, dir)
	case "status":
		return status(ctx, dir, os.Stdout)
	case "prepare":
		return prepare(ctx, o)
	case "settle":
		return settle(ctx, dir, os.Stderr)
	}
	return errUsage
}

func up(ctx context.Context, o node.Options, out io.Writer) error {
	o.Keep = true
	state, _, err := node.Up(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, `Kubernetes %s, one node, until make cluster-down.

  export KUBECONFIG=%s
  PATH=%s:$PATH

Images in its registry: %s/app:v1, v2, v3, v2-unhealthy, v2-slow, v2-crash, v2-oom, v2-unready, v2-turns, v2-done

  kubectl create deployment web --image %s/app:v1 --port 8080 --replicas 3
  kubectl expose deployment web --type NodePort --port 8080
  curl http://%s:$(kubectl get service web -o jsonpath='{.spec.ports[0].nodePort}')
  kubectl set image deployment/web app=%s/app:v2-crash

Logs: %s
`, state.Version, state.Kubeconfig, state.Programs, state.Registry, state.Registry, state.Address, state.Registry,
		filepath.Join(state.Dir, "logs"))
	return nil
}

func status(ctx context.Context, dir string, out io.Writer) error {
	state, err := node.Read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(out, "no node runs in %s; make cluster-up starts it\n", dir)
		return nil
	}
	if err != nil {
		return err
	}
	components, err := node.Components(ctx, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Kubernetes %s since %s\nkubeconfig  %s\nregistry    %s\nNodePorts   %s\n",
		state.Version, state.Started.Local().Format("15:04:05"), state.Kubeconfig, state.Registry, state.Address)
	for _, name := range slices.Sorted(maps.Keys(components)) {
		word := "stopped"
		if components[name] {
			word = "runs"
		}
		fmt.Fprintf(out, "%-24s %s\n", name, word)
	}
	return nil
}

// prepare is no failure where no node can run, except in CI: elsewhere the tests
// that need one are left out, and settle says so.
func prepare(ctx context.Context, o node.Options) error {
	err := node.Prepare(ctx, o)
	if errors.Is(err, node.ErrCannot) && os.Getenv("CI") != "true" {
		fmt.Fprintf(os.Stderr, "testbed: tests that need Kubernetes are left out: %v\n", err)
		return nil
	}
	return err
}

func settle(ctx context.Context, dir string, out io.Writer) error {
	node.ReportLeftOut(dir, out)
	return node.DownUnlessKept(ctx, dir)
}
