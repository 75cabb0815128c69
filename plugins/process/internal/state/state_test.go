package state_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/plugins/process/internal/record"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

func TestNamesBecomePathElements(t *testing.T) {
	t.Parallel()
	layout := state.Layout{Root: "/state"}
	names := []string{"web", "", ".", "..", "../../etc", "a/b", "a%2fb", "artifacts", "Ünï", "a\x00b", ".hidden", "*?[", strings.Repeat("x", 10000), strings.Repeat("x", 10001)}
	seen := map[string]string{}
	for _, name := range names {
		id := state.Identity{Installation: "i", Application: name, Environment: name, Component: name}
		dir := layout.Component(id)
		rest, err := filepath.Rel("/state", dir)
		if err != nil || strings.Count(rest, "/") != 3 || strings.HasPrefix(rest, ".") || strings.Contains(rest, "/.") {
			t.Errorf("%.20q: directory %q leaves its place", name, dir)
		}
		if other, twice := seen[dir]; twice {
			t.Errorf("%.20q and %.20q share %q", name, other, dir)
		}
		seen[dir] = name
		if len(name) < 100 {
			if diff := cmp.Diff(id, state.IdentityOf(dir)); diff != "" {
				t.Errorf("%q read back: %s", name, diff)
			}
		}
		if strings.HasPrefix(dir, layout.Artifacts("i")+"/") {
			t.Errorf("%q lies among the artifacts", dir)
		}
		if state.ArtifactsOf(dir) != layout.Artifacts("i") {
			t.Errorf("artifacts of %q: %q", dir, state.ArtifactsOf(dir))
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := state.Load(dir); !errors.Is(err, state.ErrNone) {
		t.Errorf("of nothing: %v", err)
	}
	st := &state.State{Nonce: "n", Epoch: 3}
	for n := range state.MaxOperations + 10 {
		st.AddOperation(state.Operation{ID: fmt.Sprint(n), Outcome: &record.Outcome{Failure: &record.Failure{Logs: []record.LogLine{{Line: "x"}}}}})
	}
	if err := state.Save(dir, st); err != nil {
		t.Fatal(err)
	}
	got, err := state.Load(dir)
	if diff := cmp.Diff(st, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if len(got.Operations) != state.MaxOperations || got.Operation("9") != nil || got.Operation("59") == nil {
		t.Errorf("%d operations are remembered", len(got.Operations))
	}
	withLogs := 0
	for _, op := range got.Operations {
		withLogs += len(op.Outcome.Failure.Logs)
	}
	if withLogs != 5 {
		t.Errorf("%d operations have their lines, want the newest 5", withLogs)
	}
	info, err := os.Stat(filepath.Join(dir, state.FileName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v, want 0600: it may hold secrets", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v %v, want the state file alone", entries, err)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		data string
		want func(*state.State) bool
		err  string
	}{
		"previous, under way": {
			data: `{"version": 1, "epoch": 4, "pid": 7, "start": "8", "socket": "/s", "operation": {"id": "a", "phase": "ready", "percent": 50}}`,
			want: func(s *state.State) bool {
				return s.Active == "a" && s.Operation("a").Percent == 50 && s.Shim == state.Shim{PID: 7, Start: "8", Socket: "/s"} && s.Epoch == 4
			},
		},
		"previous, finished": {
			data: `{"version": 1, "operation": {"id": "a", "outcome": {"Result": 1}}}`,
			want: func(s *state.State) bool {
				return s.Tombstone() && s.Operation("a").Outcome.Result == sdk.ResultSucceeded
			},
		},
		"newer":   {data: `{"version": 3}`, err: "newer plugin"},
		"too old": {data: `{"version": 0}`, err: "too old"},
		"cut":     {data: `{"version": 2, "no`, err: "state.json"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, state.FileName), []byte(test.data), 0o600); err != nil {
				t.Fatal(err)
			}
			st, err := state.Load(dir)
			switch {
			case test.err != "":
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want %q", err, test.err)
				}
			case err != nil || !test.want(st):
				t.Errorf("got %+v %v", st, err)
			}
		})
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := state.TryLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := state.TryLock(dir); !errors.Is(err, state.ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
	if !first.Held(dir) {
		t.Error("not held")
	}
	if err := os.Remove(filepath.Join(dir, ".lock")); err != nil {
		t.Fatal(err)
	}
	if first.Held(dir) {
		t.Error("held on a file that is gone")
	}
	first.Unlock()
	again, err := state.TryLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	again.Unlock()
}
