package server

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// errQuiet ends a conversation about lines that nobody writes any more: the
// components do not run.
var errQuiet = errors.New("nothing runs that could write lines; connect again later")

// How many lines of before a client gets: by default one that names neither a
// number nor a time, and at most.
const (
	defaultTail = 200
	maxTail     = 5000
)

// serveLogs upgrades to a WebSocket on which the lines of a deployment's
// components come as they are written. What can go wrong at once is answered
// before.
func (s *Server) serveLogs(c *fiber.Ctx, who caller) error {
	id, query, err := s.wantedLines(c)
	if err != nil {
		return err
	}
	probe := query
	probe.Follow, probe.Tail = false, 1
	if err := s.parts.Engine.Logs(c.UserContext(), id, probe, func(string, ...deployment.LogLine) error { return nil }); err != nil {
		return err
	}
	return s.upgrade(c, "since", func(ctx context.Context, session *session) error {
		return s.tellLines(ctx, session, who, id, query)
	})
}

// wantedLines reads the query.
func (s *Server) wantedLines(c *fiber.Ctx) (id string, query deployment.LogQuery, err error) {
	query = deployment.LogQuery{Follow: true}
	tailed := false
	for name, value := range c.Queries() {
		switch name {
		case "deployment_id":
		case "component":
			query.Component = value
		case "resource":
			query.Resource = value
		case "tail":
			tailed = true
			if query.Tail, err = strconv.Atoi(value); err != nil || query.Tail < 1 || query.Tail > maxTail {
				return "", query, badQuery(name, "not a number from 1 to "+strconv.Itoa(maxTail), "leave it out for "+strconv.Itoa(defaultTail))
			}
		case "since":
			if query.Since, err = time.Parse(time.RFC3339, value); err != nil {
				return "", query, badQuery(name, "not a time", "write it as in 2026-11-24T09:15:24Z")
			}
		default:
			return "", query, badQuery(name, "unknown query parameter", "known are deployment_id, component, resource, tail, since")
		}
	}
	if !tailed && query.Since.IsZero() {
		query.Tail = defaultTail
	}
	d, err := s.findAt(c.UserContext(), "query.deployment_id", c.Query("deployment_id"))
	if err != nil {
		return "", query, err
	}
	if query.Component != "" && d.Component(query.Component) == nil {
		return "", query, badQuery("component", "the deployment has no such component", "GET /api/v1/deployments/"+d.ID+" lists them")
	}
	return d.ID, query, nil
}

// tellLines sends each line as a log event. A client that does not keep up is cut,
// and gets the rest with since; no line is left out without a word.
func (s *Server) tellLines(ctx context.Context, session *session, who caller, id string, query deployment.LogQuery) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel(nil)
	asking.Go(func() {
		ask := time.NewTicker(s.config.Ping)
		defer ask.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ask.C:
				if err := s.stillAllowed(ctx, who); err != nil {
					cancel(err)
				}
			}
		}
	})
	err := s.parts.Engine.Logs(ctx, id, query, func(component string, lines ...deployment.LogLine) error {
		for _, line := range lines {
			data, err := json.Marshal(deployment.LogPayload{Component: component, LogLine: line})
			if err != nil {
				return err
			}
			if err := session.send(ctx, v1.Event{
				Type: string(deployment.EventLog), DeploymentID: id, Time: s.config.Now().UTC(), Ephemeral: true, Data: data,
			}); err != nil {
				cancel(err)
				return err
			}
		}
		return nil
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		s.log.DebugContext(ctx, "log lines ended", "deployment", id, "error", err)
	}
	if err := session.flush(ctx); err != nil {
		return err
	}
	return errQuiet
}
