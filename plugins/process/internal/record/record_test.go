package record_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/plugins/process/internal/record"
	"github.com/apm-deploy/apm/sdk"
)

var update = flag.Bool("update", false, "write the golden files")

var at = time.Date(2026, 3, 4, 5, 6, 7, 80, time.UTC)

// events are one of each kind, whole.
func events() []sdk.Event {
	line := sdk.LogLine{Resource: "process-2-1", Line: "listening", Previous: true, Time: at, Stream: "stderr"}
	resource := sdk.Resource{
		ID: "process-2-1", ParentID: "release-2", Kind: "process", Name: "web-2-1", Revision: "v2", Health: sdk.ResourceGone,
		Desired: 1, Ready: 1, Restarts: 3, Reason: sdk.CodeExited, Message: "pid 7",
	}
	candidate := sdk.Candidate{Addresses: map[string]string{"http": "127.0.0.1:20001"}, Revision: "v2", Percent: 50}
	return []sdk.Event{
		{ObservedAt: at, ResumeToken: []byte("boot:1"), State: &sdk.State{
			Phase: sdk.PhaseStabilizing, Message: "version v2 is up", Fraction: 0.7, Resources: []sdk.Resource{resource}, Candidate: &candidate,
		}},
		{ObservedAt: at, ResumeToken: []byte("boot:2"), Resource: &resource},
		{ObservedAt: at, ResumeToken: []byte("boot:3"), Log: &line},
		{ObservedAt: at, DroppedLogLines: 12},
		{ObservedAt: at, ResumeToken: []byte("boot:4"), Candidate: &candidate},
		{ObservedAt: at, ResumeToken: []byte("boot:5"), Drift: &sdk.Drift{By: "user alice", Message: "files were changed", Revision: "v2", Undone: true}},
		{ObservedAt: at, ResumeToken: []byte("boot:6"), Outcome: &sdk.Outcome{
			Result: sdk.ResultSuperseded, Message: "superseded", Outputs: map[string]string{"k": "v"},
			Addresses: map[string]string{"http": "127.0.0.1:8088"}, Revision: "v2", SupersededBy: "operation op-9",
			Failure: &sdk.Failure{
				Code: sdk.CodeExited, Resource: "process-2-1", Message: "exited", Suggestion: "mend it",
				Logs: []sdk.LogLine{line}, Events: []string{"run 1 exited with code 3"}, Environment: true,
			},
		}},
	}
}

func probe() sdk.ProbeResult {
	return sdk.ProbeResult{
		Revision: "v2", ObservedDigest: "sha256:00", Addresses: map[string]string{"http": "127.0.0.1:8088"},
		Checks: []sdk.Check{{
			Name: "process-2-1", Type: "process", Status: sdk.CheckUnknown, Message: "could not look", Latency: 1500 * time.Microsecond,
			Resource: "process-2-1",
		}},
	}
}

func golden(t *testing.T, name string, v any) []byte {
	t.Helper()
	got, err := json.MarshalIndent(v, "", "  ")
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
		t.Errorf("%s is written in another way; shims that run could not be read any more:\n%s", name, diff)
	}
	return want
}

func read[T any](t *testing.T, data []byte) T {
	t.Helper()
	var v T
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The names and numbers are those of the golden files, for ever.
func TestNamesAndNumbers(t *testing.T) {
	t.Parallel()
	want := events()
	got := record.ToEvents(read[[]record.Event](t, golden(t, "events.json", record.OfEvents(want))))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events came back changed:\n%s", diff)
	}
	if diff := cmp.Diff(probe(), record.ToProbe(read[record.Probe](t, golden(t, "probe.json", record.OfProbe(probe()))))); diff != "" {
		t.Errorf("a probe came back changed:\n%s", diff)
	}
}

// The first shims wrote the SDK's types as they were, with every absent part as
// null.
func TestFirstShimsAreRead(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "first.json"))
	if err != nil {
		t.Fatal(err)
	}
	var read []record.Event
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(events(), record.ToEvents(read)); diff != "" {
		t.Errorf("events of a first shim are read in another way:\n%s", diff)
	}
}

// A field that the SDK gets must get its place here.
func TestEveryFieldIsWritten(t *testing.T) {
	t.Parallel()
	for sdkType, own := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[sdk.Event]():       reflect.TypeFor[record.Event](),
		reflect.TypeFor[sdk.State]():       reflect.TypeFor[record.State](),
		reflect.TypeFor[sdk.Outcome]():     reflect.TypeFor[record.Outcome](),
		reflect.TypeFor[sdk.Failure]():     reflect.TypeFor[record.Failure](),
		reflect.TypeFor[sdk.ProbeResult](): reflect.TypeFor[record.Probe](),
	} {
		for i := range sdkType.NumField() {
			name := sdkType.Field(i).Name
			field, ok := own.FieldByName(name)
			if !ok && (sdkType != reflect.TypeFor[sdk.Event]() || name != "Handle" && name != "Heartbeat") {
				t.Errorf("%s.%s is not written", sdkType, name)
			}
			if ok && field.Tag.Get("json") == "" {
				t.Errorf("%s.%s has no name of its own", own, name)
			}
		}
	}
}
