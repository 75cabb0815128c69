package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// revision is what the platform of the benchmarks runs, always.
const revision = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// load is what a Watch is to send.
type load struct {
	Events int  `json:"events" apm:"events" default:"0"`
	Single bool `json:"single" apm:"single" default:"false" doc:"each event waits until the one before has arrived"`
}

// next waits until an event may be sent.
func (l load) next() error {
	if !l.Single {
		return nil
	}
	_, err := acks.Read(make([]byte, 1))
	return err
}

// acks is the pipe on which the other process asks for the next event.
var acks = os.NewFile(4, "acks")

// resources are what the events are about, in turns: more than a queue holds, so
// that nothing is coalesced, and made before anything is measured.
var resources = func() []sdk.Resource {
	all := make([]sdk.Resource, 4096)
	for n := range all {
		id := fmt.Sprintf("pod/shop/api-7d4b9c6f5-%06d", n)
		all[n] = sdk.Resource{
			ID: id, ParentID: "replicaset/shop/api-7d4b9c6f5", Kind: "Pod", Name: id, Revision: revision,
			Health: sdk.ResourcePending, Desired: 1, Message: "containers with unready status: [api]",
		}
	}
	return all
}()

// platform does nothing but what is measured.
type platform struct{ sdk.Platform }

func benchPlugin() sdk.Plugin {
	return sdk.Plugin{
		Name: "bench", Version: "0.1.0", Config: schema.MustOf(struct{}{}), Spec: schema.MustOf(load{}),
		New: func(*slog.Logger) sdk.Platform { return platform{} },
	}
}

func (platform) Configure(context.Context, sdk.ConfigureRequest) (diag.Diagnostics, error) {
	return nil, nil
}

func (platform) Probe(context.Context, sdk.ProbeRequest) (sdk.ProbeResult, error) {
	return sdk.ProbeResult{
		Checks:         []sdk.Check{{Name: "alive", Type: "process", Status: sdk.CheckHealthy, Message: "3 of 3 ready"}},
		Revision:       revision,
		ObservedDigest: revision,
		Addresses:      map[string]string{"http": "127.0.0.1:8080"},
	}, nil
}

func (platform) Watch(_ context.Context, r sdk.WatchRequest, sink sdk.Sink) error {
	var want load
	if err := json.Unmarshal(r.Target.Spec, &want); err != nil {
		return err
	}
	if err := sink(sdk.Event{State: &sdk.State{Phase: sdk.PhaseProgressing}}); err != nil {
		return err
	}
	for n := range want.Events {
		if err := want.next(); err != nil {
			return err
		}
		if err := sink(sdk.Event{Resource: &resources[n%len(resources)]}); err != nil {
			return err
		}
	}
	return sink(sdk.Event{Outcome: &sdk.Outcome{Result: sdk.ResultSucceeded}})
}
