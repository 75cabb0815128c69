package server

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// pageSize is how many rows are read at once.
const pageSize = 200

// follower tells one client of one deployment.
type follower struct {
	server  *Server
	session *session
	who     caller
	id      string
	last    uint64 // seq of the last row that was sent
	shown   shown
	dropped uint64 // log lines that did not fit in, since the last that did
}

// follow tells a client of one deployment: a snapshot, then every row after the
// seq that was asked for (or after the snapshot), with progress and log lines
// between them.
func (s *Server) follow(ctx context.Context, session *session, who caller, want wanted) error {
	// Before anything is read: what is committed from here on rings.
	rings, unring := s.parts.Bus.Doorbell(want.deploymentID)
	defer unring()
	ephemeral, unsubscribe := s.parts.Bus.Subscribe(want.deploymentID)
	defer unsubscribe()

	f := &follower{server: s, session: session, who: who, id: want.deploymentID}
	if err := f.snapshot(ctx); err != nil {
		return err
	}
	if want.after != nil {
		f.last = *want.after
	}
	poll := time.NewTicker(s.config.Poll)
	defer poll.Stop()
	beat := time.NewTicker(progressEvery)
	defer beat.Stop()
	ask := time.NewTicker(s.config.Ping)
	defer ask.Stop()
	for {
		if err := f.rows(ctx); err != nil {
			return err
		}
		for idle := true; idle; {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-rings:
				idle = false
			case <-poll.C:
				idle = false
			case <-ask.C:
				if err := s.stillAllowed(ctx, who); err != nil {
					return err
				}
			case <-beat.C:
				f.progress(ctx)
			case event, open := <-ephemeral:
				if !open {
					ephemeral = nil
					continue
				}
				f.ephemeral(event)
			}
		}
	}
}

// snapshot sends the status body.
func (f *follower) snapshot(ctx context.Context) error {
	d, err := f.server.parts.Store.Deployment(ctx, f.id)
	if err != nil {
		return err
	}
	body, err := f.server.status(ctx, d)
	if err != nil {
		return err
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	f.last = d.Seq
	f.shown.newRun(len(d.Runs))
	f.shown.percentage = body.Progress.Percentage
	return f.session.send(ctx, v1.Event{
		Type: string(deployment.EventSnapshot), DeploymentID: f.id, Seq: d.Seq,
		Time: f.server.config.Now().UTC(), Ephemeral: true, Data: data,
	})
}

// rows sends the rows after the last one, in order and without gap. A store that
// is away is asked again later; the client sees a pause.
func (f *follower) rows(ctx context.Context) error {
	for {
		rows, err := f.server.parts.Store.Events(ctx, f.id, f.last, pageSize)
		switch {
		case errors.Is(err, deployment.ErrNotFound):
			return errGone
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			f.server.log.DebugContext(ctx, "events not read", "deployment", f.id, "error", err)
			return nil
		}
		for _, row := range rows {
			if row.Seq != f.last+1 {
				return nil // the one between is not visible yet: the next look finds it
			}
			f.watchRun(row)
			if err := f.session.send(ctx, eventOf(row, f.who.anonymous())); err != nil {
				return err
			}
			f.last = row.Seq
		}
		if len(rows) < pageSize {
			return nil
		}
	}
}

// watchRun notices that a new run began, whose progress starts anew.
func (f *follower) watchRun(row deployment.Event) {
	if row.Type != deployment.EventStatus {
		return
	}
	var status deployment.StatusPayload
	if err := json.Unmarshal(row.Data, &status); err == nil {
		f.shown.newRun(status.Run)
	}
}

// progress sends progress that changed: what came by the bus, else what the
// recorded facts say.
func (f *follower) progress(ctx context.Context) {
	payload := f.shown.pending
	f.shown.pending = nil
	if payload == nil {
		computed, run, open, err := f.server.pace.of(ctx, f.id)
		if err != nil || !open {
			return
		}
		f.shown.newRun(run)
		payload = &computed
	}
	if data := f.shown.next(*payload); data != nil {
		f.session.offer(f.event(deployment.EventProgress, data))
	}
}

// ephemeral takes what came by the bus. Log lines are for those with a token.
func (f *follower) ephemeral(event deployment.Event) {
	switch event.Type {
	case deployment.EventProgress:
		var payload deployment.ProgressPayload
		if err := json.Unmarshal(event.Data, &payload); err == nil {
			f.shown.pending = &payload
		}
	case deployment.EventLog:
		if f.who.anonymous() {
			return
		}
		var payload deployment.LogPayload
		if err := json.Unmarshal(event.Data, &payload); err != nil {
			return
		}
		payload.Dropped += f.dropped
		data, err := json.Marshal(payload)
		if err != nil {
			return
		}
		if f.session.offer(f.event(deployment.EventLog, data)) {
			f.dropped = 0
		} else {
			f.dropped++
		}
	}
}

// event returns an event that is never a row.
func (f *follower) event(kind deployment.EventType, data json.RawMessage) v1.Event {
	return v1.Event{
		Type: string(kind), DeploymentID: f.id, Seq: f.last,
		Time: f.server.config.Now().UTC(), Ephemeral: true, Data: data,
	}
}

// stillAllowed asks again whether the client's token is valid.
func (s *Server) stillAllowed(ctx context.Context, who caller) error {
	_, err := s.parts.Authenticator.Authenticate(ctx, who.Header, who.Loopback)
	if deployment.CodeOf(err) == deployment.Unauthorized {
		return errRevoked
	}
	return nil
}
