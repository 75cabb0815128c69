// Command server is the application of `apm demo`: a small HTTP server that
// knows its version, leaves gracefully, and, when told so, declares itself
// unhealthy after a while although it still answers.
//
// It is told everything by its environment:
//
//	PORT            port to listen on (loopback)
//	DEMO_VERSION    version that it calls itself
//	DEMO_UNHEALTHY  "v3=5s": version v3 turns its health check bad 5 s after
//	                its first ordinary request
//	DEMO_SICK       file: versions that stand in it answer their health check
//	                badly for as long as they do
//	DEMO_STARTS     file to which it appends "PID VERSION" when it starts
//	DEMO_POSTS      file to which it appends the id of every POST
package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	log := slog.New(slog.NewTextHandler(os.Stdout, nil)).With("version", os.Getenv("DEMO_VERSION"), "pid", os.Getpid())
	if err := run(context.Background(), log); err != nil {
		log.Error("cannot go on", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, log *slog.Logger) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	defer stop()

	app, err := newApp(log, os.Getenv)
	if err != nil {
		return err
	}
	defer app.close()
	port := os.Getenv("PORT")
	if port == "" {
		return errors.New("PORT is not set: it names the port to listen on")
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: app.handler(), ReadHeaderTimeout: 5 * time.Second}
	log.Info("listening", "port", port)

	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	log.Info("finishing the requests under way")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return err
	}
	log.Info("bye")
	return nil
}
