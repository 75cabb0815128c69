package demo

import (
	"encoding/json"
	"time"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Result is the demo's document.
type Result struct {
	Deployments []Deployment `json:"deployments"`
	Posts       Posts        `json:"posts"`
}

// Deployment is how one of them went.
type Deployment struct {
	ID      string        `json:"id"`
	Version string        `json:"version"`
	Status  string        `json:"status"`
	Reason  string        `json:"reason"`
	Stages  []Stage       `json:"stages"`
	Events  []apiv1.Event `json:"events"`
	Client  Client        `json:"client"`
}

// Stage of a deployment.
type Stage struct {
	Name      string     `json:"name"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at"`
}

// Client is what the client that never retries counted meanwhile.
type Client struct {
	Requests int `json:"requests"`
	Failures int `json:"failures"`
}

// Posts is whether every POST reached the application exactly once.
type Posts struct {
	Sent     int `json:"sent"`
	Lost     int `json:"lost"`
	Repeated int `json:"repeated"`
}

func newResult() Result { return Result{Deployments: []Deployment{}} }

func (r *Result) add(d apiv1.Deployment, events []apiv1.Event, c counts) {
	one := Deployment{
		ID: d.ID, Version: d.Version, Status: d.Status, Reason: d.Reason,
		Stages: []Stage{}, Events: events, Client: Client{Requests: c.Requests, Failures: c.Failures},
	}
	for _, stage := range d.Stages {
		one.Stages = append(one.Stages, Stage{Name: stage.Name, StartedAt: stage.StartedAt, EndedAt: stage.EndedAt})
	}
	r.Deployments = append(r.Deployments, one)
}

// Good says whether everything went as promised: completed, completed, rolled
// back, no request failed, and every POST arrived exactly once.
func (r *Result) Good() bool {
	if len(r.Deployments) != len(acts) || r.Posts.Lost > 0 || r.Posts.Repeated > 0 || r.Posts.Sent == 0 {
		return false
	}
	for i, d := range r.Deployments {
		if d.Status != string(acts[i].ends) || d.Client.Failures > 0 {
			return false
		}
	}
	return true
}

func isVerifying(e apiv1.Event) bool {
	var p deployment.StatusPayload
	return json.Unmarshal(e.Data, &p) == nil && p.Status == deployment.Verifying
}
