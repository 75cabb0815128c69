package storetest

import (
	"errors"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

var acceptChecks = map[string]func(*fixture){
	"all of it is stored":                acceptStoresAll,
	"an id is taken once":                acceptTakesIDOnce,
	"nothing of a refused one is stored": acceptIsWhole,
	"a repeated request has one answer":  acceptRepeated,
	"refuse names who is in the way":     acceptRefuses,
	"supersede cancels those that wait":  acceptSupersedes,
	"supersede spares rollbacks":         acceptSparesRollbacks,
	"queue lets several wait":            acceptQueues,
	"ended ones are not in the way":      acceptAfterEnd,
	"targets are apart":                  acceptApart,
}

func acceptStoresAll(f *fixture) {
	d := f.build(shop, "v1")
	a := f.acceptance(d)
	f.ok(f.Accept(f.ctx(), a))

	got, err := f.Deployment(f.ctx(), d.ID)
	f.ok(err)
	f.same("deployment", d, got)
	events, err := f.Events(f.ctx(), d.ID, 0, 10)
	f.ok(err)
	f.same("events", a.Events, events)
	content, err := f.Blob(f.ctx(), d.Components[0].Release.Key)
	f.ok(err)
	f.same("blob", string(a.Blobs[0].Data), string(content))
	records, _, err := f.Audit(f.ctx(), "", 10)
	f.ok(err)
	a.Audit.ID = records[0].ID
	f.same("audit", []deployment.AuditRecord{a.Audit}, records)
	state, err := f.State(f.ctx(), shop)
	f.ok(err)
	f.same("state", deployment.TargetState{Target: shop}, state)
}

func acceptTakesIDOnce(f *fixture) {
	d := f.accept(shop, "v1")
	again := f.build(shop, "v2")
	again.ID = d.ID
	if err := f.Accept(f.ctx(), f.acceptance(again)); err == nil {
		f.Fatal("a second deployment of one id was accepted")
	}
	got, err := f.Deployment(f.ctx(), d.ID)
	f.ok(err)
	f.same("deployment", d, got)
}

func acceptIsWhole(f *fixture) {
	d := f.build(shop, "v1")
	a := f.acceptance(d)
	a.Key = &deployment.IdempotencyKey{Principal: "alice", Key: "k", Digest: "x"}
	a.Events = append(a.Events, a.Events[0]) // the seq is taken
	d.Seq = 1
	if err := f.Accept(f.ctx(), a); err == nil {
		f.Fatal("accepted with two events of one seq")
	}
	_, err := f.Deployment(f.ctx(), d.ID)
	f.is(err, deployment.ErrNotFound)
	_, err = f.Blob(f.ctx(), d.Components[0].Release.Key)
	f.is(err, deployment.ErrNotFound)
	_, err = f.State(f.ctx(), shop)
	f.is(err, deployment.ErrNotFound)
	f.same("audit", []string(nil), f.audits())
	first, err := f.Repeated(f.ctx(), *a.Key)
	f.ok(err)
	f.same("deployment of the key", "", first)
}

func acceptRepeated(f *fixture) {
	key := deployment.IdempotencyKey{Principal: "alice", Key: "k", Digest: "x"}
	first, err := f.Repeated(f.ctx(), key)
	f.ok(err)
	f.same("deployment of a new key", "", first)

	try := func(key deployment.IdempotencyKey) (*deployment.Deployment, error) {
		d := f.build(shop, "v1")
		a := f.acceptance(d)
		a.Key = &key
		return d, f.Accept(f.ctx(), a)
	}
	d, err := try(key)
	f.ok(err)
	first, err = f.Repeated(f.ctx(), key)
	f.ok(err)
	f.same("deployment of the key", d.ID, first)

	again, err := try(key)
	var repeated *deployment.RepeatedError
	if !errors.As(err, &repeated) || repeated.DeploymentID != d.ID {
		f.Fatalf("error %v, want the first deployment", err)
	}
	_, err = f.Deployment(f.ctx(), again.ID)
	f.is(err, deployment.ErrNotFound)

	other := key
	other.Digest = "y"
	_, err = try(other)
	f.is(err, deployment.ErrKeyReused)
	_, err = f.Repeated(f.ctx(), other)
	f.is(err, deployment.ErrKeyReused)

	other.Principal = "bob"
	_, err = try(other)
	f.ok(err) // keys of different people are different keys
}

func acceptRefuses(f *fixture) {
	refused := func() string {
		f.Helper()
		a := f.acceptance(f.build(shop, "v9"))
		a.Concurrent = deployment.ConcurrentRefuse
		var busy *deployment.BusyError
		if err := f.Accept(f.ctx(), a); !errors.As(err, &busy) {
			f.Fatalf("error %v, want busy", err)
		}
		return busy.Holder
	}
	oldest, holder := f.accept(shop, "v1"), f.accept(shop, "v2")
	f.same("in the way while none has the lock", oldest.ID, refused())
	f.take(holder)
	f.same("in the way", holder.ID, refused())
	f.same("audit", []string{"deployment.start d001", "deployment.start d002"}, f.audits())
}

func acceptSupersedes(f *fixture) {
	running, waiting, second := f.accept(shop, "v1"), f.accept(shop, "v2"), f.accept(shop, "v3")
	f.take(running)
	f.ok(f.Command(f.ctx(), deployment.Command{
		ID: "c1", DeploymentID: second.ID, Target: shop, Kind: deployment.CommandCancel, Actor: person, At: noon,
	}, f.audit("deployment.cancel", second.ID)))

	d := f.build(shop, "v4")
	a := f.acceptance(d)
	a.Concurrent = deployment.ConcurrentSupersede
	f.ok(f.Accept(f.ctx(), a))

	work, err := f.Work(f.ctx(), shop)
	f.ok(err)
	var cancelled []string
	for _, c := range work.Commands {
		f.same("kind", deployment.CommandCancel, c.Kind)
		f.same("actor", person, c.Actor)
		cancelled = append(cancelled, c.DeploymentID)
	}
	// The one that is being cancelled already is not cancelled twice.
	f.same("cancelled", []string{second.ID, waiting.ID}, cancelled)
	f.same("reason", "superseded by "+d.ID, work.Commands[1].Reason)
	f.same("audit", []string{
		"deployment.start d001", "deployment.start d002", "deployment.start d003",
		"deployment.cancel d003", "deployment.cancel d002", "deployment.start d004",
	}, f.audits())
}

func acceptSparesRollbacks(f *fixture) {
	d, running := f.accept(shop, "v1"), f.accept(shop, "v2")
	f.end(d, deployment.Completed)
	f.take(running)
	d.Runs = append(d.Runs, deployment.Run{Number: 2, Kind: deployment.RunRollback, RequestedAt: noon})
	f.commit(d)
	a := f.acceptance(f.build(shop, "v3"))
	a.Concurrent = deployment.ConcurrentSupersede
	f.ok(f.Accept(f.ctx(), a))
	work, err := f.Work(f.ctx(), shop)
	f.ok(err)
	f.same("commands", []deployment.Command(nil), work.Commands)
}

func acceptQueues(f *fixture) {
	first, second, third := f.accept(shop, "v1"), f.accept(shop, "v2"), f.accept(shop, "v3")
	queue := func() []string {
		f.Helper()
		queue, err := f.Queue(f.ctx(), shop)
		f.ok(err)
		return queue
	}
	f.same("queue", []string{first.ID, second.ID, third.ID}, queue())
	f.end(first, deployment.Completed)
	f.take(second)
	f.same("queue", []string{third.ID}, queue())
	// A rollback goes to the head.
	first.Runs = append(first.Runs, deployment.Run{Number: 2, Kind: deployment.RunRollback, RequestedAt: noon.Add(time.Hour)})
	f.commit(first)
	f.same("queue with a rollback", []string{first.ID, third.ID}, queue())
}

func acceptAfterEnd(f *fixture) {
	f.end(f.accept(shop, "v1"), deployment.Failed)
	a := f.acceptance(f.build(shop, "v2"))
	a.Concurrent = deployment.ConcurrentRefuse
	f.ok(f.Accept(f.ctx(), a))
}

func acceptApart(f *fixture) {
	f.accept(shop, "v1")
	for _, other := range []deployment.Target{
		{Application: "shop", Environment: "staging"}, {Application: "blog", Environment: "production"},
	} {
		a := f.acceptance(f.build(other, "v1"))
		a.Concurrent = deployment.ConcurrentRefuse
		f.ok(f.Accept(f.ctx(), a))
	}
}
