package sdk_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Config is the platform block, Spec the spec block of a component.
type (
	Config struct {
		URL   string `apm:"url,required" doc:"where the platform answers"`
		Token string `apm:"token,sensitive" doc:"what it knows us by"`
	}
	Spec struct {
		Image    string `apm:"image,required" doc:"what to run"`
		Replicas int    `apm:"replicas" default:"1" doc:"how often"`
	}
)

// Minimal is a platform with nothing but the eight calls that each must have.
type Minimal struct {
	log    *slog.Logger
	config Config
}

func (p *Minimal) Configure(_ context.Context, r sdk.ConfigureRequest) (ds diag.Diagnostics, _ error) {
	p.config, ds = schema.Read[Config](r.Config)
	return ds, nil
}

// Check is what the schema of a spec cannot say.
func (s Spec) Check() (ds diag.Diagnostics) {
	if s.Image == "latest" {
		ds.Errorf([]string{"image"}, "image %q moves: name a version or a digest", s.Image)
	}
	return ds
}

// Validate makes it a Validator.
func (p *Minimal) Validate(_ context.Context, config, spec []byte) (diag.Diagnostics, error) {
	return schema.Check[Config, Spec](config, spec), nil
}

func (p *Minimal) Resolve(_ context.Context, r sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
	spec, ds := schema.Read[Spec](r.Target.Spec)
	if ds.HasErrors() {
		return sdk.Release{}, ds, nil
	}
	return sdk.Release{
		Version: 1, State: r.Target.Spec, Digest: spec.Image, Revision: spec.Image, View: map[string]string{"image": spec.Image},
	}, ds, nil
}

func (p *Minimal) Snapshot(context.Context, sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	return sdk.SnapshotResult{Snapshot: sdk.Snapshot{Version: 1, Empty: true}, ObservedDigest: "nothing"}, nil
}

func (p *Minimal) Deploy(_ context.Context, r sdk.DeployRequest) (sdk.Handle, error) {
	p.log.Info("deploy", "operation", r.Operation.ID, "component", r.Target.Component)
	return sdk.Handle{}, sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "%s does not answer; see that it runs", p.config.URL)
}

func (p *Minimal) Rollback(context.Context, sdk.RollbackRequest) (sdk.Handle, error) {
	return sdk.Handle{}, sdk.SnapshotStale("its image is gone; deploy that version again instead")
}

func (p *Minimal) Watch(_ context.Context, r sdk.WatchRequest, sink sdk.Sink) error {
	if err := sink(sdk.Event{State: &sdk.State{Phase: sdk.PhaseProgressing}}); err != nil {
		return err
	}
	return sink(sdk.Event{Outcome: &sdk.Outcome{Result: sdk.ResultSucceeded, Message: "version " + r.Target.Version + " runs"}})
}

func (p *Minimal) Probe(_ context.Context, r sdk.ProbeRequest) (sdk.ProbeResult, error) {
	return sdk.ProbeResult{Checks: []sdk.Check{{Name: r.Target.Component, Type: "endpoint", Status: sdk.CheckHealthy}}}, nil
}

func (p *Minimal) Recover(context.Context, sdk.RecoverRequest) (sdk.Recovery, error) {
	return sdk.Recovery{Status: sdk.RecoverUnknown, Message: "nothing is stamped on this platform"}, nil
}

// Plan makes it a Planner: what a platform can do is read from what it implements.
func (p *Minimal) Plan(_ context.Context, r sdk.PlanRequest) (sdk.Plan, error) {
	return sdk.Plan{Steps: []sdk.Step{{Resource: r.Target.Component, Action: "update", Summary: r.Kind.String()}}}, nil
}

// A plugin hands this to serve.Main:
//
//	func main() { os.Exit(serve.Main(plugin)) }
func Example() {
	plugin := sdk.Plugin{
		Name: "minimal", Version: "0.1.0",
		Config: schema.MustOf(Config{}), Spec: schema.MustOf(Spec{}),
		New: func(log *slog.Logger) sdk.Platform { return &Minimal{log: log} },
	}
	platform := plugin.New(slog.New(slog.DiscardHandler))
	fmt.Printf("%+v\n", sdk.CapabilitiesOf(platform))

	if ds, err := platform.Configure(context.Background(), sdk.ConfigureRequest{Config: []byte(`{"url":"https://platform.example"}`)}); err != nil || ds.HasErrors() {
		panic("Configure")
	}
	_, ds, _ := platform.Resolve(context.Background(), sdk.ResolveRequest{Target: sdk.Target{Spec: []byte(`{"image":"latest"}`)}})
	fmt.Println(ds[0])

	_, err := platform.Deploy(context.Background(), sdk.DeployRequest{})
	fmt.Println(sdk.CodeOf(err), err)
	// Output:
	// {Plan:true Staged:false Percent:false Cancel:false WatchTarget:false Logs:false Inventory:false}
	// image: image "latest" moves: name a version or a digest
	// UNAVAILABLE https://platform.example does not answer; see that it runs
}
