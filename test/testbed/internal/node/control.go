//go:build linux

package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// A Verb is what can be done to a component of a running node.
type Verb string

// The verbs.
const (
	// Start starts a component that was stopped or killed.
	Start Verb = "start"
	// Stop ends it in good order (SIGTERM) and keeps it down.
	Stop Verb = "stop"
	// Kill ends it at once (SIGKILL) and keeps it down.
	Kill Verb = "kill"
	// Freeze stops it where it is (SIGSTOP): connections stay open, nothing answers.
	Freeze Verb = "freeze"
	// Thaw lets it go on.
	Thaw Verb = "thaw"
)

// control listens for verbs on a socket that only root can open.
func (u *units) control(path string) error {
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(u.running())
	})
	mux.HandleFunc("POST /{verb}/{name}", func(w http.ResponseWriter, request *http.Request) {
		err := u.do(Verb(request.PathValue("verb")), request.PathValue("name"))
		switch {
		case errors.Is(err, errUnit):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	return nil
}

func (u *units) do(verb Verb, name string) error {
	switch verb {
	case Start:
		return u.start(name)
	case Stop:
		return u.stop(name, syscall.SIGTERM)
	case Kill:
		return u.stop(name, syscall.SIGKILL)
	case Freeze:
		return u.signal(name, syscall.SIGSTOP)
	case Thaw:
		return u.signal(name, syscall.SIGCONT)
	}
	return fmt.Errorf("unknown verb %q", verb)
}

// Control does something to a component of the node of a directory, and returns
// when it is done.
func Control(ctx context.Context, dir string, verb Verb, name string) error {
	_, err := ask(ctx, dir, http.MethodPost, "/"+string(verb)+"/"+name)
	return err
}

// Components says which components of the node of a directory run.
func Components(ctx context.Context, dir string) (map[string]bool, error) {
	body, err := ask(ctx, dir, http.MethodGet, "/")
	if err != nil {
		return nil, err
	}
	all := map[string]bool{}
	return all, json.Unmarshal(body, &all)
}

func ask(ctx context.Context, dir, method, path string) ([]byte, error) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", socket(dir))
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, method, "http://node"+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(body)))
	}
	return body, err
}
