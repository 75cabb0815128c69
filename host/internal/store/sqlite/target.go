package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// State implements store.Reader.
func (s *Store) State(ctx context.Context, target deployment.Target) (state deployment.TargetState, err error) {
	err = s.read(ctx, func(tx *tx) error {
		state, err = s.stateOf(tx, target)
		return err
	})
	return state, err
}

func (s *Store) stateOf(tx *tx, target deployment.Target) (deployment.TargetState, error) {
	var sealed []byte
	if err := tx.row(`SELECT state FROM targets WHERE application = ? AND environment = ?`,
		target.Application, target.Environment).Scan(&sealed); err != nil {
		return deployment.TargetState{}, fmt.Errorf("read target %s: %w", target, err)
	}
	return s.targetState(target, sealed)
}

// States implements store.Reader.
func (s *Store) States(ctx context.Context) (all []deployment.TargetState, err error) {
	err = s.read(ctx, func(tx *tx) error {
		all, err = s.states(tx)
		return err
	})
	return all, err
}

func (s *Store) states(tx *tx) ([]deployment.TargetState, error) {
	var all []deployment.TargetState
	err := tx.rows(func(scan func(...any) error) error {
		var target deployment.Target
		var sealed []byte
		if err := scan(&target.Application, &target.Environment, &sealed); err != nil {
			return err
		}
		state, err := s.targetState(target, sealed)
		if err != nil {
			return err
		}
		all = append(all, state)
		return nil
	}, `SELECT application, environment, state FROM targets ORDER BY application, environment`)
	return all, err
}

// Queue implements store.Reader.
func (s *Store) Queue(ctx context.Context, target deployment.Target) (ids []string, err error) {
	err = s.read(ctx, func(tx *tx) error {
		ids, err = tx.strings(`SELECT id FROM deployments AS d WHERE open = 1 AND application = ?1 AND environment = ?2
			AND id <> (SELECT holder FROM targets WHERE application = ?1 AND environment = ?2)
			ORDER BY rollback DESC, ord`, target.Application, target.Environment)
		return err
	})
	return ids, err
}

// Work implements store.Ownership.
func (s *Store) Work(ctx context.Context, target deployment.Target) (work deployment.Work, err error) {
	err = s.read(ctx, func(tx *tx) error {
		work, err = s.work(tx, target)
		return err
	})
	return work, err
}

func (s *Store) work(tx *tx, target deployment.Target) (work deployment.Work, err error) {
	if work.State, err = s.stateOf(tx, target); err != nil {
		return work, err
	}
	work.Open, err = s.deployments(tx, `WHERE d.open = 1 AND d.application = ? AND d.environment = ? ORDER BY d.ord`,
		target.Application, target.Environment)
	if err != nil {
		return work, fmt.Errorf("read open deployments of %s: %w", target, err)
	}
	if current := work.State.Current; current != "" {
		for _, d := range work.Open {
			if d.ID == current {
				work.Current = d
			}
		}
		if work.Current == nil {
			found, err := s.deployments(tx, `WHERE d.id = ?`, current)
			if err != nil {
				return work, fmt.Errorf("read current deployment of %s: %w", target, err)
			}
			if len(found) == 0 {
				return work, fmt.Errorf("read current deployment of %s: %q is not stored", target, current)
			}
			work.Current = found[0]
		}
	}
	work.Commands, err = commands(tx, `WHERE application = ? AND environment = ?`, target.Application, target.Environment)
	return work, err
}

// Commands implements store.Reader.
func (s *Store) Commands(ctx context.Context) (all []deployment.Command, err error) {
	err = s.read(ctx, func(tx *tx) error {
		all, err = commands(tx, ``)
		return err
	})
	return all, err
}

// commands reads those that the condition selects, oldest first.
func commands(tx *tx, condition string, arguments ...any) (all []deployment.Command, err error) {
	err = tx.rows(func(scan func(...any) error) error {
		var data []byte
		if err := scan(&data); err != nil {
			return err
		}
		var c deployment.Command
		if err := json.Unmarshal(data, &c); err != nil {
			return fmt.Errorf("decode command: %w", err)
		}
		all = append(all, c)
		return nil
	}, `SELECT data FROM commands `+condition+` ORDER BY ord`, arguments...)
	if err != nil {
		return nil, fmt.Errorf("read commands: %w", err)
	}
	return all, nil
}
