package server

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// feeder tells one client of all deployments.
type feeder struct {
	server  *Server
	session *session
	who     caller
	want    wanted
	cursor  string
	seq     uint64              // of the last row that was sent
	told    map[string]standing // platforms, as the client knows them
	passes  map[string]bool     // deployment → whether the filter lets it through
}

// feed tells a client of all deployments: a snapshot of the latest of each
// target, then every row in the order of commits.
func (s *Server) feed(ctx context.Context, session *session, who caller, want wanted) error {
	rings, unring := s.parts.Bus.Doorbell("")
	defer unring()
	changes, unwatch := s.parts.Plugins.Changes()
	defer unwatch()
	f := &feeder{server: s, session: session, who: who, want: want, cursor: want.cursor, passes: map[string]bool{}, told: map[string]standing{}}
	if err := f.snapshot(ctx); err != nil {
		return err
	}
	poll := time.NewTicker(s.config.Poll)
	defer poll.Stop()
	ask := time.NewTicker(s.config.Ping)
	defer ask.Stop()
	for {
		if err := f.rows(ctx); err != nil {
			return err
		}
		f.tellPlugins(ctx)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-rings:
		case <-changes:
		case <-poll.C:
		case <-ask.C:
			if err := s.stillAllowed(ctx, who); err != nil {
				return err
			}
		}
	}
}

// snapshot sends the latest deployment of each target, and where the feed goes
// on from.
func (f *feeder) snapshot(ctx context.Context) error {
	store := f.server.parts.Store
	if f.cursor == "" {
		head, err := store.FeedHead(ctx)
		if err != nil {
			return err
		}
		f.cursor = head
	}
	latest, err := store.Latest(ctx)
	if err != nil {
		return err
	}
	list := v1.FeedSnapshot{Deployments: []v1.Deployment{}, Plugins: []v1.Plugin{}}
	targets := newTargets(store)
	for _, d := range latest {
		if !f.matches(d) {
			continue
		}
		body, err := f.server.statusWith(ctx, d, targets)
		if err != nil {
			return err
		}
		list.Deployments = append(list.Deployments, body)
	}
	news, seen := f.plugins(ctx)
	list.Plugins, f.told = append(list.Plugins, news...), seen
	if f.told == nil {
		f.told = map[string]standing{}
	}
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return f.session.send(ctx, v1.Event{
		Type: string(deployment.EventSnapshot), Time: f.server.config.Now().UTC(), Ephemeral: true,
		Data: data, Cursor: f.cursor,
	})
}

// rows sends what the feed has after the cursor.
func (f *feeder) rows(ctx context.Context) error {
	for {
		page, err := f.server.parts.Store.Feed(ctx, f.cursor, pageSize)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			f.server.log.DebugContext(ctx, "feed not read", "error", err)
			return nil
		}
		for i, row := range page.Events {
			passes, err := f.pass(ctx, row.DeploymentID)
			if err != nil {
				f.server.log.DebugContext(ctx, "deployment not read", "deployment", row.DeploymentID, "error", err)
				return nil
			}
			if passes {
				event := eventOf(row, f.who.anonymous())
				if len(page.Cursors) == len(page.Events) {
					event.Cursor = page.Cursors[i]
				} else if i == len(page.Events)-1 {
					event.Cursor = page.Cursor
				}
				if err := f.session.send(ctx, event); err != nil {
					return err
				}
				f.seq = event.Seq
			}
			if len(page.Cursors) == len(page.Events) {
				f.cursor = page.Cursors[i]
			}
		}
		if page.Cursor != "" {
			f.cursor = page.Cursor
		}
		if len(page.Events) < pageSize {
			return nil
		}
	}
}

// maxPasses bounds what is remembered of the filter.
const maxPasses = 10_000

// pass says whether the filter lets a deployment's events through.
func (f *feeder) pass(ctx context.Context, id string) (bool, error) {
	if f.want.application+f.want.environment+f.want.platform == "" {
		return true, nil
	}
	if passes, known := f.passes[id]; known {
		return passes, nil
	}
	d, err := f.server.parts.Store.Deployment(ctx, id)
	if err != nil && !errors.Is(err, deployment.ErrNotFound) {
		return false, err
	}
	if len(f.passes) >= maxPasses {
		clear(f.passes)
	}
	f.passes[id] = err == nil && f.matches(d)
	return f.passes[id], nil
}

// matches says whether a deployment is one of those asked for.
func (f *feeder) matches(d *deployment.Deployment) bool {
	return (f.want.application == "" || f.want.application == d.Application) &&
		(f.want.environment == "" || f.want.environment == d.Environment) &&
		(f.want.platform == "" || slices.Contains(platformsOf(d), f.want.platform))
}
