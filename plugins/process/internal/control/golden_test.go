package control_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/record"
	"github.com/apm-deploy/apm/plugins/process/internal/release"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

var update = flag.Bool("update", false, "write the golden files")

// Shims outlive the plugin that started them: what the two say to each other is
// written for ever as the golden files have it.
func TestMessages(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 5, 6, 7, 80, time.UTC)
	r := release.Release{
		Command: []string{"./server", "--verbose"}, Executable: "server", Directory: "bin", Env: map[string]string{"GREETING": "hello"},
		Replicas: 2, Artifact: "0abc", Ports: []release.Port{{Name: "http", Listen: "127.0.0.1:8088", Protocol: release.HTTP}},
		StopTimeout: 10 * time.Second, Drain: 5 * time.Second, StartTimeout: time.Minute, User: "nobody", Files: "sha256:01",
	}
	deployed := state.Deployed{
		Generation: 2, Version: "v2", OperationID: "op-2", DeploymentID: "dep-2", Digest: "sha256:02", Epoch: 7, Since: at, Release: r,
		Replaced: &state.Replaced{Version: "v3", Artifact: "0def", Files: "sha256:03"},
	}
	outcome := &record.Outcome{Result: sdk.ResultSucceeded, Message: "version v2 serves", Revision: "v2"}
	identity := state.Identity{Installation: "inst", Application: "shop", Environment: "production", Component: "web"}
	for name, message := range map[string]any{
		"request.json": control.Request{
			Protocol: control.Protocol, Nonce: "00ff", Method: control.Start, Identity: identity, Version: "v2",
			Settings:  &state.Settings{Keep: 5, LogSize: 1 << 20},
			Operation: &control.Operation{ID: "op-2", DeploymentID: "dep-2", Kind: sdk.OperationRollback, Digest: "digest", Epoch: 7, Staged: true},
			Goal:      &control.Goal{Release: &r, Version: "v2", Files: "sha256:01", Rollback: true},
			Expected:  "sha256:00", Retain: []string{"sha256:04", "sha256:05"}, Percent: 50, Token: []byte("boot:1"),
			Logs: &control.LogQuery{Resource: "process-2-1", Since: at, Tail: 10, Follow: true, Previous: true},
		},
		"response.json": control.Response{
			Proof: control.Proof("00ff"), Result: json.RawMessage(`{"k":"v"}`), End: true,
			Error: &control.Error{
				Code: sdk.Aborted, Reason: sdk.ReasonStaleEpoch, Message: "stale", Resource: "web", By: "op-3", Metadata: map[string]string{"epoch": "7"},
			},
			Events: []record.Event{{ObservedAt: at, DroppedLogLines: 3}},
			Lines:  []record.LogLine{{Resource: "process-2-1", Line: "hello", Time: at, Stream: "stdout"}},
		},
		"description.json": control.Description{
			Observed: "sha256:00", Problem: "could not look", Files: "sha256:01", Changed: []string{"server"}, PIDs: []int{7, 8},
			State: state.State{
				Version: state.Version, Nonce: "00ff", Identity: identity, Epoch: 7, Generation: 2, Serving: &deployed, Active: "op-3",
				Shim: state.Shim{PID: 6, Start: "1234", Socket: "/tmp/s"},
				Operations: []state.Operation{{
					ID: "op-2", DeploymentID: "dep-2", Kind: sdk.OperationDeploy, Digest: "digest", Epoch: 7, Staged: true, Removes: true,
					Version: "v2", Phase: state.PhaseFinished, Percent: 100, Cancelled: true, SupersededBy: "op-3", Started: at, Finished: at,
					Goal: &deployed, Outcome: outcome,
				}},
				Processes: []state.Process{{Instance: "2-1", PID: 7, Start: "1235"}},
				Artifacts: []string{"0abc"}, Tried: "0def", Settings: state.Settings{Keep: 5, LogSize: 1 << 20},
				Snapshots: map[string][]string{"0abc": {"sha256:04"}}, Retain: []string{"sha256:04", "sha256:05"},
			},
		},
		"recovery.json": control.Recovery{Status: sdk.RecoverUnknown, Outcome: outcome, Message: "could not tell"},
	} {
		got, err := json.MarshalIndent(message, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(bytes.TrimSpace(want)), string(got)); diff != "" {
			t.Errorf("%s is written in another way; shims that run would not be understood any more:\n%s", name, diff)
		}
	}
}
