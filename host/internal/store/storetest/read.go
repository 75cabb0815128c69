package storetest

import (
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

var readChecks = map[string]func(*fixture){
	"what is not there":           readNotFound,
	"ids by their beginning":      readFind,
	"completed versions":          readCompleted,
	"the newest of each":          readLatest,
	"past runs":                   readPastRuns,
	"the installation has a name": readInstallation,
}

func readNotFound(f *fixture) {
	_, err := f.Deployment(f.ctx(), "d999")
	f.is(err, deployment.ErrNotFound)
	_, err = f.Blob(f.ctx(), "blob")
	f.is(err, deployment.ErrNotFound)
	_, err = f.State(f.ctx(), shop)
	f.is(err, deployment.ErrNotFound)
	_, err = f.Completed(f.ctx(), shop, "v1")
	f.is(err, deployment.ErrNotFound)
	_, err = f.LastAccepted(f.ctx(), "shop")
	f.is(err, deployment.ErrNotFound)
	_, err = f.Events(f.ctx(), "d999", 0, 10)
	f.is(err, deployment.ErrNotFound)
	_, _, err = f.Token(f.ctx(), "unknown")
	f.is(err, deployment.ErrNotFound)
	f.is(f.RevokeToken(f.ctx(), "unknown", noon, f.audit("token.revoke", "unknown")), deployment.ErrNotFound)
	f.same("audit", []string(nil), f.audits())
	queue, err := f.Queue(f.ctx(), shop)
	f.ok(err)
	f.same("queue", []string(nil), queue)
}

func readFind(f *fixture) {
	for _, id := range []string{"abc1", "abc2", "abd", "a%", "ABC3"} {
		d := f.build(shop, "v1")
		d.ID = id
		f.ok(f.Accept(f.ctx(), f.acceptance(d)))
	}
	for prefix, want := range map[string][]string{
		"abc": {"abc1", "abc2"}, "abd": {"abd"}, "abde": nil, "a%": {"a%"}, "_": nil, "ABC": {"ABC3"},
		"": {"ABC3", "a%", "abc1", "abc2", "abd"},
	} {
		got, err := f.Find(f.ctx(), prefix, 10)
		f.ok(err)
		f.same("ids that begin with "+prefix, want, got)
	}
	got, err := f.Find(f.ctx(), "ab", 2)
	f.ok(err)
	f.same("two ids", []string{"abc1", "abc2"}, got)
}

func readCompleted(f *fixture) {
	end := func(version string, result deployment.Status) *deployment.Deployment {
		d := f.accept(shop, version)
		f.end(d, result)
		return d
	}
	old := end("v1", deployment.Completed)
	again := end("v1", deployment.Completed)
	end("v2", deployment.Failed)
	newest := end("v3", deployment.Completed)
	f.accept(shop, "v4")
	removal := f.build(shop, "v5")
	removal.Remove, removal.Runs[0].Kind = true, deployment.RunRemove
	f.ok(f.Accept(f.ctx(), f.acceptance(removal)))
	f.end(removal, deployment.Completed)
	// Whatever became of it since.
	newest.Runs = append(newest.Runs, deployment.Run{Number: 2, Kind: deployment.RunRollback, RequestedAt: noon})
	f.end(newest, deployment.RolledBack)

	got, err := f.Completed(f.ctx(), shop, "v1")
	f.ok(err)
	f.same("last completed of v1", again, got)
	got, err = f.Completed(f.ctx(), shop, "v3")
	f.ok(err)
	f.same("last completed of v3", newest, got)
	for _, version := range []string{"v2", "v4", "v5"} {
		_, err = f.Completed(f.ctx(), shop, version)
		f.is(err, deployment.ErrNotFound)
	}
	versions, err := f.CompletedVersions(f.ctx(), shop, 10)
	f.ok(err)
	f.same("completed versions", []string{newest.ID, again.ID}, ids(versions))
	versions, err = f.CompletedVersions(f.ctx(), shop, 1)
	f.ok(err)
	f.same("the newest", []string{newest.ID}, ids(versions))
	if old.ID == again.ID {
		f.Fatal("the test has one deployment of v1")
	}
}

func readLatest(f *fixture) {
	staging := deployment.Target{Application: "shop", Environment: "staging"}
	blog := deployment.Target{Application: "blog", Environment: "production"}
	f.accept(shop, "v1")
	newest := f.accept(shop, "v2")
	other := f.accept(blog, "v1")
	last := f.accept(staging, "v3")
	removal := f.build(staging, "")
	removal.Remove = true
	f.ok(f.Accept(f.ctx(), f.acceptance(removal)))

	latest, err := f.Latest(f.ctx())
	f.ok(err)
	f.same("latest", []string{other.ID, newest.ID, removal.ID}, ids(latest))
	got, err := f.LastAccepted(f.ctx(), "shop")
	f.ok(err)
	f.same("last accepted", last, got)
	names, err := f.Applications(f.ctx())
	f.ok(err)
	f.same("applications", []string{"blog", "shop"}, names)
	states, err := f.States(f.ctx())
	f.ok(err)
	f.same("states", []deployment.TargetState{{Target: blog}, {Target: shop}, {Target: staging}}, states)
}

func readPastRuns(f *fixture) {
	run := func(version string, seconds int, result deployment.Status) *deployment.Deployment {
		d := f.accept(shop, version)
		f.take(d)
		locked := d.Run().LockedAt
		at := func(s int) time.Time { return locked.Add(time.Duration(s) * time.Second) }
		d.Run().Stages = []deployment.Stage{
			{Name: deployment.Preparing, StartedAt: locked, EndedAt: at(2)},
			{Name: deployment.Deploying, StartedAt: at(2), EndedAt: at(seconds)},
			{Name: deployment.Verifying, StartedAt: at(seconds)},
		}
		d.Run().Steps = []deployment.Step{
			{Component: "web", StartedAt: at(2), PassedAt: at(seconds)}, {Component: "never", StartedAt: at(2)},
		}
		f.end(d, result)
		return d
	}
	run("v1", 10, deployment.Completed)
	run("v2", 20, deployment.Failed)
	d := run("v3", 30, deployment.Completed)
	want := func(seconds int) deployment.PastRun {
		deploying := time.Duration(seconds-2) * time.Second
		return deployment.PastRun{
			Stages:     map[deployment.Status]time.Duration{deployment.Preparing: 2 * time.Second, deployment.Deploying: deploying},
			Components: map[string]time.Duration{"web": deploying},
			Total:      59 * time.Second, // a minute, and a second of waiting
		}
	}
	past, err := f.PastRuns(f.ctx(), shop, deployment.RunDeploy, 10)
	f.ok(err)
	f.same("past deploys", []deployment.PastRun{want(30), want(10)}, past)
	past, err = f.PastRuns(f.ctx(), shop, deployment.RunDeploy, 1)
	f.ok(err)
	f.same("the newest", []deployment.PastRun{want(30)}, past)

	d.Runs = append(d.Runs, deployment.Run{Number: 2, Kind: deployment.RunRollback, RequestedAt: noon.Add(time.Hour)})
	f.commit(d)
	past, err = f.PastRuns(f.ctx(), shop, deployment.RunRollback, 10)
	f.ok(err)
	f.same("past rollbacks while one runs", []deployment.PastRun(nil), past)
	f.end(d, deployment.RolledBack)
	past, err = f.PastRuns(f.ctx(), shop, deployment.RunRollback, 10)
	f.ok(err)
	f.same("past rollbacks", 1, len(past))
	f.same("its length", 59*time.Second, past[0].Total)

	f.refuse(d, f.rollback(d)) // it took no time, and says nothing of one that does
	past, err = f.PastRuns(f.ctx(), shop, deployment.RunRollback, 10)
	f.ok(err)
	f.same("past rollbacks after a refused one", 1, len(past))
}

func readInstallation(f *fixture) {
	if len(f.InstallationID()) < 16 {
		f.Fatalf("installation id %q", f.InstallationID())
	}
	f.ok(f.Health(f.ctx()))
}
