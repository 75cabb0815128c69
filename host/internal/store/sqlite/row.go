package sqlite

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// nanoseconds is a time as it is stored.
func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// instant is nanoseconds read back.
func instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// list is a JSON array, for json_each and for columns.
func list(all []string) string {
	if all == nil {
		all = []string{}
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // strings are always JSON
	}
	return string(text)
}

// row is a deployment as its row has it.
type row struct {
	platforms []string
	open      bool
	locked    bool
	rollback  bool
	sealed    []byte
}

// rowOf draws the columns from the aggregate and seals it.
func (s *Store) rowOf(d *deployment.Deployment) (row, error) {
	r := row{platforms: platformsOf(d), open: d.EndedAt.IsZero()}
	if run := d.Run(); run != nil {
		r.open, r.locked = run.Open(), !run.LockedAt.IsZero()
		r.rollback = run.Kind == deployment.RunRollback
	}
	var err error
	r.sealed, err = s.seal(d, "deployment/"+d.ID)
	return r, err
}

// platformsOf returns the platforms that the deployment has components on.
func platformsOf(d *deployment.Deployment) []string {
	platforms := []string{}
	for i := range d.Components {
		platforms = append(platforms, d.Components[i].Platform)
	}
	if len(platforms) == 0 {
		for i := range d.Definition.Components {
			platforms = append(platforms, d.Definition.Components[i].Platform)
		}
	}
	slices.Sort(platforms)
	return slices.Compact(platforms)
}

// keysOf returns the keys of all blobs that the deployment refers to.
func keysOf(d *deployment.Deployment) []string {
	var keys []string
	add := func(key string) {
		if key != "" {
			keys = append(keys, key)
		}
	}
	for i := range d.Components {
		c := &d.Components[i]
		if c.Release != nil {
			add(c.Release.Key)
		}
		for _, snapshot := range []*deployment.SnapshotRef{c.Before, c.After} {
			if snapshot != nil {
				add(snapshot.Key)
			}
		}
		if c.BeforeRunning != nil && c.BeforeRunning.Snapshot != nil {
			add(c.BeforeRunning.Snapshot.Key)
		}
		for j := range c.Evidence {
			add(c.Evidence[j].Key)
		}
	}
	for i := range d.Runs {
		if d.Runs[i].Failure != nil {
			add(d.Runs[i].Failure.Evidence)
		}
		for j := range d.Runs[i].Steps {
			if goal := d.Runs[i].Steps[j].Goal; goal != nil {
				add(goal.Key)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// seal encodes and seals a value under the identity of its row.
func (s *Store) seal(value any, identity string) ([]byte, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", identity, err)
	}
	sealed, err := s.sealer.Seal(plain, []byte(identity))
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", identity, err)
	}
	return sealed, nil
}

// unseal is the way back.
func (s *Store) unseal(sealed []byte, identity string, value any) error {
	plain, err := s.sealer.Open(sealed, []byte(identity))
	if err != nil {
		return fmt.Errorf("unseal %s: %w", identity, err)
	}
	if err := json.Unmarshal(plain, value); err != nil {
		return fmt.Errorf("decode %s: %w", identity, err)
	}
	return nil
}

// aggregate reads a deployment back. The seq is the column's, which counts also
// the events that were written without the aggregate.
func (s *Store) aggregate(id string, seq uint64, sealed []byte) (*deployment.Deployment, error) {
	d := new(deployment.Deployment)
	if err := s.unseal(sealed, "deployment/"+id, d); err != nil {
		return nil, err
	}
	d.Seq = seq
	return d, nil
}

// deployments reads those that the rest of the query selects.
func (s *Store) deployments(tx *tx, rest string, arguments ...any) ([]*deployment.Deployment, error) {
	var all []*deployment.Deployment
	err := tx.rows(func(scan func(...any) error) error {
		var id string
		var seq uint64
		var sealed []byte
		if err := scan(&id, &seq, &sealed); err != nil {
			return err
		}
		d, err := s.aggregate(id, seq, sealed)
		if err != nil {
			return err
		}
		all = append(all, d)
		return nil
	}, `SELECT d.id, d.seq, d.aggregate FROM deployments AS d `+rest, arguments...)
	return all, err
}

// targetState reads a target's state; one that was never written is empty.
func (s *Store) targetState(target deployment.Target, sealed []byte) (deployment.TargetState, error) {
	state := deployment.TargetState{Target: target}
	if sealed == nil {
		return state, nil
	}
	err := s.unseal(sealed, "target/"+target.String(), &state)
	return state, err
}
