package harness

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
)

// Answer of the host.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Decode reads the body as JSON.
func (a Answer) Decode(h *Host, into any) {
	h.t.Helper()
	if err := json.Unmarshal([]byte(a.Body), into); err != nil {
		h.t.Fatalf("decode answer %d: %v\n%s", a.Status, err, a.Body)
	}
}

// Problem reads the body as problem+json.
func (a Answer) Problem(h *Host) apiv1.Problem {
	h.t.Helper()
	if kind := a.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/problem+json") {
		h.t.Fatalf("answer %d is %q and no problem: %s", a.Status, kind, a.Body)
	}
	var p apiv1.Problem
	a.Decode(h, &p)
	return p
}

// REST sends one request with the admin token, exactly as it stands. Each
// header is "Name: value"; "Authorization:" leaves the token out.
func (h *Host) REST(method, path, body string, headers ...string) Answer {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), method, h.URL()+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+h.Token())
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ":")
		if value = strings.TrimSpace(value); strings.EqualFold(name, "Host") {
			request.Host = value
		} else if value == "" {
			request.Header.Del(name)
		} else {
			request.Header.Set(name, value)
		}
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	return Answer{Status: answer.StatusCode, Header: answer.Header, Body: string(content)}
}

// Token is the host's first admin token.
func (h *Host) Token() string {
	h.t.Helper()
	token, err := client.TokenFromFile(h.Data)
	if err != nil {
		h.t.Fatal(err)
	}
	return token
}
