package engine_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/engine"
	"github.com/apm-deploy/apm/sdk"
)

// chaos does whatever comes to mind to a target: deployments good and bad,
// cancels, rollbacks, removals, hosts that die, plugins that are gone, answers
// that are lost.
type chaos struct {
	*rig
	rand   *rand.Rand
	mortal *mortal
	// stopOther stops another host that runs beside it; nil: there is none.
	stopOther func()
	ids       []string
	version   int
	log       []string
}

// TestChaos: whatever happened, everything comes to an end, each operation had
// one effect, and what is recorded of the target is what runs.
func TestChaos(t *testing.T) {
	t.Parallel()
	seeds := 6
	if everything() {
		seeds = 200
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := bareRig(t)
			r.open(origin{ram: newRAM()})
			c := &chaos{rig: r, rand: rand.New(rand.NewPCG(uint64(seed), 4))}
			if seed%2 == 1 { // another host takes over what the first one leaves
				r.lease = time.Second
				c.stopOther = sync.OnceFunc(r.goOn(engine.New(r.config("other", r.store))))
				t.Cleanup(c.stopOther)
			}
			c.revive()
			for range 25 {
				c.act()
				c.pause()
			}
			c.settle()
			c.check()
			if t.Failed() {
				for _, line := range c.log {
					t.Log(line)
				}
			}
		})
	}
}

// revive starts a host in place of the one that ran or died.
func (c *chaos) revive() {
	c.stop()
	if c.stopOther == nil || c.rand.IntN(2) == 0 { // else its leases end as time goes
		if err := c.store.Release(c.t.Context(), "host"); err != nil {
			c.t.Fatal(err)
		}
	}
	c.mortal = &mortal{history: c.store, dead: make(chan struct{})}
	c.wrap = func(history) engine.Store { return c.mortal }
	c.run()
}

func (c *chaos) pause() {
	began, long := time.Now(), time.Duration(c.rand.IntN(250))*time.Millisecond
	c.poll("a pause", func() bool { return time.Since(began) > long })
}

func (c *chaos) note(format string, arguments ...any) {
	c.log = append(c.log, fmt.Sprintf(format, arguments...))
}

// one of the choices.
func (c *chaos) one(choices ...string) string { return choices[c.rand.IntN(len(choices))] }

func (c *chaos) act() {
	switch n := c.rand.IntN(24); {
	case n < 7:
		c.deploy()
	case n < 10 && len(c.ids) > 0:
		id := c.ids[c.rand.IntN(len(c.ids))]
		_, err := c.engine.Cancel(c.t.Context(), id, "", tester, nil)
		c.note("cancel %.8s: %v", id, err)
	case n < 13 && len(c.ids) > 0:
		id := c.ids[c.rand.IntN(len(c.ids))]
		if state, err := c.store.State(c.t.Context(), shop); err == nil && state.Current != "" && c.rand.IntN(3) > 0 {
			id = state.Current
		}
		version := c.one("", "", "v1", "v3")
		_, err := c.engine.Rollback(c.t.Context(), id, deployment.RollbackWish{TargetVersion: version}, tester)
		c.note("roll back %.8s to %q: %v", id, version, err)
	case n < 14:
		d, err := c.engine.Remove(c.t.Context(), shop, "", nil, tester, nil)
		if err == nil {
			c.ids = append(c.ids, d.ID)
		}
		c.note("remove: %v", err)
	case n < 17:
		c.mortal.kill(c.rand.IntN(12))
		c.note("the host dies soon")
		c.pause()
		c.revive()
	case n < 18:
		c.world.with(func() { c.world.goneAt, c.world.goneFor = c.world.calls+c.rand.IntN(4), c.rand.IntN(6) })
		c.note("the plugin is gone for a while")
	case n < 19:
		call := c.one("deploy", "rollback", "promote", "cancel")
		c.world.with(func() { c.world.lost[call] = 1 })
		c.note("an answer of %s gets lost", call)
	case n < 22:
		call := c.one("deploy", "rollback", "promote", "cancel", "recover", "watch", "probe", "snapshot")
		code := sdk.Code(c.one("", "", string(sdk.Unavailable), string(sdk.PermissionDenied), string(sdk.Internal)))
		if call == "probe" && code != "" {
			code = sdk.Unavailable
		}
		c.fails(call, code)
		c.note("%s fails with %q", call, code)
	case n < 23:
		component := c.one("web", "db")
		c.note("somebody takes over the operation on %s: %t", component, c.world.supersede(component, "mallory"))
	default:
		c.world.with(func() { c.world.mended = !c.world.mended })
		c.note("the environment changes")
	}
}

func (c *chaos) deploy() {
	c.version++
	component := func(name, dependency string) string {
		extra := c.one("", "", "", `,"turns_bad":true`, `,"fail":"EXITED"`, `,"fail":"EXITED","breaks":true`, `,"stuck":true`, `,"health":"unhealthy","startup":50`,
			`,"fail":"PLATFORM_DOWN","environment":true`, `,"steps":[25,50,100]`)
		return fmt.Sprintf(`%q:{"content":%q,"timeout":1500,"depends_on":[%s]%s}`, name, c.one("a", "b", "c"), dependency, extra)
	}
	components := component("web", "")
	if c.rand.IntN(3) > 0 {
		components = component("web", `"db"`) + "," + component("db", "")
	}
	if c.rand.IntN(3) == 0 {
		components += "," + component("side", "")
	}
	version := fmt.Sprint("v", c.version)
	policy := c.one(`{}`, `{}`, `{}`, `{"on_failure":"leave"}`, `{"concurrent":"supersede"}`)
	d := c.startWith(version, "{"+components+"}", policy)
	c.ids = append(c.ids, d.ID)
	c.note("start %.8s %s %s %s", d.ID, version, components, policy)
}

// settle lets everything come to its end in a world in which all is well.
func (c *chaos) settle() {
	c.world.with(func() {
		c.world.mended, c.world.goneFor = true, 0
		clear(c.world.lost)
		clear(c.world.failing)
	})
	c.revive()
	for _, id := range c.ids {
		c.until(id, "ended", func(d *deployment.Deployment) bool { return d.Status.Terminal() && d.Waiting == nil })
	}
	c.poll("the lock to be free", func() bool { return c.state().Holder == "" })
	c.stop()
	if c.stopOther != nil {
		c.stopOther()
	}
}

func (c *chaos) check() {
	if twice := c.world.duplicates(); len(twice) > 0 {
		c.t.Errorf("effects twice: %v", twice)
	}
	leaves := map[string]bool{} // components whose state nobody knows
	for _, id := range c.ids {
		d, err := c.store.Deployment(c.t.Context(), id)
		if err != nil {
			c.t.Fatal(err)
		}
		c.note("%.8s %s %s: %s", id, d.Version, d.Status, d.Reason)
		from := deployment.Pending
		for _, status := range c.path(id) {
			if !from.CanBecome(deployment.Status(status)) {
				c.t.Errorf("%s: %s became %s", id, from, status)
			}
			from = deployment.Status(status)
		}
		if from != d.Status && len(c.path(id)) > 0 {
			c.t.Errorf("%s is %s, its events say %s", id, d.Status, from)
		}
		for i := range d.Runs {
			if d.Runs[i].Open() {
				c.t.Errorf("%s: run %d is open", id, i+1)
			}
		}
		if d.Status == deployment.Failed || d.Status == deployment.RollbackFailed {
			for _, component := range d.Components {
				leaves[component.Name] = true
			}
		}
	}
	state := c.state()
	for _, name := range []string{"web", "db", "side"} {
		known, runs := state.Components[name]
		now := c.world.running[name]
		switch {
		case runs && known.Baseline == "" && leaves[name]: // nobody knows what it is
		case leaves[name] && now != nil && now.version == "half": // a broken promise of the platform, seen as drift
		case runs != (now != nil):
			c.t.Errorf("%s: recorded %+v, runs %s", name, known, now.digest())
		case runs && known.Baseline != now.digest():
			c.t.Errorf("%s: baseline %s, runs %s", name, known.Baseline, now.digest())
		}
	}
	for id, op := range c.world.ops {
		if op.outcome == nil && !leaves[op.component] {
			c.t.Errorf("operation %s on %s goes on", id, op.component)
		}
	}
}
