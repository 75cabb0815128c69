//go:build linux

package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// An api asks the API server of a node as its administrator.
type api struct {
	client *http.Client
	base   string
}

func newAPI(dir, address string) (*api, error) {
	authority, err := os.ReadFile(filepath.Join(dir, "pki", "ca.pem"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, errors.New("read ca.pem: it has no certificate")
	}
	own, err := tls.LoadX509KeyPair(filepath.Join(dir, "pki", "admin.pem"), filepath.Join(dir, "pki", "admin-key.pem"))
	if err != nil {
		return nil, err
	}
	settings := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
	return &api{
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: settings}, Timeout: 5 * time.Second},
		base:   "https://" + address,
	}, nil
}

func (a *api) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path, nil)
	if err != nil {
		return err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %.200s", path, response.Status, body)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}

// ready asks whether the API server answers.
func (a *api) ready(ctx context.Context) error { return a.get(ctx, "/readyz", nil) }

// nodeReady asks whether pods can be started: the node says so, and the account
// that pods run under by default exists.
func (a *api) nodeReady(ctx context.Context) error {
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := a.get(ctx, "/api/v1/nodes/"+Name, &node); err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type != "Ready" {
			continue
		}
		if condition.Status != "True" {
			return errors.New("the node is not ready: " + condition.Message)
		}
		return a.get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", nil)
	}
	return errors.New("the node has not said that it is ready")
}

// eventually repeats a question until it has no error, or until the context ends
// or the patience does: then the last error is the reason.
func eventually(ctx context.Context, patience time.Duration, what string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	last := errors.New("it was not asked")
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s within %s: %w", what, patience, last)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
