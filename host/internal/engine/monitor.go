package engine

import (
	"context"
	"errors"
	"sort"
	"sync"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// monitor keeps looking at what runs on a target while no run does: the checks
// go on, and what somebody else changed is drift. What it sees is recorded with
// the current deployment.
type monitor struct {
	o        *owner
	d        *deployment.Deployment
	checkups []*checkup
	running  sync.WaitGroup
	cancel   context.CancelFunc

	mu   sync.Mutex
	told map[string]map[sdk.Drift]bool // by component: what its platform has reported
}

// watchCurrent starts the monitor of the current deployment, if it is not there.
func (o *owner) watchCurrent() {
	var d *deployment.Deployment
	var names []string
	running := map[string]deployment.Running{}
	o.read(func() {
		if o.watching != nil {
			return
		}
		d = o.current
		for name, r := range o.state.Components {
			names = append(names, name)
			running[name] = r
		}
	})
	if d == nil || len(names) == 0 {
		return
	}
	sort.Strings(names)
	m := &monitor{o: o, d: d}
	ctx, cancel := context.WithCancel(o.ctx)
	m.cancel = cancel
	for _, name := range names {
		if err := m.add(ctx, name, running[name]); err != nil {
			o.log.Warn("read the checks of what runs", "component", name, "error", err)
			m.stop()
			return // tried again at the next poll
		}
	}
	o.read(func() { o.watching = m })
}

// stopWatching ends the monitor before a run begins.
func (o *owner) stopWatching() {
	var m *monitor
	o.read(func() { m, o.watching = o.watching, nil })
	if m != nil {
		m.stop()
	}
}

// stop ends the monitor and waits for it.
func (m *monitor) stop() {
	m.cancel()
	for _, k := range m.checkups {
		k.end()
	}
	m.running.Wait()
}

// add looks at one component.
func (m *monitor) add(ctx context.Context, name string, running deployment.Running) error {
	definition, err := m.o.definitionOf(running.Deployment, name)
	if err != nil {
		return err
	}
	m.o.read(func() {
		component := m.d.Component(name)
		if component == nil { // the current deployment did not touch it
			m.d.Components = append(m.d.Components, deployment.Component{
				Name: name, Platform: running.Platform, Definition: definition,
				DependsOn: definition.DependsOn, Unchanged: true, Status: deployment.Unchanged,
			})
			component = m.d.Component(name)
		}
		component.Addresses = running.Addresses
	})
	target := targetOf(m.o.target, name, running.Version, definition.Spec)
	k := &checkup{
		o: m.o, d: m.d, component: name, platform: running.Platform, target: target,
		checks: definition.Checks, addresses: running.Addresses,
		interval: max(definition.Monitor.Interval, 10*time.Millisecond), passed: true, goesOn: true,
		probed: func(result sdk.ProbeResult) { m.compare(name, result) },
	}
	k.start(ctx)
	m.checkups = append(m.checkups, k)
	m.running.Add(1)
	go func() {
		defer m.running.Done()
		m.follow(ctx, name, running, target)
	}()
	return nil
}

// compare says whether what Probe observed is what was left there.
func (m *monitor) compare(name string, result sdk.ProbeResult) {
	var now deployment.Running
	m.o.read(func() { now = m.o.state.Components[name] })
	observed := result.ObservedDigest
	switch {
	case now.Baseline == "" || observed == "":
		return
	case observed == now.Baseline && now.Drifted == "":
		return
	case observed == now.Drifted:
		return
	}
	resolved := observed == now.Baseline
	_ = m.o.commit(m.d, func(c *change) {
		c.state = true
		payload := deployment.DriftPayload{
			Component: name, By: "unknown", Message: "what runs is not what was deployed",
			Revision: result.Revision, Baseline: now.Baseline, Observed: observed, Resolved: resolved,
		}
		now.Drifted = observed
		if resolved {
			now.Drifted, payload.Message = "", "what runs is again what was deployed"
		}
		m.o.state.Components[name] = now
		c.event(deployment.EventTargetDrift, payload)
	})
}

// follow reads the platform's own stream of what runs, where it has one.
func (m *monitor) follow(ctx context.Context, name string, running deployment.Running, target sdk.Target) {
	var token []byte
	pause := m.o.engine.Retry / 10
	for ctx.Err() == nil {
		p, err := m.o.engine.Platforms.Await(ctx, running.Platform)
		if err != nil {
			return
		}
		m.o.read(func() { p = m.o.discreetly(p, m.d, name) })
		watcher, watches := p.(sdk.TargetWatcher)
		if !watches || !sdk.CapabilitiesOf(p).WatchTarget {
			return
		}
		err = watcher.WatchTarget(ctx, sdk.WatchTargetRequest{
			Target: target, Handle: toHandle(running.Handle), ResumeToken: token,
		}, paced(ctx, m.o.engine.Now, func(events ...sdk.Event) error {
			token = m.record(name, events, token)
			return ctx.Err()
		}))
		if sdk.CodeOf(err) == sdk.OutOfRange {
			token = nil
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			m.o.log.Debug("watch what runs", "component", name, "error", err)
		}
		if !sleep(ctx, pause) {
			return
		}
		pause = min(2*pause, m.o.engine.Retry)
	}
}

// record stores a batch of the stream and returns the token after it.
func (m *monitor) record(name string, events []sdk.Event, token []byte) []byte {
	rows := false
	for i := range events {
		if line := events[i].Log; line != nil {
			m.o.publish(m.d, deployment.EventLog, deployment.LogPayload{
				Component: name, LogLine: fromLog(*line), Dropped: events[i].DroppedLogLines,
			})
		}
		rows = rows || events[i].State != nil || events[i].Resource != nil || events[i].Drift != nil
	}
	if rows {
		_ = m.o.commit(m.d, func(c *change) {
			component := m.d.Component(name)
			for i := range events {
				switch e := &events[i]; {
				case e.State != nil:
					applyPicture(c, component, e.State.Resources)
				case e.Resource != nil:
					applyResource(c, component, fromResource(*e.Resource))
				case e.Drift != nil && m.news(name, *e.Drift, events[0].State != nil):
					m.o.driftEvent(c, name, *e.Drift)
				}
			}
		})
	}
	if n := len(events); n > 0 && len(events[n-1].ResumeToken) > 0 {
		return events[n-1].ResumeToken
	}
	return token
}

// news says whether a drift was not reported yet. A stream that begins anew, with a
// State, repeats what stands: for us who may have been away when it was told.
func (m *monitor) news(component string, drift sdk.Drift, repeats bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.told == nil {
		m.told = map[string]map[sdk.Drift]bool{}
	}
	known := m.told[component][drift]
	if m.told[component] == nil || len(m.told[component]) > maxTold {
		m.told[component] = map[sdk.Drift]bool{}
	}
	m.told[component][drift] = true
	return !known || !repeats
}

// maxTold bounds what is remembered of a platform that reports without end.
const maxTold = 100

// driftEvent adds the row of a drift that the platform reported.
func (o *owner) driftEvent(c *change, component string, drift sdk.Drift) {
	c.event(deployment.EventTargetDrift, deployment.DriftPayload{
		Component: component, By: clip(orUnknown(drift.By)), Message: clip(drift.Message),
		Revision: drift.Revision, Undone: drift.Undone,
	})
}
