package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Events implements store.Feeder.
func (s *Store) Events(ctx context.Context, id string, after uint64, limit int) ([]deployment.Event, error) {
	var events []deployment.Event
	err := s.read(ctx, func(tx *tx) error {
		var last uint64
		if err := tx.row(`SELECT seq FROM deployments WHERE id = ?`, id).Scan(&last); err != nil {
			return err
		}
		if after >= last { // also what an SQLite integer cannot hold
			return nil
		}
		_, err := scanEvents(tx, &events, `WHERE deployment_id = ? AND seq > ? ORDER BY seq LIMIT ?`, id, after, bound(limit))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read events of deployment %q: %w", id, err)
	}
	return events, nil
}

// Feed implements store.Feeder.
func (s *Store) Feed(ctx context.Context, position string, limit int) (deployment.FeedPage, error) {
	var after int64
	if position != "" && (!parseCursor(position, "e %d", &after) || after < 0) {
		return deployment.FeedPage{}, badCursor()
	}
	page := deployment.FeedPage{}
	err := s.read(ctx, func(tx *tx) error {
		places, err := scanEvents(tx, &page.Events, `WHERE ord > ? ORDER BY ord LIMIT ?`, after, bound(limit))
		for _, place := range places {
			after = place
			page.Cursors = append(page.Cursors, cursor("e %d", place))
		}
		return err
	})
	if err != nil {
		return deployment.FeedPage{}, fmt.Errorf("read feed: %w", err)
	}
	page.Cursor = cursor("e %d", after)
	return page, nil
}

// FeedHead implements store.Feeder.
func (s *Store) FeedHead(ctx context.Context) (string, error) {
	var last int64
	err := s.read(ctx, func(tx *tx) error {
		// Not max(ord): retention may have taken the newest rows.
		return tx.row(`SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)`).Scan(&last)
	})
	if err != nil {
		return "", fmt.Errorf("read feed: %w", err)
	}
	return cursor("e %d", last), nil
}

// scanEvents adds the events that the rest of the query selects, and returns
// their places in the feed.
func scanEvents(tx *tx, events *[]deployment.Event, rest string, arguments ...any) ([]int64, error) {
	var places []int64
	err := tx.rows(func(scan func(...any) error) error {
		var e deployment.Event
		var place, at int64
		var data string
		if err := scan(&place, &e.DeploymentID, &e.Seq, &e.Type, &at, &data); err != nil {
			return err
		}
		e.Time, e.Data = instant(at), json.RawMessage(data)
		*events = append(*events, e)
		places = append(places, place)
		return nil
	}, `SELECT ord, deployment_id, seq, type, time, data FROM events `+rest, arguments...)
	return places, err
}
