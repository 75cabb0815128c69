// Command my-app is a small HTTP server to deploy: it answers with its version,
// says on /healthz that it is well, and stops when it is asked to. It needs
// nothing but $PORT, and passes on $GREETING.
//
// The version is set when it is built:
//
//	go build -ldflags "-X main.version=v2.0.0" -o my-app .
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

var version = "dev"

// stopTime is what requests under way get once the server is asked to stop.
const stopTime = 5 * time.Second

func main() {
	log := slog.New(slog.NewTextHandler(os.Stdout, nil)).With("version", version)
	if err := run(log); err != nil {
		log.Error("my-app ends", "error", err)
		os.Exit(1)
	}
}

func run(log *slog.Logger) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	port := os.Getenv("PORT")
	if port == "" {
		return errors.New("PORT is not set; it says where to listen")
	}
	server := &http.Server{
		Addr:              net.JoinHostPort("127.0.0.1", port),
		Handler:           routes(),
		ReadHeaderTimeout: stopTime,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	log.Info("my-app listens", "address", server.Addr, "pid", os.Getpid())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Info("my-app stops")
	deadline, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	return server.Shutdown(deadline)
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"status": "ok", "version": version})
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{
			"application": "my-app", "version": version, "greeting": os.Getenv("GREETING"), "pid": os.Getpid(), "path": r.URL.Path,
		})
	})
	return mux
}

func answer(w http.ResponseWriter, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // a client that hung up needs no answer
}
