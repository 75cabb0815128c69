package storetest

import (
	"errors"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

var commandChecks = map[string]func(*fixture){
	"it is kept until it is carried out":  commandIsKept,
	"it names a deployment of its target": commandOfUnknown,
	"an id is taken once":                 commandOnce,
	"a key makes it repeatable":           commandKey,
}

func (f *fixture) command(id string, d *deployment.Deployment) deployment.Command {
	return deployment.Command{
		ID: id, DeploymentID: d.ID, Target: d.Target, Kind: deployment.CommandRollback, Actor: person, Reason: "slow",
		At: noon, TargetVersion: "v1",
		Planned: &deployment.Planned{Components: []deployment.PlannedComponent{{Component: "web", ObservedDigest: "x"}}},
	}
}

func commandIsKept(f *fixture) {
	d := f.accept(shop, "v1")
	first, second, third := f.command("c-b", d), f.command("c-a", d), f.command("c-c", d)
	for _, c := range []deployment.Command{first, second, third} {
		f.ok(f.Command(f.ctx(), c, f.audit("deployment.rollback", d.ID)))
	}
	commands := func() []deployment.Command {
		f.Helper()
		work, err := f.Work(f.ctx(), shop)
		f.ok(err)
		return work.Commands
	}
	f.same("commands, in their order", []deployment.Command{first, second, third}, commands())
	all, err := f.Commands(f.ctx())
	f.ok(err)
	f.same("commands of all targets", []deployment.Command{first, second, third}, all)
	change := f.change(d)
	change.Consumed = []string{"c-b", "c-c"}
	f.ok(f.Commit(f.ctx(), change))
	f.same("commands left", []deployment.Command{second}, commands())
	all, err = f.Commands(f.ctx())
	f.ok(err)
	f.same("commands left of all targets", []deployment.Command{second}, all)
	f.same("audit", []string{
		"deployment.start d001", "deployment.rollback d001", "deployment.rollback d001", "deployment.rollback d001",
	}, f.audits())
}

func commandOfUnknown(f *fixture) {
	d := f.accept(shop, "v1")
	unknown, elsewhere := f.command("c1", d), f.command("c2", d)
	unknown.DeploymentID = "d999"
	elsewhere.Target.Environment = "staging"
	for _, c := range []deployment.Command{unknown, elsewhere} {
		f.is(f.Command(f.ctx(), c, f.audit("deployment.rollback", c.DeploymentID)), deployment.ErrNotFound)
	}
	f.same("audit", []string{"deployment.start d001"}, f.audits())
}

func commandOnce(f *fixture) {
	d := f.accept(shop, "v1")
	c := f.command("c1", d)
	f.ok(f.Command(f.ctx(), c, f.audit("deployment.rollback", d.ID)))
	c.Reason = "another"
	if err := f.Command(f.ctx(), c, f.audit("deployment.rollback", d.ID)); err == nil {
		f.Fatal("two commands of one id")
	}
	f.same("audit", []string{"deployment.start d001", "deployment.rollback d001"}, f.audits())
}

func commandKey(f *fixture) {
	d := f.accept(shop, "v1")
	key := &deployment.IdempotencyKey{Principal: "alice", Key: "k1", Digest: "rollback d001"}
	c := f.command("c1", d)
	c.Key = key
	f.ok(f.Command(f.ctx(), c, f.audit("deployment.rollback", d.ID)))
	c.ID = "c2"
	var again *deployment.RepeatedError
	if err := f.Command(f.ctx(), c, f.audit("deployment.rollback", d.ID)); !errors.As(err, &again) || again.DeploymentID != d.ID {
		f.Fatalf("the same request again: %v", err)
	}
	id, err := f.Repeated(f.ctx(), *key)
	f.ok(err)
	f.same("what came of it", d.ID, id)
	c.Key = &deployment.IdempotencyKey{Principal: "alice", Key: "k1", Digest: "cancel d001"}
	f.is(f.Command(f.ctx(), c, f.audit("deployment.cancel", d.ID)), deployment.ErrKeyReused)
	start := f.acceptance(f.build(shop, "v2"))
	start.Key = key
	if err := f.Accept(f.ctx(), start); !errors.As(err, &again) || again.DeploymentID != d.ID {
		f.Fatalf("a start with the key: %v", err)
	}
	c.Key = &deployment.IdempotencyKey{Principal: "bob", Key: "k1", Digest: "rollback d001"}
	f.ok(f.Command(f.ctx(), c, f.audit("deployment.rollback", d.ID)))
	all, err := f.Commands(f.ctx())
	f.ok(err)
	f.same("wishes", 2, len(all))
	f.same("audit", []string{"deployment.start d001", "deployment.rollback d001", "deployment.rollback d001"}, f.audits())
}
