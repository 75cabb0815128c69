package shim

import (
	"fmt"
	"sync"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/proxy"
	"github.com/apm-deploy/apm/plugins/process/internal/release"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

// driver carries one operation to its end.
type driver struct {
	id   string
	poke chan struct{} // the operation was changed by a call; holds one
	done chan struct{}
}

// driveTick is how often deadlines are looked at.
const driveTick = 100 * time.Millisecond

// drive sets a driver going, after the one before it has ended. The caller
// holds c.mu.
func (c *component) drive(id string) {
	previous := c.driver
	d := &driver{id: id, poke: make(chan struct{}, 1), done: make(chan struct{})}
	c.driver = d
	c.drivers.Add(1)
	go func() {
		defer c.drivers.Done()
		defer close(d.done)
		if previous != nil {
			previous.wake() // it may be superseded
			<-previous.done
		}
		if c.quit.Err() == nil {
			c.carryOut(d)
		}
	}()
}

func (d *driver) wake() {
	select {
	case d.poke <- struct{}{}:
	default:
	}
}

// operation returns a copy of an operation's record.
func (c *component) operation(id string) state.Operation {
	c.mu.Lock()
	defer c.mu.Unlock()
	if op := c.st.Operation(id); op != nil {
		return *op
	}
	return state.Operation{ID: id, Phase: state.PhaseFinished} // pushed out by newer ones
}

func (c *component) setPhase(id, phase string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if op := c.st.Operation(id); op != nil {
		op.Phase = phase
		_ = c.save()
	}
}

// carryOut does what is left of an operation: all of it, or what an earlier
// shim left when it was killed.
func (c *component) carryOut(d *driver) {
	op := c.operation(d.id)
	switch {
	case op.Phase == state.PhaseFinished:
	case op.Removes:
		c.remove(d)
	case op.Phase == state.PhaseSettling:
		c.succeed(d.id) // what it replaced died with the earlier shim
	case c.stopped(op): // by a word that came before the kill of the earlier shim
	case c.alreadyThere(op):
		c.succeed(d.id)
	default:
		c.bringUp(d, op)
	}
}

// alreadyThere says that a rollback has nothing to do: just this runs. Its
// stamps become those of the snapshot.
func (c *component) alreadyThere(op state.Operation) bool {
	if op.Kind != sdk.OperationRollback {
		return false
	}
	now := c.look()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.st.Serving == nil || c.serving == nil || now.problem != nil || c.generation() != now.generation || now.observed != op.Goal.Release.ObservedDigest(now.files) ||
		c.st.Serving.Version != op.Goal.Version {
		return false
	}
	stamped := *c.st.Serving // others may be reading the old one
	stamped.OperationID, stamped.DeploymentID, stamped.Epoch = op.ID, op.DeploymentID, op.Epoch
	c.st.Serving = &stamped
	c.keepArtifact(stamped.Release)
	return true
}

// bringUp starts the new release beside the old one and moves the traffic.
func (c *component) bringUp(d *driver, op state.Operation) {
	if failure := c.openFronts(op.Goal.Release); failure != nil {
		c.closeFronts(op.Goal.Release.Drain)
		c.fail(d.id, failure)
		return
	}
	t, err := c.startTrack(*op.Goal)
	if err != nil {
		c.closeFronts(op.Goal.Release.Drain)
		c.fail(d.id, &sdk.Failure{
			Code: sdk.CodeOther, Message: "instances could not be prepared: " + err.Error(),
			Suggestion: "check that the state directory is writable and not full", Environment: true,
		})
		return
	}
	c.mu.Lock()
	c.candidate, c.ready, c.inForce = t, false, 0
	c.sw.Set(c.servingGroup(), t.group, 0)
	c.mu.Unlock()
	c.follow(d, t)
}

// follow waits for what happens first: ready, a verdict, or a word from the
// host; and again, until the operation ends.
func (c *component) follow(d *driver, t *track) {
	tick := time.NewTicker(driveTick)
	defer tick.Stop()
	ready, percent := false, 0
	told := map[string]string(nil)
	for {
		op := c.operation(d.id)
		isReady := t.ready()
		switch {
		case op.Stopped():
			c.discard(t)
			c.stopped(op)
			return
		case isReady && (op.Percent == 100 || !op.Staged):
			c.settle(d, t)
			return
		case isReady && (!ready || op.Percent != percent || !sameAddresses(told, candidateAddresses(t))):
			if !ready {
				c.setPhase(d.id, state.PhaseReady)
			}
			ready, percent, told = true, op.Percent, candidateAddresses(t)
			c.offer(d.id, t, percent)
		}
		if failure := c.verdict(t, ready, time.Now()); failure != nil {
			c.discard(t)
			c.fail(d.id, failure)
			return
		}
		select {
		case <-d.poke:
		case <-t.poke:
		case <-tick.C:
		case <-c.quit.Done():
			return // the state file has it; the next shim goes on
		}
	}
}

// stopped ends an operation that was superseded or cancelled, and of which nothing
// is up any more; it says whether it was.
func (c *component) stopped(op state.Operation) bool {
	switch {
	case op.SupersededBy != "":
		c.finish(op.ID, sdk.Outcome{Result: sdk.ResultSuperseded, SupersededBy: "operation " + op.SupersededBy, Message: "superseded by operation " + op.SupersededBy})
	case op.Changed != "":
		c.finish(op.ID, sdk.Outcome{Result: sdk.ResultSuperseded, SupersededBy: "unknown", Message: op.Changed + "; " + c.leftAs()})
	case op.Cancelled:
		c.finish(op.ID, sdk.Outcome{Result: sdk.ResultCancelled, Message: "cancelled; " + c.leftAs()})
	default:
		return false
	}
	return true
}

// offer puts a share of the traffic in force and says so.
func (c *component) offer(id string, t *track, percent int) {
	c.mu.Lock()
	c.ready, c.inForce = true, percent
	c.sw.Set(c.servingGroup(), t.group, percent)
	c.mu.Unlock()
	c.hub.append(id, sdk.Event{Candidate: candidateOf(t, percent)})
}

func candidateOf(t *track, percent int) *sdk.Candidate {
	return &sdk.Candidate{Addresses: candidateAddresses(t), Revision: t.deployed.Version, Percent: percent}
}

// candidateAddresses are those of the first instance.
func candidateAddresses(t *track) map[string]string {
	if len(t.members) == 0 {
		return map[string]string{}
	}
	return t.members[0].Status().Addresses
}

func sameAddresses(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for name, address := range a {
		if b[name] != address {
			return false
		}
	}
	return true
}

// openFronts opens the addresses that the release has and nothing serves yet.
func (c *component) openFronts(r release.Release) *sdk.Failure {
	for _, port := range r.Ports {
		if err := c.openFront(port.Listen); err != nil {
			return frontFailure(port, err)
		}
	}
	return nil
}

func (c *component) openFront(listen string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fronts[listen] != nil {
		return nil
	}
	front, err := proxy.Listen(listen, &c.sw)
	if err != nil {
		return err
	}
	c.fronts[listen] = front
	delete(c.frontErrors, listen)
	return nil
}

func frontFailure(port release.Port, err error) *sdk.Failure {
	f := &sdk.Failure{
		Code: sdk.CodeOther, Resource: kindListener + "-" + port.Name,
		Message:    fmt.Sprintf("port %q cannot listen on %s: %v", port.Name, port.Listen, err),
		Suggestion: "give the port an address of this machine that the host's user may listen on",
	}
	if inUse(err) {
		f.Code = sdk.CodePortInUse
		f.Message = fmt.Sprintf("port %q cannot listen on %s: it is in use%s", port.Name, port.Listen, holder(port.Listen))
		f.Suggestion = "stop what holds it, or give spec.port." + port.Name + ".listen another address"
	}
	return f
}

func holder(listen string) string {
	if who := procinfo.Holder(listen); who != "" {
		return " by " + who
	}
	return ""
}

func (c *component) servingGroup() *proxy.Group {
	if c.serving == nil {
		return nil
	}
	return c.serving.group
}

// closeFronts closes the addresses that no release has any more.
func (c *component) closeFronts(drain time.Duration) {
	c.mu.Lock()
	wanted := map[string]bool{}
	for _, t := range []*track{c.serving, c.candidate} {
		if t != nil {
			for _, port := range t.deployed.Release.Ports {
				wanted[port.Listen] = true
			}
		}
	}
	var closing []*proxy.Front
	for listen, front := range c.fronts {
		if !wanted[listen] {
			closing = append(closing, front)
			delete(c.fronts, listen)
		}
	}
	c.mu.Unlock()
	var wg sync.WaitGroup
	for _, front := range closing {
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx, cancel := timeout(drain)
			defer cancel()
			front.Close(ctx)
		}()
	}
	wg.Wait()
}
