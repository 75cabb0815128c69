package wire_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
	"github.com/apm-deploy/apm/sdk/wire"
)

func same[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Every field of every request and answer of the unary calls arrives.
func TestCallsCarryEverything(t *testing.T) {
	t.Parallel()
	diagnostics := diag.Diagnostics{
		{Severity: diag.Error, Summary: "s", Detail: "d", Path: []string{"port", "http"}}, {Severity: diag.Warning, Summary: "w"},
	}
	warnings := diagnostics[1:]
	platform := &full{}
	conn, _ := connect(t, platform)
	client, ctx := conn.Client(), t.Context()

	configure := filled[sdk.ConfigureRequest]()
	platform.configure = func(_ context.Context, r sdk.ConfigureRequest) (diag.Diagnostics, error) {
		same(t, "Configure", configure, r)
		return warnings, nil
	}
	ds, err := client.Configure(ctx, configure)
	same(t, "Configure answers", warnings, ds)
	same(t, "error", nil, err)

	platform.validate = func(_ context.Context, config, spec []byte) (diag.Diagnostics, error) {
		same(t, "Validate", []string{"{}", "[]"}, []string{string(config), string(spec)})
		return diagnostics, nil
	}
	ds, err = client.Validate(ctx, []byte("{}"), []byte("[]"))
	same(t, "Validate answers", diagnostics, ds)
	same(t, "error", nil, err)

	resolve := filled[sdk.ResolveRequest]()
	platform.resolve = func(_ context.Context, r sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
		same(t, "Resolve", resolve, r)
		return filled[sdk.Release](), warnings, nil
	}
	release, ds, err := client.Resolve(ctx, resolve)
	same(t, "Resolve answers", filled[sdk.Release](), release)
	same(t, "diagnostics", warnings, ds)
	same(t, "error", nil, err)

	snapshot := filled[sdk.SnapshotRequest]()
	platform.snapshot = func(_ context.Context, r sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
		same(t, "Snapshot", snapshot, r)
		return filled[sdk.SnapshotResult](), nil
	}
	snapped, err := client.Snapshot(ctx, snapshot)
	same(t, "Snapshot answers", filled[sdk.SnapshotResult](), snapped)
	same(t, "error", nil, err)

	plan := filled[sdk.PlanRequest]()
	planned := filled[sdk.Plan]()
	platform.plan = func(_ context.Context, r sdk.PlanRequest) (sdk.Plan, error) {
		same(t, "Plan", plan, r)
		return planned, nil
	}
	gotPlan, err := client.Plan(ctx, plan)
	same(t, "Plan answers", planned, gotPlan)
	same(t, "error", nil, err)

	deploy := filled[sdk.DeployRequest]()
	platform.deploy = func(_ context.Context, r sdk.DeployRequest) (sdk.Handle, error) {
		same(t, "Deploy", deploy, r)
		return filled[sdk.Handle](), nil
	}
	handle, err := client.Deploy(ctx, deploy)
	same(t, "Deploy answers", filled[sdk.Handle](), handle)
	same(t, "error", nil, err)

	rollback := filled[sdk.RollbackRequest]()
	rollback.Operation.Epoch = deploy.Operation.Epoch + 1
	platform.rollback = func(_ context.Context, r sdk.RollbackRequest) (sdk.Handle, error) {
		same(t, "Rollback", rollback, r)
		return filled[sdk.Handle](), nil
	}
	handle, err = client.Rollback(ctx, rollback)
	same(t, "Rollback answers", filled[sdk.Handle](), handle)
	same(t, "error", nil, err)

	promote := filled[sdk.PromoteRequest]()
	promote.Percent, promote.Operation.Epoch = 25, rollback.Operation.Epoch
	platform.promote = func(_ context.Context, r sdk.PromoteRequest) (sdk.Handle, error) {
		same(t, "Promote", promote, r)
		return filled[sdk.Handle](), nil
	}
	handle, err = client.Promote(ctx, promote)
	same(t, "Promote answers", filled[sdk.Handle](), handle)
	same(t, "error", nil, err)

	cancel := filled[sdk.CancelRequest]()
	cancel.Operation.Epoch = promote.Operation.Epoch
	platform.cancel = func(_ context.Context, r sdk.CancelRequest) error {
		same(t, "Cancel", cancel, r)
		return nil
	}
	same(t, "Cancel error", nil, client.Cancel(ctx, cancel))

	recovery := filled[sdk.RecoverRequest]()
	recovery.Operation.Epoch = promote.Operation.Epoch
	platform.recover = func(_ context.Context, r sdk.RecoverRequest) (sdk.Recovery, error) {
		same(t, "Recover", recovery, r)
		return filled[sdk.Recovery](), nil
	}
	recovered, err := client.Recover(ctx, recovery)
	same(t, "Recover answers", filled[sdk.Recovery](), recovered)
	same(t, "error", nil, err)

	probe := filled[sdk.ProbeRequest]()
	platform.probe = func(_ context.Context, r sdk.ProbeRequest) (sdk.ProbeResult, error) {
		same(t, "Probe", probe, r)
		return filled[sdk.ProbeResult](), nil
	}
	probed, err := client.Probe(ctx, probe)
	same(t, "Probe answers", filled[sdk.ProbeResult](), probed)
	same(t, "error", nil, err)

	items := []sdk.InventoryItem{filled[sdk.InventoryItem]()}
	platform.inventory = func(_ context.Context, id string) ([]sdk.InventoryItem, error) {
		same(t, "Inventory", "id", id)
		return items, nil
	}
	gotItems, err := client.Inventory(ctx, "id")
	same(t, "Inventory answers", items, gotItems)
	same(t, "error", nil, err)

	platform.drain = func(_ context.Context, grace time.Duration) ([]string, error) {
		if grace <= 0 || grace > time.Minute {
			t.Errorf("grace %v", grace)
		}
		return []string{"op-1"}, nil
	}
	inFlight, err := client.Drain(ctx, time.Minute)
	same(t, "Drain answers", []string{"op-1"}, inFlight)
	same(t, "error", nil, err)
}

// What is absent stays absent: the zero handle, the release of a rollback, ...
func TestAbsentStaysAbsent(t *testing.T) {
	t.Parallel()
	platform := &full{}
	platform.recover = func(_ context.Context, r sdk.RecoverRequest) (sdk.Recovery, error) {
		same(t, "Recover", sdk.RecoverRequest{Operation: sdk.Operation{ID: "op"}, Target: target()}, r)
		return sdk.Recovery{Status: sdk.RecoverUnknown}, nil
	}
	platform.snapshot = func(_ context.Context, r sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
		same(t, "Snapshot", sdk.SnapshotRequest{Target: target()}, r)
		return sdk.SnapshotResult{Snapshot: sdk.Snapshot{Empty: true}}, nil
	}
	client, _ := configured(t, platform)
	recovered, err := client.Recover(t.Context(), sdk.RecoverRequest{Operation: sdk.Operation{ID: "op"}, Target: target()})
	same(t, "Recover answers", sdk.Recovery{Status: sdk.RecoverUnknown}, recovered)
	same(t, "error", nil, err)
	snapped, err := client.Snapshot(t.Context(), sdk.SnapshotRequest{Target: target()})
	same(t, "Snapshot answers", sdk.SnapshotResult{Snapshot: sdk.Snapshot{Empty: true}}, snapped)
	same(t, "error", nil, err)
}

func TestResolveWithErrorsHasNoRelease(t *testing.T) {
	t.Parallel()
	var ds diag.Diagnostics
	ds.Errorf([]string{"artifact"}, "no such file")
	client, _ := configured(t, &bare{resolve: func(context.Context, sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
		return filled[sdk.Release](), ds, nil
	}})
	release, got, err := client.Resolve(t.Context(), sdk.ResolveRequest{Target: target()})
	same(t, "release", sdk.Release{}, release)
	same(t, "diagnostics", ds, got)
	same(t, "error", nil, err)
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	all := sdk.Capabilities{Plan: true, Staged: true, Percent: true, Cancel: true, WatchTarget: true, Logs: true, Inventory: true}
	for name, tc := range map[string]struct {
		platform sdk.Platform
		want     sdk.Capabilities
	}{"bare": {&bare{}, sdk.Capabilities{}}, "full": {&full{}, all}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, _ := connect(t, tc.platform)
			client := conn.Client()
			got, err := client.Describe(t.Context())
			same(t, "description", sdk.Description{Name: "fake", Version: "1.2.3", ProtocolMinor: 1, Capabilities: tc.want}, got)
			same(t, "error", nil, err)
			same(t, "capabilities", tc.want, client.Capabilities())
			same(t, "capabilities by sdk", tc.want, sdk.CapabilitiesOf(client))
			// Cached: the answer does not need the plugin any more.
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			again, err := client.Describe(t.Context())
			same(t, "again", got, again)
			same(t, "error", nil, err)
		})
	}
}

func TestDescribeCarriesSchemas(t *testing.T) {
	t.Parallel()
	one := schema.Schema{Version: 3, Block: schema.Block{
		Description: "d", Deprecated: true,
		Attributes: []schema.Attribute{
			{Name: "a", Type: "string", Description: "x", Sensitive: true, Deprecated: true, Default: `"v"`, Path: true},
			{Name: "b", Type: "list(number)", Required: true},
		},
		Blocks: []schema.NestedBlock{
			{Name: "s", Nesting: schema.Single, MaxItems: 1},
			{Name: "l", Nesting: schema.List, MinItems: 1, MaxItems: 3},
			{Name: "m", Nesting: schema.Map, Block: schema.Block{Attributes: []schema.Attribute{{Name: "c", Type: "bool"}}}},
		},
	}}
	other := one
	other.Version = 4
	server, err := wire.NewServer(sdk.Plugin{
		Name: "n", Version: "v", Config: one, Spec: other, New: func(*slog.Logger) sdk.Platform { return &bare{} },
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Describe(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := wire.NewClient(answers{response})
	description, err := got.Describe(t.Context())
	same(t, "config", one, description.Config)
	same(t, "spec", other, description.Spec)
	same(t, "error", nil, err)
}

func TestNewServerRefuses(t *testing.T) {
	t.Parallel()
	makes := func(p sdk.Platform) func(*slog.Logger) sdk.Platform {
		return func(*slog.Logger) sdk.Platform { return p }
	}
	bad := schema.Schema{Block: schema.Block{Attributes: []schema.Attribute{{Name: "a", Type: "any"}}}}
	type onlyPromotes struct {
		*bare
		sdk.Promoter
	}
	for name, plugin := range map[string]sdk.Plugin{
		"no name":                 {Version: "1", New: makes(&bare{})},
		"no version":              {Name: "n", New: makes(&bare{})},
		"no New":                  {Name: "n", Version: "1"},
		"nil platform":            {Name: "n", Version: "1", New: makes(nil)},
		"bad config":              {Name: "n", Version: "1", New: makes(&bare{}), Config: bad},
		"bad spec":                {Name: "n", Version: "1", New: makes(&bare{}), Spec: bad},
		"promotes, cannot cancel": {Name: "n", Version: "1", New: makes(onlyPromotes{bare: &bare{}})},
	} {
		if _, err := wire.NewServer(plugin, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Every kind of event arrives with everything in it.
func TestWatchCarriesEverything(t *testing.T) {
	t.Parallel()
	all := filled[sdk.Event]()
	at, token := all.ObservedAt, []byte("token")
	events := []sdk.Event{
		{ObservedAt: at, State: all.State},
		{ObservedAt: at, Resource: all.Resource},
		{ObservedAt: at, Log: all.Log},
		{ObservedAt: at, Handle: all.Handle},
		{ObservedAt: at, Candidate: all.Candidate},
		{ObservedAt: at, Drift: all.Drift},
		{ObservedAt: at, Outcome: all.Outcome, ResumeToken: token},
	}
	request := filled[sdk.WatchRequest]()
	platform := &bare{watch: func(_ context.Context, r sdk.WatchRequest, sink sdk.Sink) error {
		same(t, "Watch", request, r)
		return sink(events...)
	}}
	client, _ := configured(t, platform)
	var got []sdk.Event
	err := client.Watch(t.Context(), request, func(batch ...sdk.Event) error {
		got = append(got, cloned(batch)...)
		return nil
	})
	same(t, "error", nil, err)
	same(t, "events", events, got)
}

func TestTargetWatchLogsAndHealthCarryEverything(t *testing.T) {
	t.Parallel()
	platform := &full{}
	client, _ := configured(t, platform)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	watch := filled[sdk.WatchTargetRequest]()
	drift := sdk.Event{ObservedAt: time.Unix(1, 0).UTC(), Drift: &sdk.Drift{By: "kubectl"}, ResumeToken: []byte("t")}
	platform.watchTarget = func(ctx context.Context, r sdk.WatchTargetRequest, sink sdk.Sink) error {
		same(t, "WatchTarget", watch, r)
		if err := sink(drift); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	var got []sdk.Event
	err := client.WatchTarget(ctx, watch, func(batch ...sdk.Event) error {
		got = append(got, cloned(batch)...)
		return errEnough
	})
	same(t, "events", []sdk.Event{drift}, got)
	if !errors.Is(err, errEnough) {
		t.Errorf("the sink's error came back as %v", err)
	}

	request := filled[sdk.LogsRequest]()
	line := filled[sdk.LogLine]()
	platform.logs = func(_ context.Context, r sdk.LogsRequest, send func(...sdk.LogLine) error) error {
		same(t, "Logs", request, r)
		return send(line, line)
	}
	var lines []sdk.LogLine
	err = client.Logs(ctx, request, func(some ...sdk.LogLine) error {
		lines = append(lines, some...)
		return nil
	})
	same(t, "lines", []sdk.LogLine{line, line}, lines)
	same(t, "error", nil, err)

	health := filled[sdk.Health]()
	platform.health = func(_ context.Context, report func(sdk.Health) error) error { return report(health) }
	var reports []sdk.Health
	err = client.Health(ctx, func(h sdk.Health) error {
		reports = append(reports, h)
		return errEnough
	})
	same(t, "health", []sdk.Health{health}, reports)
	if !errors.Is(err, errEnough) {
		t.Errorf("error %v", err)
	}
}
