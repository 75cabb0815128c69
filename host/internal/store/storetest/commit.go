package storetest

import (
	"encoding/json"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

var commitChecks = map[string]func(*fixture){
	"all of it is stored":           commitStoresAll,
	"the epoch is checked":          commitChecksEpoch,
	"an ended lease is refused":     commitChecksLease,
	"seq goes on without a gap":     commitChecksSeq,
	"an unknown deployment":         commitUnknown,
	"a state of another target":     commitForeignState,
	"a blob is written once":        commitBlobOnce,
	"events without the deployment": commitEventsAlone,
	"events are counted":            commitRecorded,
	"work is all that is needed":    commitWork,
}

func commitStoresAll(f *fixture) {
	d := f.accept(shop, "v1")
	epoch := f.epoch(shop)
	d.Status, d.Reason = deployment.Preparing, "preparing"
	d.Run().LockedAt = noon.Add(time.Hour)
	d.Run().Steps = []deployment.Step{{Component: "web", Action: deployment.ActionDeploy, Operations: []deployment.Operation{{
		ID: "o1", Kind: deployment.OperationDeploy, Epoch: epoch, Token: []byte{0, 1, 2}, Handle: deployment.Handle{Version: 1, State: []byte{0xff}},
	}}}}
	d.Waiting = &deployment.Waiting{Kind: deployment.WaitPlugin, For: "process", Since: noon}
	d.Components[0].Before = &deployment.SnapshotRef{Key: "snapshot/d001/web/before", Empty: true, TakenAt: noon}
	d.UpdatedAt = noon.Add(time.Hour)
	state := deployment.TargetState{
		Target: shop, Holder: d.ID, Current: d.ID, Version: "v1", UpdatedAt: noon,
		Components: map[string]deployment.Running{"web": {
			Platform: "process", Deployment: d.ID, Version: "v1", Addresses: map[string]string{"http": "127.0.0.1:80"},
			Handle: deployment.Handle{Version: 1, State: []byte("state")},
		}},
	}
	change := deployment.Change{
		Target: shop, Epoch: epoch, Deployment: d, State: &state,
		Events: f.events(d, deployment.EventStatus, deployment.EventSnapshotTaken),
		Blobs:  []deployment.Blob{{Key: "snapshot/d001/web/before", DeploymentID: d.ID, Data: []byte{0, 0xff}}},
		Audit:  []deployment.AuditRecord{f.audit("target.remove", "one"), f.audit("target.remove", "two")},
	}
	f.ok(f.Commit(f.ctx(), change))

	got, err := f.Deployment(f.ctx(), d.ID)
	f.ok(err)
	f.same("deployment", d, got)
	gotState, err := f.State(f.ctx(), shop)
	f.ok(err)
	f.same("state", state, gotState)
	states, err := f.States(f.ctx())
	f.ok(err)
	f.same("states", []deployment.TargetState{state}, states)
	events, err := f.Events(f.ctx(), d.ID, 1, 10)
	f.ok(err)
	f.same("events", change.Events, events)
	content, err := f.Blob(f.ctx(), "snapshot/d001/web/before")
	f.ok(err)
	f.same("blob", change.Blobs[0].Data, content)
	f.same("audit", []string{"deployment.start d001", "target.remove one", "target.remove two"}, f.audits())
}

// untouched wants the store as it is after one deployment was accepted.
func (f *fixture) untouched(id string) {
	f.Helper()
	d, err := f.Deployment(f.ctx(), id)
	f.ok(err)
	f.same("status", deployment.Pending, d.Status)
	f.same("seq", uint64(1), d.Seq)
	events, err := f.Events(f.ctx(), id, 0, 10)
	f.ok(err)
	f.same("number of events", 1, len(events))
	state, err := f.State(f.ctx(), shop)
	f.ok(err)
	f.same("holder", "", state.Holder)
	_, err = f.Blob(f.ctx(), "blob")
	f.is(err, deployment.ErrNotFound)
	f.same("audit", []string{"deployment.start " + id}, f.audits())
	work, err := f.Work(f.ctx(), shop)
	f.ok(err)
	f.same("number of commands", 0, len(work.Commands))
}

// whole returns a change with everything in it.
func (f *fixture) whole(d *deployment.Deployment, epoch uint64) deployment.Change {
	d.Status = deployment.Preparing
	return deployment.Change{
		Target: shop, Epoch: epoch, Deployment: d, Events: f.events(d, deployment.EventStatus, deployment.EventVerdict),
		State: &deployment.TargetState{Target: shop, Holder: d.ID},
		Blobs: []deployment.Blob{{Key: "blob", DeploymentID: d.ID, Data: []byte("x")}},
		Audit: []deployment.AuditRecord{f.audit("target.remove", "one")},
	}
}

func commitChecksEpoch(f *fixture) {
	d := f.accept(shop, "v1")
	epoch := f.epoch(shop)
	change := f.whole(d, epoch-1)
	f.is(f.Commit(f.ctx(), change), deployment.ErrStaleEpoch)
	change.Epoch = epoch + 1
	f.is(f.Commit(f.ctx(), change), deployment.ErrStaleEpoch)
	change.Epoch, change.Target.Environment = epoch, "staging"
	f.is(f.Commit(f.ctx(), change), deployment.ErrStaleEpoch)
	f.untouched(d.ID)
	change.Target = shop
	f.ok(f.Commit(f.ctx(), change))
}

func commitChecksLease(f *fixture) {
	d := f.accept(shop, "v1")
	lease := f.claim(host, 50*time.Millisecond)[0]
	f.eventually("the lease ends", func() bool {
		renewed, err := f.Renew(f.ctx(), host, time.Millisecond)
		f.ok(err)
		return len(renewed) == 0
	})
	f.is(f.Commit(f.ctx(), f.whole(d, lease.Epoch)), deployment.ErrStaleEpoch)
	f.untouched(d.ID)
}

func commitChecksSeq(f *fixture) {
	for name, spoil := range map[string]func(*deployment.Change){
		"taken":                  func(c *deployment.Change) { c.Events[0].Seq = 1 },
		"twice":                  func(c *deployment.Change) { c.Events[1].Seq = c.Events[0].Seq },
		"a gap":                  func(c *deployment.Change) { c.Events[1].Seq++ },
		"not the deployment's":   func(c *deployment.Change) { c.Deployment.Seq++ },
		"of nobody":              func(c *deployment.Change) { c.Events[0].DeploymentID = "d999" },
		"deployment without row": func(c *deployment.Change) { c.Events = nil },
	} {
		target := deployment.Target{Application: "shop", Environment: name}
		d := f.accept(target, "v1")
		f.epochs[target.String()] = 0
		change := f.whole(d, f.epoch(target))
		change.Target, change.State.Target = target, target
		spoil(&change)
		if err := f.Commit(f.ctx(), change); err == nil {
			f.Errorf("%s: no error", name)
		}
		got, err := f.Deployment(f.ctx(), d.ID)
		f.ok(err)
		f.same(name+": status", deployment.Pending, got.Status)
		f.same(name+": seq", uint64(1), got.Seq)
		_, err = f.Blob(f.ctx(), "blob")
		f.is(err, deployment.ErrNotFound)
	}
}

func commitUnknown(f *fixture) {
	d := f.accept(shop, "v1")
	change := f.whole(d, f.epoch(shop))
	unknown := *d
	unknown.ID = "d999"
	change.Deployment = &unknown
	f.is(f.Commit(f.ctx(), change), deployment.ErrNotFound)
	f.untouched(d.ID)

	blog := f.accept(deployment.Target{Application: "blog", Environment: "staging"}, "v1")
	change.Deployment, change.Events = blog, nil
	f.is(f.Commit(f.ctx(), change), deployment.ErrNotFound) // it is not of this target
}

func commitForeignState(f *fixture) {
	d := f.accept(shop, "v1")
	change := f.whole(d, f.epoch(shop))
	change.State.Application = "blog"
	if err := f.Commit(f.ctx(), change); err == nil {
		f.Fatal("the state of another target was written")
	}
	f.untouched(d.ID)
}

func commitBlobOnce(f *fixture) {
	d := f.accept(shop, "v1")
	change := f.change(d)
	for _, content := range []string{"first", "second"} {
		change.Blobs = []deployment.Blob{{Key: "blob", DeploymentID: d.ID, Data: []byte(content)}}
		f.ok(f.Commit(f.ctx(), change))
	}
	content, err := f.Blob(f.ctx(), "blob")
	f.ok(err)
	f.same("blob", "first", string(content))
}

func commitEventsAlone(f *fixture) {
	d := f.accept(shop, "v1")
	change := f.change(d)
	change.Events = f.events(d, deployment.EventTargetDrift)
	change.Events[0].Data = nil
	change.Deployment = nil
	f.ok(f.Commit(f.ctx(), change))
	got, err := f.Deployment(f.ctx(), d.ID)
	f.ok(err)
	f.same("deployment", d, got)
	events, err := f.Events(f.ctx(), d.ID, 1, 1)
	f.ok(err)
	f.same("data", json.RawMessage("null"), events[0].Data)
}

func commitWork(f *fixture) {
	_, err := f.Work(f.ctx(), shop)
	f.is(err, deployment.ErrNotFound)
	first, second, third := f.accept(shop, "v1"), f.accept(shop, "v2"), f.accept(shop, "v3")
	f.accept(deployment.Target{Application: "shop", Environment: "staging"}, "v1")
	f.end(first, deployment.Completed)
	work, err := f.Work(f.ctx(), shop)
	f.ok(err)
	f.same("open", []*deployment.Deployment{second, third}, work.Open)
	f.same("current", first, work.Current)
	f.same("state", first.ID, work.State.Current)

	f.end(second, deployment.Completed)
	second.Runs = append(second.Runs, deployment.Run{Number: 2, Kind: deployment.RunRollback, RequestedAt: noon})
	f.commit(second)
	work, err = f.Work(f.ctx(), shop)
	f.ok(err)
	f.same("open with a rollback", []string{second.ID, third.ID}, ids(work.Open))
	if work.Current != work.Open[0] {
		f.Fatal("the current deployment is open and there twice")
	}
}

// commitRecorded: what is not committed was not recorded.
func commitRecorded(f *fixture) {
	f.same("recorded at first", uint64(0), f.Recorded())
	d := f.accept(shop, "v1")
	f.commit(d)
	change := f.change(d)
	change.Events = f.events(d, deployment.EventStatus, deployment.EventVerdict)
	f.ok(f.Commit(f.ctx(), change))
	f.same("recorded", d.Seq, f.Recorded())
	stale := f.change(d)
	stale.Epoch++
	stale.Events = f.events(d, deployment.EventStatus)
	f.is(f.Commit(f.ctx(), stale), deployment.ErrStaleEpoch)
	broken := f.change(d)
	broken.Events = append(f.events(d, deployment.EventStatus), f.events(d, deployment.EventStatus)...)
	if err := f.Commit(f.ctx(), broken); err == nil { // seq 5 does not follow 4
		f.Fatal("a gap was committed")
	}
	f.same("recorded after what failed", uint64(4), f.Recorded())
}
