package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/store"
)

// host is the one that acts where it does not matter which.
const host = "host-a"

// patience bounds every wait for what must happen.
const patience = 10 * time.Second

// noon is when the first deployment of a test is accepted.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// shop is the target where it does not matter which.
var shop = deployment.Target{Application: "shop", Environment: "production"}

var person = deployment.Actor{Kind: deployment.ActorToken, Name: "alice", Role: deployment.RoleDeployer}

// fixture is one store under test.
type fixture struct {
	*testing.T
	store.Store
	made   atomic.Int64
	epochs map[string]uint64 // of the leases that host holds
}

func (f *fixture) ctx() context.Context { return f.Context() }

// ok ends the test on an error.
func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// is wants an error of that kind.
func (f *fixture) is(err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Fatalf("error %v, want %v", err, want)
	}
}

// same compares what was stored with what is read.
func (f *fixture) same(what string, want, got any) {
	f.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		f.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// invalidCursor wants the error of a cursor that is none.
func (f *fixture) invalidCursor(err error) {
	f.Helper()
	var e *deployment.Error
	if !errors.As(err, &e) || e.Code != deployment.Invalid || len(e.Problems) != 1 || e.Problems[0].Field != "cursor" {
		f.Fatalf("error %#v, want an invalid field cursor", err)
	}
}

// build returns a deployment with one component, not accepted yet. Each is
// accepted a second after the one before.
func (f *fixture) build(target deployment.Target, version string) *deployment.Deployment {
	n := f.made.Add(1)
	at := noon.Add(time.Duration(n) * time.Second)
	component := deployment.ComponentDefinition{Name: "web", Platform: "process", Spec: json.RawMessage(`{"command":["true"]}`)}
	return &deployment.Deployment{
		ID: fmt.Sprintf("d%03d", n), Target: target, Version: version, Actor: person, AcceptedAt: at, UpdatedAt: at,
		Definition: deployment.Definition{
			Application: target.Application, Environment: target.Environment, Version: version,
			Policy: deployment.DefaultPolicy(), Components: []deployment.ComponentDefinition{component},
		},
		Components: []deployment.Component{{
			Name: "web", Platform: "process", Definition: component, Status: deployment.Pending,
			Release: &deployment.ReleaseRef{Key: fmt.Sprintf("release/d%03d/web", n), Digest: "sha256:" + version},
		}},
		Runs: []deployment.Run{{
			Number: 1, Kind: deployment.RunDeploy, Trigger: deployment.TriggerUser, Actor: person, To: version, RequestedAt: at,
		}},
		Status: deployment.Pending, Reason: "accepted",
	}
}

// acceptance wraps a deployment as the engine does.
func (f *fixture) acceptance(d *deployment.Deployment) deployment.Acceptance {
	return deployment.Acceptance{
		Deployment: d, Events: f.events(d, deployment.EventAccepted), Concurrent: deployment.ConcurrentQueue,
		Blobs: []deployment.Blob{{Key: d.Components[0].Release.Key, DeploymentID: d.ID, Data: []byte("content of " + d.ID)}},
		Audit: f.audit("deployment.start", d.ID),
	}
}

// accept builds and accepts.
func (f *fixture) accept(target deployment.Target, version string) *deployment.Deployment {
	f.Helper()
	d := f.build(target, version)
	f.ok(f.Accept(f.ctx(), f.acceptance(d)))
	return d
}

// events returns the next events of a deployment, and counts them.
func (f *fixture) events(d *deployment.Deployment, kinds ...deployment.EventType) []deployment.Event {
	var all []deployment.Event
	for _, kind := range kinds {
		d.Seq++
		all = append(all, deployment.Event{
			Type: kind, DeploymentID: d.ID, Seq: d.Seq, Time: d.UpdatedAt.Add(time.Duration(d.Seq)),
			Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, d.Seq)),
		})
	}
	return all
}

func (f *fixture) audit(action, object string) deployment.AuditRecord {
	return deployment.AuditRecord{At: noon, Actor: person, Action: action, Object: object, Detail: "detail", Reason: "reason"}
}

// epoch returns that of the target's lease, which is claimed if need be.
func (f *fixture) epoch(target deployment.Target) uint64 {
	f.Helper()
	if f.epochs[target.String()] == 0 {
		leases, err := f.Claim(f.ctx(), host, time.Hour)
		f.ok(err)
		for _, lease := range leases {
			f.epochs[lease.Target.String()] = lease.Epoch
		}
	}
	if f.epochs[target.String()] == 0 {
		f.Fatalf("no lease of %s", target)
	}
	return f.epochs[target.String()]
}

// change returns an empty change under the lease of the deployment's target.
func (f *fixture) change(d *deployment.Deployment) deployment.Change {
	f.Helper()
	return deployment.Change{Target: d.Target, Epoch: f.epoch(d.Target), Deployment: d}
}

// commit stores the deployment as it is, with an event.
func (f *fixture) commit(d *deployment.Deployment) {
	f.Helper()
	change := f.change(d)
	change.Events = f.events(d, deployment.EventStatus)
	f.ok(f.Commit(f.ctx(), change))
}

// take gives the deployment the lock.
func (f *fixture) take(d *deployment.Deployment) {
	f.Helper()
	d.Run().LockedAt = d.Run().RequestedAt.Add(time.Second)
	d.Status = deployment.Preparing
	f.state(d.Target, func(state *deployment.TargetState) { d.Previous, state.Holder = state.Current, d.ID })
	f.commit(d)
}

// end ends the deployment's run a minute after it was requested. One that went
// well is the current one afterwards.
func (f *fixture) end(d *deployment.Deployment, result deployment.Status) {
	f.Helper()
	run := d.Run()
	if run.LockedAt.IsZero() {
		f.take(d)
	}
	run.EndedAt = run.RequestedAt.Add(time.Minute)
	run.Result, d.Status, d.EndedAt, d.EndedBy = result, result, run.EndedAt, host
	f.commit(d)
	f.state(d.Target, func(state *deployment.TargetState) {
		state.Holder = ""
		if result == deployment.Completed {
			state.Current, state.Version = d.ID, d.Version
			state.Components = map[string]deployment.Running{"web": {Platform: "process", Deployment: d.ID, Version: d.Version}}
		}
	})
}

// state changes the target's.
func (f *fixture) state(target deployment.Target, mutate func(*deployment.TargetState)) {
	f.Helper()
	state, err := f.State(f.ctx(), target)
	f.ok(err)
	mutate(&state)
	f.ok(f.Commit(f.ctx(), deployment.Change{Target: target, Epoch: f.epoch(target), State: &state}))
}

// ids returns those of deployments.
func ids(all []*deployment.Deployment) []string {
	names := []string{}
	for _, d := range all {
		names = append(names, d.ID)
	}
	return names
}

// eventually waits until the condition holds.
func (f *fixture) eventually(what string, holds func() bool) {
	f.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			f.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// audits returns action and object of all audit records, oldest first.
func (f *fixture) audits() []string {
	f.Helper()
	records, next, err := f.Audit(f.ctx(), "", 500)
	f.ok(err)
	if next != "" {
		f.Fatal("more than one page of audit records")
	}
	var all []string
	for i := len(records) - 1; i >= 0; i-- {
		all = append(all, records[i].Action+" "+records[i].Object)
	}
	return all
}
