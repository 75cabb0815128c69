// Package registry is a container registry in memory that can be stopped, can
// refuse, and can move its tags. It listens only where it is told to.
package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// A Registry keeps its images also while it is stopped.
type Registry struct {
	handler http.Handler
	server  *http.Server
	refused map[string]int
	hosts   []string
	port    string
	pulls   int
	mu      sync.Mutex
}

// Start serves an empty registry on one free port of each host; the first one is
// that of its address.
func Start(hosts ...string) (*Registry, error) {
	r := &Registry{
		// Its log lines go nowhere: what is asked and refused is seen at the node.
		handler: registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo))),
		refused: map[string]int{},
		hosts:   hosts,
		port:    "0",
	}
	var err error
	for range 20 { // a port that is free on one host may be taken on the next
		r.port = "0"
		if err = r.Resume(); err == nil {
			return r, nil
		}
	}
	return nil, err
}

// Address is where the registry answers, also a part of the names of its images.
func (r *Registry) Address() string { return net.JoinHostPort(r.hosts[0], r.port) }

// Port is that of Address.
func (r *Registry) Port() string { return r.port }

// Resume lets a stopped registry answer again, on the port it had.
func (r *Registry) Resume() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.server != nil {
		return nil
	}
	var listeners []net.Listener
	for _, host := range r.hosts {
		var config net.ListenConfig
		listener, err := config.Listen(context.Background(), "tcp4", net.JoinHostPort(host, r.port))
		if err != nil {
			for _, l := range listeners {
				_ = l.Close()
			}
			return fmt.Errorf("start a registry: %w", err)
		}
		if _, r.port, err = net.SplitHostPort(listener.Addr().String()); err != nil {
			return err
		}
		listeners = append(listeners, listener)
	}
	r.server = &http.Server{Handler: http.HandlerFunc(r.serve), ReadHeaderTimeout: 10 * time.Second}
	for _, listener := range listeners {
		go func(server *http.Server) { _ = server.Serve(listener) }(r.server)
	}
	return nil
}

// Stop closes the registry's port: connections are refused until Resume.
func (r *Registry) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.server != nil {
		_ = r.server.Close()
		r.server = nil
	}
}

// Refuse lets requests for the images of a repository fail with an HTTP status,
// 401 or 403 for a pull that is denied; 0 takes it back.
func (r *Registry) Refuse(repository string, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused[repository] = status
}

// Pulls counts the manifests that were handed out.
func (r *Registry) Pulls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pulls
}

func (r *Registry) serve(w http.ResponseWriter, request *http.Request) {
	repository, _, found := strings.Cut(strings.TrimPrefix(request.URL.Path, "/v2/"), "/manifests/")
	if !found {
		repository, _, _ = strings.Cut(repository, "/blobs/")
	}
	r.mu.Lock()
	status := r.refused[repository]
	if found && status == 0 && request.Method == http.MethodGet {
		r.pulls++
	}
	r.mu.Unlock()
	if status == 0 {
		r.handler.ServeHTTP(w, request)
		return
	}
	code := "DENIED"
	if status == http.StatusUnauthorized {
		code = "UNAUTHORIZED"
		w.Header().Set("WWW-Authenticate", `Basic realm="testbed"`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"pull of %s is refused by the testbed"}]}`, code, repository)
}

// Push puts an image there under REPOSITORY:TAG and returns its digest. A tag
// that exists moves.
func (r *Registry) Push(image v1.Image, reference string) (digest string, err error) {
	tag, err := name.NewTag(r.Address()+"/"+reference, name.Insecure, name.StrictValidation)
	if err != nil {
		return "", err
	}
	if err := remote.Write(tag, image); err != nil {
		return "", fmt.Errorf("push image %s: %w", reference, err)
	}
	hash, err := image.Digest()
	return hash.String(), err
}

// Remove takes a tag away; its image can still be had by digest.
func (r *Registry) Remove(reference string) error {
	repository, tag, found := strings.Cut(reference, ":")
	if !found {
		return errors.New("remove a tag: REPOSITORY:TAG is needed")
	}
	url := "http://" + r.Address() + "/v2/" + repository + "/manifests/" + tag
	request, err := http.NewRequestWithContext(context.Background(), http.MethodDelete, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("remove %s: the registry answers %s", reference, response.Status)
	}
	return nil
}
