package wire_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/wire"
)

// TestMain is a plugin too, for the test that starts one.
func TestMain(m *testing.M) {
	if os.Getenv(envServe) != "" {
		os.Exit(servePlugin()) //nolint:forbidigo // the main of a plugin
	}
	goleak.VerifyTestMain(m)
}

// logs is what the plugin logged.
type logs struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// connect serves the platform over real gRPC on a socket.
func connect(t *testing.T, platform sdk.Platform, options ...wire.ServerOption) (*wire.Conn, *logs) {
	t.Helper()
	out := &logs{}
	server, err := wire.NewServer(sdk.Plugin{
		Name: "fake", Version: "1.2.3", New: func(*slog.Logger) sdk.Platform { return platform },
	}, slog.New(slog.NewTextHandler(out, nil)), options...)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "wire") //nolint:usetesting // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Listen(listener))
	conn, err := wire.Dial(socket, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, out
}

// configured serves the platform and configures it.
func configured(t *testing.T, platform sdk.Platform, options ...wire.ServerOption) (*wire.Client, *logs) {
	t.Helper()
	conn, out := connect(t, platform, options...)
	client := conn.Client()
	if _, err := client.Configure(t.Context(), sdk.ConfigureRequest{Platform: "fake"}); err != nil {
		t.Fatal(err)
	}
	return client, out
}

// bare is a platform of functions; a nil one answers the zero value. It has no
// optional interface.
type bare struct {
	configure func(context.Context, sdk.ConfigureRequest) (diag.Diagnostics, error)
	resolve   func(context.Context, sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error)
	snapshot  func(context.Context, sdk.SnapshotRequest) (sdk.SnapshotResult, error)
	deploy    func(context.Context, sdk.DeployRequest) (sdk.Handle, error)
	rollback  func(context.Context, sdk.RollbackRequest) (sdk.Handle, error)
	watch     func(context.Context, sdk.WatchRequest, sdk.Sink) error
	probe     func(context.Context, sdk.ProbeRequest) (sdk.ProbeResult, error)
	recover   func(context.Context, sdk.RecoverRequest) (sdk.Recovery, error)
}

func (p *bare) Configure(ctx context.Context, r sdk.ConfigureRequest) (diag.Diagnostics, error) {
	if p.configure == nil {
		return nil, nil
	}
	return p.configure(ctx, r)
}

func (p *bare) Resolve(ctx context.Context, r sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
	return p.resolve(ctx, r)
}

func (p *bare) Snapshot(ctx context.Context, r sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	return p.snapshot(ctx, r)
}

func (p *bare) Deploy(ctx context.Context, r sdk.DeployRequest) (sdk.Handle, error) {
	if p.deploy == nil {
		return sdk.Handle{Version: 1}, nil
	}
	return p.deploy(ctx, r)
}

func (p *bare) Rollback(ctx context.Context, r sdk.RollbackRequest) (sdk.Handle, error) {
	if p.rollback == nil {
		return sdk.Handle{Version: 1}, nil
	}
	return p.rollback(ctx, r)
}

func (p *bare) Watch(ctx context.Context, r sdk.WatchRequest, sink sdk.Sink) error {
	return p.watch(ctx, r, sink)
}

func (p *bare) Probe(ctx context.Context, r sdk.ProbeRequest) (sdk.ProbeResult, error) {
	if p.probe == nil {
		return sdk.ProbeResult{}, nil
	}
	return p.probe(ctx, r)
}

func (p *bare) Recover(ctx context.Context, r sdk.RecoverRequest) (sdk.Recovery, error) {
	if p.recover == nil {
		return sdk.Recovery{Status: sdk.RecoverNotStarted}, nil
	}
	return p.recover(ctx, r)
}

var _ sdk.Platform = (*bare)(nil)

// full adds every optional interface.
type full struct {
	bare
	validate    func(context.Context, []byte, []byte) (diag.Diagnostics, error)
	plan        func(context.Context, sdk.PlanRequest) (sdk.Plan, error)
	promote     func(context.Context, sdk.PromoteRequest) (sdk.Handle, error)
	cancel      func(context.Context, sdk.CancelRequest) error
	watchTarget func(context.Context, sdk.WatchTargetRequest, sdk.Sink) error
	logs        func(context.Context, sdk.LogsRequest, func(...sdk.LogLine) error) error
	health      func(context.Context, func(sdk.Health) error) error
	inventory   func(context.Context, string) ([]sdk.InventoryItem, error)
	drain       func(context.Context, time.Duration) ([]string, error)
}

func (p *full) Validate(ctx context.Context, config, spec []byte) (diag.Diagnostics, error) {
	return p.validate(ctx, config, spec)
}

func (p *full) Plan(ctx context.Context, r sdk.PlanRequest) (sdk.Plan, error) { return p.plan(ctx, r) }

func (p *full) Promote(ctx context.Context, r sdk.PromoteRequest) (sdk.Handle, error) {
	if p.promote == nil {
		return sdk.Handle{Version: 1}, nil
	}
	return p.promote(ctx, r)
}

func (p *full) PromotesPercent() {}

func (p *full) Cancel(ctx context.Context, r sdk.CancelRequest) error {
	if p.cancel == nil {
		return nil
	}
	return p.cancel(ctx, r)
}

func (p *full) WatchTarget(ctx context.Context, r sdk.WatchTargetRequest, sink sdk.Sink) error {
	return p.watchTarget(ctx, r, sink)
}

func (p *full) Logs(ctx context.Context, r sdk.LogsRequest, send func(...sdk.LogLine) error) error {
	return p.logs(ctx, r, send)
}

func (p *full) Health(ctx context.Context, report func(sdk.Health) error) error {
	return p.health(ctx, report)
}

func (p *full) Inventory(ctx context.Context, id string) ([]sdk.InventoryItem, error) {
	return p.inventory(ctx, id)
}

func (p *full) Drain(ctx context.Context, grace time.Duration) ([]string, error) {
	return p.drain(ctx, grace)
}

// filled returns a T in which nothing is zero, so that a conversion that forgets
// a field is found.
func filled[T any]() T {
	var v T
	n := 0
	fill(reflect.ValueOf(&v).Elem(), &n, 0)
	return v
}

func fill(v reflect.Value, n *int, depth int) {
	*n++
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(int64(1_700_000_000+*n), 7000).UTC()))
		return
	case v.Type() == reflect.TypeFor[time.Duration]():
		v.SetInt(int64(*n) * int64(time.Millisecond))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text " + string(rune('a'+*n%26)) + string(rune('a'+*n/26%26)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(int64(1 + *n%2)) // the enums all know 1 and 2
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(1_000 + *n))
	case reflect.Float64:
		v.SetFloat(0.25)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte{byte(*n), 0, 0xff})
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n, depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n, depth+1)
		fill(value, n, depth+1)
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n, depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			// A schema's block contains blocks: two levels are enough.
			if v.Type().Field(i).Name == "Blocks" && depth > 5 {
				continue
			}
			fill(v.Field(i), n, depth+1)
		}
	default:
		panic("fill: " + v.Type().String())
	}
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

func target() sdk.Target {
	return sdk.Target{Application: "shop", Environment: "production", Component: "web", Version: "v1"}
}

func deployAt(id string, epoch uint64) sdk.DeployRequest {
	return sdk.DeployRequest{
		Operation: sdk.Operation{ID: id, Kind: sdk.OperationDeploy, RequestDigest: "d", Epoch: epoch}, Target: target(),
	}
}
