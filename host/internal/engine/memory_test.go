package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/engine"
)

// history is a store as the tests of this package need it.
type history interface {
	engine.Store
	Events(ctx context.Context, id string, after uint64, limit int) ([]deployment.Event, error)
	Audit(ctx context.Context, cursor string, limit int) ([]deployment.AuditRecord, string, error)
	Close() error
}

// ram is a history in memory, with the rules of the real one: it takes a tenth of
// the time, above all under the race detector. Its fields are in ramState.
type ram struct {
	mu sync.Mutex
	ramState
}

// ramState is what a ram holds. Deployments and states are kept as JSON, so that
// nobody shares them.
type ramState struct {
	deployments map[string][]byte
	order       []string // ids, as accepted
	targets     map[deployment.Target]ramTarget
	events      map[string][]deployment.Event
	blobs       map[string][]byte
	commands    []ramCommand
	audit       []deployment.AuditRecord
	keys        map[string]ramKey // by principal and key
}

type ramTarget struct {
	owner string
	epoch uint64
	until time.Time
	state []byte
}

type ramCommand struct {
	id     string
	target deployment.Target
	data   []byte
}

type ramKey struct{ digest, id string }

func newRAM() *ram {
	return &ram{ramState: ramState{
		deployments: map[string][]byte{}, targets: map[deployment.Target]ramTarget{},
		events: map[string][]deployment.Event{}, blobs: map[string][]byte{}, keys: map[string]ramKey{},
	}}
}

// clone is another history that begins as this one is.
func (m *ram) clone() *ram {
	m.mu.Lock()
	defer m.mu.Unlock()
	other := &ram{ramState: m.ramState}
	other.deployments, other.targets = maps.Clone(m.deployments), maps.Clone(m.targets)
	other.events = map[string][]deployment.Event{}
	for id, events := range m.events {
		other.events[id] = slices.Clone(events)
	}
	other.blobs, other.keys = maps.Clone(m.blobs), maps.Clone(m.keys)
	other.order, other.commands, other.audit = slices.Clone(m.order), slices.Clone(m.commands), slices.Clone(m.audit)
	return other
}

func (m *ram) Close() error           { return nil }
func (m *ram) InstallationID() string { return "ram" }

// do runs a transaction; ctx is heeded before it begins, as the real one does.
func (m *ram) do(ctx context.Context, transaction func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch err := ctx.Err(); {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", deployment.ErrUnavailable, err)
	case err != nil:
		return err
	default:
		return transaction()
	}
}

func (m *ram) Accept(ctx context.Context, a deployment.Acceptance) error {
	return m.do(ctx, func() error {
		if id, err := m.repeated(a.Key); err != nil {
			return err
		} else if id != "" {
			return &deployment.RepeatedError{DeploymentID: id}
		}
		d := a.Deployment
		for _, other := range m.open(d.Target) {
			r := other.Run()
			switch {
			case a.Concurrent == deployment.ConcurrentRefuse:
				return &deployment.BusyError{Holder: other.ID}
			case a.Concurrent == deployment.ConcurrentSupersede && r.LockedAt.IsZero() && r.Kind != deployment.RunRollback:
				m.wish(deployment.Command{
					ID: d.ID + "-supersedes-" + other.ID, DeploymentID: other.ID, Target: d.Target, Waiting: true,
					Kind: deployment.CommandCancel, Actor: a.Audit.Actor, Reason: "superseded by " + d.ID, At: d.AcceptedAt,
				})
			}
		}
		if _, there := m.targets[d.Target]; !there {
			m.targets[d.Target] = ramTarget{state: []byte(`{}`)}
		}
		m.order = append(m.order, d.ID)
		m.deployments[d.ID] = encoded(d)
		if a.Key != nil {
			m.keys[a.Key.Principal+"/"+a.Key.Key] = ramKey{a.Key.Digest, d.ID}
		}
		return m.write(a.Events, a.Blobs, a.Audit)
	})
}

// write appends what comes with every transaction.
func (m *ram) write(events []deployment.Event, blobs []deployment.Blob, audit ...deployment.AuditRecord) error {
	for _, e := range events {
		if last := uint64(len(m.events[e.DeploymentID])); e.Seq != last+1 {
			return fmt.Errorf("append event of deployment %s: seq %d does not follow %d", e.DeploymentID, e.Seq, last)
		}
		m.events[e.DeploymentID] = append(m.events[e.DeploymentID], e)
	}
	for _, b := range blobs {
		if _, there := m.blobs[b.Key]; !there {
			m.blobs[b.Key] = b.Data
		}
	}
	m.audit = append(m.audit, audit...)
	return nil
}

func (m *ram) Command(ctx context.Context, c deployment.Command, audit deployment.AuditRecord) error {
	return m.do(ctx, func() error {
		if id, err := m.repeated(c.Key); err != nil {
			return err
		} else if id != "" {
			return &deployment.RepeatedError{DeploymentID: id}
		}
		if c.Key != nil {
			m.keys[c.Key.Principal+"/"+c.Key.Key] = ramKey{c.Key.Digest, c.DeploymentID}
		}
		m.wish(c)
		return m.write(nil, nil, audit)
	})
}

func (m *ram) wish(c deployment.Command) {
	m.commands = append(m.commands, ramCommand{c.ID, c.Target, encoded(c)})
}

func (m *ram) Repeated(ctx context.Context, key deployment.IdempotencyKey) (id string, err error) {
	err = m.do(ctx, func() error {
		id, err = m.repeated(&key)
		return err
	})
	return id, err
}

func (m *ram) repeated(key *deployment.IdempotencyKey) (string, error) {
	if key == nil {
		return "", nil
	}
	known, there := m.keys[key.Principal+"/"+key.Key]
	if there && known.digest != key.Digest {
		return "", deployment.ErrKeyReused
	}
	return known.id, nil
}

func (m *ram) Claim(ctx context.Context, host string, ttl time.Duration) (leases []deployment.Lease, err error) {
	err = m.do(ctx, func() error {
		for target, t := range m.targets {
			if time.Now().Before(t.until) || !m.needed(target) {
				continue
			}
			t.owner, t.epoch, t.until = host, t.epoch+1, time.Now().Add(ttl)
			m.targets[target] = t
			leases = append(leases, deployment.Lease{Target: target, Epoch: t.epoch, Until: t.until, For: ttl})
		}
		return nil
	})
	return leases, err
}

// needed says whether a target has something to do.
func (m *ram) needed(target deployment.Target) bool {
	return len(m.open(target)) > 0 || m.state(target).Current != "" ||
		slices.ContainsFunc(m.commands, func(c ramCommand) bool { return c.target == target })
}

func (m *ram) Renew(ctx context.Context, host string, ttl time.Duration) (leases []deployment.Lease, err error) {
	err = m.do(ctx, func() error {
		for target, t := range m.targets {
			if t.owner != host || !time.Now().Before(t.until) {
				continue
			}
			t.until = time.Now().Add(ttl)
			m.targets[target] = t
			leases = append(leases, deployment.Lease{Target: target, Epoch: t.epoch, Until: t.until, For: ttl})
		}
		return nil
	})
	return leases, err
}

func (m *ram) Release(ctx context.Context, host string, targets ...deployment.Target) error {
	return m.do(ctx, func() error {
		for target, t := range m.targets {
			if t.owner == host && (len(targets) == 0 || slices.Contains(targets, target)) {
				t.owner, t.until = "", time.Time{}
				m.targets[target] = t
			}
		}
		return nil
	})
}

func (m *ram) Commit(ctx context.Context, c deployment.Change) error {
	return m.do(ctx, func() error {
		t := m.targets[c.Target]
		if t.epoch != c.Epoch || !time.Now().Before(t.until) {
			return fmt.Errorf("%w %d of %s", deployment.ErrStaleEpoch, c.Epoch, c.Target)
		}
		if d := c.Deployment; d != nil {
			if next := uint64(len(m.events[d.ID]) + len(c.Events)); d.Seq != next {
				return fmt.Errorf("write deployment %s: its seq is %d, its last event %d", d.ID, d.Seq, next)
			}
			m.deployments[d.ID] = encoded(d)
		}
		if c.State != nil {
			t.state = encoded(c.State)
			m.targets[c.Target] = t
		}
		m.commands = slices.DeleteFunc(m.commands, func(known ramCommand) bool {
			return slices.Contains(c.Consumed, known.id)
		})
		return m.write(c.Events, c.Blobs, c.Audit...)
	})
}

// encoded is what is kept of a value.
func encoded(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return data
}
