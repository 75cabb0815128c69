package storetest

import (
	"math"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

var retainChecks = map[string]func(*fixture){
	"beyond the count":             retainCount,
	"beyond the age":               retainAge,
	"no bound, nothing is deleted": retainNothing,
	"what runs and what is needed": retainNeeded,
	"open ones and commands":       retainOpen,
	"blobs that others refer to":   retainBlobs,
	"many":                         retainMany,
	"keys go with deployments":     retainKeys,
}

var endedChecks = map[string]func(*fixture){
	"ends are counted":          endedCounts,
	"ends by their length":      endedLengths,
	"retention takes none away": endedRetained,
}

func (f *fixture) retain(count int, age time.Duration) int {
	f.Helper()
	removed, err := f.Retain(f.ctx(), count, age)
	f.ok(err)
	return removed
}

// ended accepts and ends deployments that failed, so that nothing keeps them.
func (f *fixture) ended(target deployment.Target, number int) {
	f.Helper()
	for range number {
		f.end(f.accept(target, "v1"), deployment.Failed)
	}
}

func retainCount(f *fixture) {
	staging := deployment.Target{Application: "shop", Environment: "staging"}
	f.ended(shop, 4)
	f.ended(staging, 2)
	f.same("removed", 2, f.retain(2, 0))
	f.same("left", []string{"d006", "d005", "d004", "d003"}, f.list(deployment.Filter{}))
	f.same("removed again", 0, f.retain(2, 0))
	_, err := f.Events(f.ctx(), "d001", 0, 10)
	f.is(err, deployment.ErrNotFound)
	_, err = f.Blob(f.ctx(), "release/d001/web")
	f.is(err, deployment.ErrNotFound)
	_, err = f.Blob(f.ctx(), "release/d003/web")
	f.ok(err)
}

func retainAge(f *fixture) {
	f.ended(shop, 1)
	young := f.build(shop, "v2")
	young.AcceptedAt = time.Now().UTC()
	young.Runs[0].RequestedAt = young.AcceptedAt
	f.ok(f.Accept(f.ctx(), f.acceptance(young)))
	f.end(young, deployment.Failed)
	f.same("removed", 1, f.retain(0, 24*time.Hour))
	f.same("left", []string{young.ID}, f.list(deployment.Filter{}))
}

func retainNothing(f *fixture) {
	f.ended(shop, 2)
	f.same("removed", 0, f.retain(0, 0))
}

func retainNeeded(f *fixture) {
	first, second, third := f.accept(shop, "v1"), f.accept(shop, "v2"), f.accept(shop, "v3")
	origin := f.accept(shop, "v0")
	f.end(origin, deployment.Failed)
	f.end(first, deployment.Completed)
	f.end(second, deployment.Completed)
	third.Components[0].BeforeFrom = origin.ID
	f.end(third, deployment.Completed) // current; it would be rolled back to the second
	part := f.accept(shop, "v9")
	f.end(part, deployment.Failed)
	f.state(shop, func(state *deployment.TargetState) {
		state.Components["db"] = deployment.Running{Deployment: part.ID}
	})
	f.same("removed", 1, f.retain(0, time.Nanosecond))
	f.same("left", []string{part.ID, origin.ID, third.ID, second.ID}, f.list(deployment.Filter{}))
	work, err := f.Work(f.ctx(), shop)
	f.ok(err)
	f.same("current", third.ID, work.Current.ID)
}

func retainOpen(f *fixture) {
	goal, wished := f.accept(shop, "v1"), f.accept(shop, "v2")
	f.end(goal, deployment.Failed)
	f.end(wished, deployment.Failed)
	f.ok(f.Command(f.ctx(), f.command("c1", wished), f.audit("deployment.rollback", wished.ID)))
	f.ended(shop, 1)
	open := f.accept(shop, "v3")
	open.Run().Goal = goal.ID
	f.take(open)
	f.same("removed", 1, f.retain(0, time.Nanosecond))
	f.same("left", []string{open.ID, wished.ID, goal.ID}, f.list(deployment.Filter{}))
}

func retainBlobs(f *fixture) {
	first, second := f.accept(shop, "v1"), f.accept(shop, "v2")
	change := f.change(first)
	change.Blobs = []deployment.Blob{
		{Key: "snapshot/kept", DeploymentID: first.ID, Data: []byte("kept")},
		{Key: "snapshot/gone", DeploymentID: first.ID, Data: []byte("gone")},
	}
	f.ok(f.Commit(f.ctx(), change))
	f.end(first, deployment.Failed)
	// Unchanged, its `after` is the one it ran on.
	second.Components[0].After = &deployment.SnapshotRef{Key: "snapshot/kept"}
	f.end(second, deployment.Failed)

	f.same("removed", 1, f.retain(1, 0))
	_, err := f.Blob(f.ctx(), "snapshot/gone")
	f.is(err, deployment.ErrNotFound)
	content, err := f.Blob(f.ctx(), "snapshot/kept")
	f.ok(err)
	f.same("blob", "kept", string(content))

	f.same("removed", 1, f.retain(0, time.Nanosecond))
	_, err = f.Blob(f.ctx(), "snapshot/kept")
	f.is(err, deployment.ErrNotFound)
}

func retainMany(f *fixture) {
	f.ended(shop, 230) // more than one transaction takes
	f.same("removed", 225, f.retain(5, 0))
	f.same("number left", 5, len(f.list(deployment.Filter{})))
}

func retainKeys(f *fixture) {
	key := deployment.IdempotencyKey{Principal: "alice", Key: "k", Digest: "x"}
	d := f.build(shop, "v1")
	a := f.acceptance(d)
	a.Key = &key
	f.ok(f.Accept(f.ctx(), a))
	f.end(d, deployment.Failed)
	f.same("removed", 1, f.retain(0, time.Nanosecond))
	first, err := f.Repeated(f.ctx(), key)
	f.ok(err)
	f.same("deployment of the key", "", first)
}

func (f *fixture) endsOf(who string) []deployment.Ended {
	f.Helper()
	all, err := f.Ended(f.ctx(), who)
	f.ok(err)
	return all
}

func endedCounts(f *fixture) {
	f.same("ends", []deployment.Ended(nil), f.endsOf(host))
	first := f.accept(shop, "v1")
	first.Components = append(first.Components,
		deployment.Component{Name: "db", Platform: "docker"}, deployment.Component{Name: "db2", Platform: "docker"})
	f.take(first)
	f.same("ends while it runs", []deployment.Ended(nil), f.endsOf(host))
	f.end(first, deployment.Completed)
	f.commit(first) // written again, it has not ended again
	second := f.accept(shop, "v1")
	f.end(second, deployment.Completed)

	at := func(d *deployment.Deployment, platform string, result deployment.Status, count, firsts int) deployment.Ended {
		return deployment.Ended{
			Application: "shop", Environment: "production", Platform: platform, Version: "v1",
			Result: result, Count: count, First: firsts, LastSeconds: 60, LastEnded: d.EndedAt,
		}
	}
	want := []deployment.Ended{at(first, "docker", deployment.Completed, 1, 1), at(second, "process", deployment.Completed, 2, 2)}
	f.same("ends", want, f.endsOf(host))

	// A rollback is an end again, but not of another deployment. Refused, it is none.
	f.refuse(first, f.rollback(first))
	f.same("ends after a refused rollback", want, f.endsOf(host))
	f.rollback(second)
	f.end(second, deployment.RolledBack)
	f.same("ends after a rollback", append(want, at(second, "process", deployment.RolledBack, 1, 0)), f.endsOf(host))
	// It was current again since, and went back once more.
	f.refuse(second, f.rollback(second))
	f.rollback(second)
	f.end(second, deployment.RolledBack)
	f.same("ends after another one", append(want, at(second, "process", deployment.RolledBack, 2, 0)), f.endsOf(host))
	f.same("ends of another host", []deployment.Ended(nil), f.endsOf("host-b"))
}

// rollback opens a rollback of a deployment that has ended.
func (f *fixture) rollback(d *deployment.Deployment) *deployment.Run {
	f.Helper()
	d.Runs = append(d.Runs, deployment.Run{
		Number: len(d.Runs) + 1, Kind: deployment.RunRollback, Trigger: deployment.TriggerUser, RequestedAt: noon.Add(time.Hour),
	})
	f.commit(d)
	return d.Run()
}

// refuse ends a run before it had the lock: the deployment is as it was.
func (f *fixture) refuse(d *deployment.Deployment, run *deployment.Run) {
	f.Helper()
	run.EndedAt, run.Result = run.RequestedAt.Add(time.Minute), d.Runs[run.Number-2].Result
	f.commit(d)
}

// endedLengths: every end is in the histogram, not the last ones only.
func endedLengths(f *fixture) {
	lengths := func(who string) []deployment.EndedLength {
		f.Helper()
		all, err := f.EndedLengths(f.ctx(), who)
		f.ok(err)
		return all
	}
	f.same("lengths", []deployment.EndedLength(nil), lengths(host))
	for _, seconds := range []float64{0, 1, 1.5, 5, 59, 60, 3600, 3601, 90000} {
		d := f.accept(shop, "v1")
		f.take(d)
		run := d.Run()
		run.EndedAt = run.RequestedAt.Add(time.Duration(seconds * float64(time.Second)))
		run.Result, d.Status, d.EndedAt, d.EndedBy = deployment.Completed, deployment.Completed, run.EndedAt, host
		f.commit(d)
		f.commit(d)
	}
	failed := f.accept(shop, "v2")
	f.end(failed, deployment.Failed)
	of := func(result deployment.Status, bound float64, count int, seconds float64) deployment.EndedLength {
		return deployment.EndedLength{Platform: "process", Environment: "production", Result: result, Bound: bound, Count: count, Seconds: seconds}
	}
	want := []deployment.EndedLength{
		of(deployment.Completed, 1, 2, 1), of(deployment.Completed, 5, 2, 6.5), of(deployment.Completed, 60, 2, 119),
		of(deployment.Completed, 3600, 1, 3600), of(deployment.Completed, math.Inf(1), 2, 93601),
		of(deployment.Failed, 60, 1, 60),
	}
	f.same("lengths", want, lengths(host))
	f.retain(0, time.Nanosecond)
	f.same("lengths after retention", want, lengths(host))
	f.same("lengths of another host", []deployment.EndedLength(nil), lengths("host-b"))
}

func endedRetained(f *fixture) {
	f.ended(shop, 3)
	before := f.endsOf(host)
	f.same("removed", 3, f.retain(0, time.Nanosecond))
	f.same("ends", before, f.endsOf(host))
	f.same("count", 3, before[0].Count)
}
