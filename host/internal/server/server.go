package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Server serves REST, WebSocket, metrics and documentation.
type Server struct {
	config  Config
	parts   Parts
	log     *slog.Logger
	app     *fiber.App
	api     huma.API
	metrics *metrics
	sockets *sockets
	pace    *pace

	restarts keys // that were carried out

	stopping context.Context // ends when Shutdown begins
	stop     context.CancelFunc

	listeners []net.Listener
	origins   *allowed
	serving   sync.WaitGroup
}

// New returns a server that does not listen yet.
func New(config Config, parts Parts, log *slog.Logger) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("configure server: %w", err)
	}
	hookHuma()
	s := &Server{config: config.withDefaults(), parts: parts, log: log}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.origins = newAllowed(s.config, "")
	s.sockets = newSockets(s.config.MaxSockets)
	s.pace = newPace(parts.Store, s.config.Now)
	s.metrics = newMetrics(s.config, parts, s.sockets.count, log)
	s.app = fiber.New(fiber.Config{
		Immutable:             true,
		StrictRouting:         true,
		CaseSensitive:         true,
		DisableStartupMessage: true,
		BodyLimit:             maxBody,
		ReadBufferSize:        maxHeaders,
		ReadTimeout:           readTimeout,
		WriteTimeout:          writeTimeout,
		IdleTimeout:           idleTimeout,
		ErrorHandler:          s.fail,
	})
	s.app.Server().Logger = quiet{log}
	s.app.Use(s.recover, s.guard)
	s.register()
	return s, nil
}

// Addr is where the server listens: the real port, also where 0 was asked for.
// It is nil before Listen.
func (s *Server) Addr() net.Addr {
	if len(s.listeners) == 0 {
		return nil
	}
	return s.listeners[0].Addr()
}

// Listen takes the addresses. An address in use is a *deployment.Error that
// names who has it. Serve follows.
func (s *Server) Listen(ctx context.Context) error {
	listeners, err := listen(ctx, s.config.Listen)
	if err != nil {
		return err
	}
	s.listeners = listeners
	_, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		return fmt.Errorf("split address %q: %w", s.Addr(), err)
	}
	s.origins = newAllowed(s.config, port)
	return nil
}

// Serve answers requests until Shutdown. It listens first if Listen was not
// called.
func (s *Server) Serve(ctx context.Context) error {
	if s.listeners == nil {
		if err := s.Listen(ctx); err != nil {
			return err
		}
	}
	s.app.Handler() // builds the routes
	errs := make(chan error, len(s.listeners))
	for _, listener := range s.listeners {
		s.serving.Go(func() { errs <- s.app.Server().Serve(listener) })
	}
	s.serving.Wait()
	close(errs)
	var all error
	for err := range errs {
		if err != nil && !errors.Is(err, net.ErrClosed) {
			all = errors.Join(all, fmt.Errorf("serve: %w", err))
		}
	}
	return all
}

// Shutdown stops listening, tells every WebSocket client that the host goes
// away, and waits for them and for the requests that run, as long as ctx lasts.
// A request that waits for a plugin waits no longer.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	var errs []error
	for _, listener := range s.listeners {
		if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, fmt.Errorf("close listener: %w", err))
		}
	}
	if err := s.sockets.close(ctx); err != nil {
		errs = append(errs, fmt.Errorf("close websockets: %w", err))
	}
	if err := s.app.ShutdownWithContext(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
		errs = append(errs, fmt.Errorf("end requests: %w", err))
	}
	s.serving.Wait()
	return errors.Join(errs...)
}

// fail answers a request that ended in an error, and logs what is the host's
// own fault.
func (s *Server) fail(c *fiber.Ctx, err error) error {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError {
		s.log.Error("request failed", "method", c.Method(), "path", c.Path(), "error", err)
	}
	if allow := c.GetRespHeader(fiber.HeaderAllow); p.Status == http.StatusMethodNotAllowed && allow != "" {
		p.Remedy = "it knows " + allow
	}
	if p.Status == http.StatusRequestEntityTooLarge || p.Status == http.StatusRequestHeaderFieldsTooLarge {
		swallow(c.Context().Conn())
	}
	return writeProblem(c, p)
}

// recover turns a panic into an answer.
func (s *Server) recover(c *fiber.Ctx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("request panicked", "method", c.Method(), "path", c.Path(), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			c.Response().Reset()
			err = &deployment.Error{Code: deployment.Internal, Message: "internal error", Remedy: "the host's log has the cause"}
		}
	}()
	return c.Next()
}

// quiet takes what fasthttp would print: connections that broke off.
type quiet struct{ log *slog.Logger }

// Printf logs at debug level.
func (q quiet) Printf(format string, args ...any) {
	q.log.Debug("connection ended", "detail", fmt.Sprintf(format, args...))
}
