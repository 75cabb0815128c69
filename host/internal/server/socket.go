package server

import (
	"context"
	"net"
	"net/http"
	"strconv"

	"github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// wanted is what a WebSocket client asked for.
type wanted struct {
	deploymentID string
	after        *uint64 // of one deployment; nil: from now on
	cursor       string  // of the feed; "": from now on

	application, environment, platform string
}

// socketBuffer is the kernel's share of what waits for a client; what it does
// not take is noticed here, not megabytes later.
const socketBuffer = 128 << 10

// serveSocket checks everything that can be checked while there is still a
// status to answer with, and then upgrades.
func (s *Server) serveSocket(c *fiber.Ctx, who caller) error {
	want, err := s.wanted(c)
	if err != nil {
		return err
	}
	return s.upgrade(c, "after", func(ctx context.Context, session *session) error {
		if want.deploymentID != "" {
			return s.follow(ctx, session, who, want)
		}
		return s.feed(ctx, session, who, want)
	})
}

// upgrade makes a WebSocket of the request, on which source speaks until it, the
// client, or the host ends. again is the parameter with which another one goes on.
func (s *Server) upgrade(c *fiber.Ctx, again string, source func(context.Context, *session) error) error {
	if !websocket.IsWebSocketUpgrade(c) {
		c.Set(fiber.HeaderUpgrade, "websocket")
		c.Set(fiber.HeaderSecWebSocketVersion, "13")
		return fiber.ErrUpgradeRequired
	}
	if s.sockets.full() {
		return fiber.NewError(http.StatusServiceUnavailable, errCrowded.Error())
	}
	if tcp, ok := c.Context().Conn().(*net.TCPConn); ok {
		if err := tcp.SetWriteBuffer(socketBuffer); err != nil {
			s.log.Debug("write buffer not set", "error", err)
		}
	}
	// The origin was checked already, by a list that lets an absent one pass.
	handler := websocket.New(func(conn *websocket.Conn) { s.converse(conn, again, source) }, websocket.Config{
		WriteBufferSize: 4 << 10,
		RecoverHandler: func(*websocket.Conn) {
			if r := recover(); r != nil {
				s.log.Error("websocket panicked", "panic", r)
			}
		},
	})
	return handler(c)
}

// converse runs the session of one client.
func (s *Server) converse(conn *websocket.Conn, again string, source func(context.Context, *session) error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	session := newSession(conn.Conn, s.config, s.log, again, s.metrics.sent)
	if err := s.sockets.enter(session, cancel); err != nil {
		session.finish(err, closeTime)
		return
	}
	defer s.sockets.leave(session)
	session.run(ctx, cancel, func(ctx context.Context) error { return source(ctx, session) })
}

// tokenHeader is what to do with a token in a URL, where logs would keep it.
const tokenHeader = `send the token as a header: "Authorization: Bearer TOKEN"`

// wanted reads the query.
func (s *Server) wanted(c *fiber.Ctx) (wanted, error) {
	known := map[string]bool{"deployment_id": true, "after": true, "application": true, "environment": true, "platform": true}
	query := c.Queries()
	for name := range query {
		if known[name] {
			continue
		}
		remedy := "known are deployment_id, after, application, environment, platform"
		if name == "token" {
			remedy = tokenHeader
		}
		return wanted{}, badQuery(name, "unknown query parameter", remedy)
	}
	want := wanted{application: query["application"], environment: query["environment"], platform: query["platform"]}
	after, hasAfter := query["after"]
	if _, one := query["deployment_id"]; !one {
		want.cursor = after
		if hasAfter {
			_, err := s.parts.Store.Feed(c.UserContext(), after, 1)
			if deployment.CodeOf(err) == deployment.Invalid {
				return wanted{}, badQuery("after", "not a cursor of this feed", "take the member cursor of the last message, or leave it out")
			}
			if err != nil {
				return wanted{}, err
			}
		}
		return want, nil
	}
	d, err := s.findAt(c.UserContext(), "query.deployment_id", query["deployment_id"])
	if err != nil {
		return wanted{}, err
	}
	want.deploymentID = d.ID
	for _, filter := range []string{"application", "environment", "platform"} {
		if query[filter] != "" {
			return wanted{}, badQuery(filter, "filters go with the feed of all deployments", "leave out deployment_id or the filter")
		}
	}
	if hasAfter {
		n, err := strconv.ParseUint(after, 10, 64)
		if err != nil {
			return wanted{}, badQuery("after", "not the seq of an event", "take the member seq of the last message, or leave it out")
		}
		if n > d.Seq {
			return wanted{}, badQuery("after", "beyond the last event, which is "+strconv.FormatUint(d.Seq, 10), "take the member seq of the last message, or leave it out")
		}
		want.after = &n
	}
	return want, nil
}

// badQuery answers 400 and names the parameter.
func badQuery(name, message, remedy string) error {
	return newProblem(http.StatusBadRequest, "query."+name+": "+message, remedy,
		v1.ProblemItem{Location: "query." + name, Message: message, Remedy: remedy})
}
