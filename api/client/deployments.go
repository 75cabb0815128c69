package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	v1 "github.com/apm-deploy/apm/api/v1"
)

// at is the path of a deployment, with what comes after it.
func at(id, rest string) string { return "/api/v1/deployments/" + url.PathEscape(id) + rest }

// dryRun asks for the plan only.
func dryRun() url.Values { return url.Values{"dry_run": {"true"}} }

// Start starts a deployment. The same key with the same request answers the same
// deployment; "" makes a new key, so that the repetitions of this call are one
// request.
func (c *Client) Start(ctx context.Context, start v1.StartRequest, key string) (v1.Deployment, error) {
	if key == "" {
		key = NewKey()
	}
	var d v1.Deployment
	_, err := c.do(ctx, request{method: http.MethodPost, path: "/api/v1/deployments", body: start, key: key}, &d)
	return d, err
}

// PlanStart says what Start would do.
func (c *Client) PlanStart(ctx context.Context, start v1.StartRequest) (v1.Plan, error) {
	var p v1.Plan
	_, err := c.do(ctx, request{method: http.MethodPost, path: "/api/v1/deployments", query: dryRun(), body: start, key: NewKey()}, &p)
	return p, err
}

// ListOptions select deployments. Zero values select nothing out.
type ListOptions struct {
	Application, Environment, Platform, Version string
	// Status is one, or several separated by commas.
	Status string
	Limit  int
	Cursor string
}

// List returns a page of deployments, newest first.
func (c *Client) List(ctx context.Context, o ListOptions) (v1.DeploymentList, error) {
	q := url.Values{}
	set(q, "application", o.Application)
	set(q, "environment", o.Environment)
	set(q, "platform", o.Platform)
	set(q, "version", o.Version)
	set(q, "status", o.Status)
	set(q, "cursor", o.Cursor)
	setInt(q, "limit", o.Limit)
	var list v1.DeploymentList
	_, err := c.do(ctx, request{method: http.MethodGet, path: "/api/v1/deployments", query: q}, &list)
	return list, err
}

// Get returns the status of a deployment, by its id or the unique beginning of
// it.
func (c *Client) Get(ctx context.Context, id string) (v1.Deployment, error) {
	var d v1.Deployment
	_, err := c.do(ctx, request{method: http.MethodGet, path: at(id, "")}, &d)
	return d, err
}

// GetIfChanged returns the status of a deployment, or false when nothing has
// happened since the seq.
func (c *Client) GetIfChanged(ctx context.Context, id string, seq uint64) (v1.Deployment, bool, error) {
	var d v1.Deployment
	got, err := c.do(ctx, request{method: http.MethodGet, path: at(id, ""), etag: strconv.Quote(strconv.FormatUint(seq, 10))}, &d)
	return d, err == nil && got.status != http.StatusNotModified, err
}

// Rollback rolls a deployment back. For the key see Start.
func (c *Client) Rollback(ctx context.Context, id string, rollback v1.RollbackRequest, key string) (v1.Deployment, error) {
	if key == "" {
		key = NewKey()
	}
	rollback.DryRun = false
	var d v1.Deployment
	_, err := c.do(ctx, request{method: http.MethodPost, path: at(id, "/rollback"), body: rollback, key: key}, &d)
	return d, err
}

// PlanRollback says what Rollback would do.
func (c *Client) PlanRollback(ctx context.Context, id string, rollback v1.RollbackRequest) (v1.Plan, error) {
	rollback.DryRun = true
	var p v1.Plan
	_, err := c.do(ctx, request{method: http.MethodPost, path: at(id, "/rollback"), body: rollback, key: NewKey()}, &p)
	return p, err
}

// RollbackCandidates returns the versions to roll back to, newest first.
func (c *Client) RollbackCandidates(ctx context.Context, id string) (v1.RollbackCandidateList, error) {
	var list v1.RollbackCandidateList
	_, err := c.do(ctx, request{method: http.MethodGet, path: at(id, "/rollback-candidates")}, &list)
	return list, err
}

// Cancel cancels a deployment. For the key see Start.
func (c *Client) Cancel(ctx context.Context, id, reason, key string) (v1.Deployment, error) {
	if key == "" {
		key = NewKey()
	}
	var d v1.Deployment
	_, err := c.do(ctx, request{method: http.MethodPost, path: at(id, "/cancel"), body: v1.CancelRequest{Reason: reason}, key: key}, &d)
	return d, err
}

// Events returns a page of events after a seq, oldest first. Limit 0 is the
// host's default.
func (c *Client) Events(ctx context.Context, id string, after uint64, limit int) (v1.EventList, error) {
	q := url.Values{"after": {strconv.FormatUint(after, 10)}}
	setInt(q, "limit", limit)
	var list v1.EventList
	_, err := c.do(ctx, request{method: http.MethodGet, path: at(id, "/events"), query: q}, &list)
	return list, err
}

// Timeline returns the runs as spans.
func (c *Client) Timeline(ctx context.Context, id string) (v1.Timeline, error) {
	var t v1.Timeline
	_, err := c.do(ctx, request{method: http.MethodGet, path: at(id, "/timeline")}, &t)
	return t, err
}

// Runs returns the runs, oldest first.
func (c *Client) Runs(ctx context.Context, id string) (v1.RunList, error) {
	var list v1.RunList
	_, err := c.do(ctx, request{method: http.MethodGet, path: at(id, "/runs")}, &list)
	return list, err
}

// Releases returns what was deployed; against another deployment, with diffs.
func (c *Client) Releases(ctx context.Context, id, against string) (v1.ContentList, error) {
	return c.contents(ctx, id, "/releases", against)
}

// Snapshots returns the snapshots; against another deployment, with diffs.
func (c *Client) Snapshots(ctx context.Context, id, against string) (v1.ContentList, error) {
	return c.contents(ctx, id, "/snapshots", against)
}

// contents returns releases or snapshots.
func (c *Client) contents(ctx context.Context, id, which, against string) (v1.ContentList, error) {
	q := url.Values{}
	set(q, "against", against)
	var list v1.ContentList
	_, err := c.do(ctx, request{method: http.MethodGet, path: at(id, which), query: q}, &list)
	return list, err
}

// Evidence returns the evidence of failures, oldest first. It needs a token.
func (c *Client) Evidence(ctx context.Context, id string) (v1.EvidenceList, error) {
	var list v1.EvidenceList
	_, err := c.do(ctx, request{method: http.MethodGet, path: at(id, "/evidence")}, &list)
	return list, err
}

// LogOptions select log lines. Zero values select nothing out.
type LogOptions struct {
	Component, Resource string
	Tail                int
	Since               time.Time
	Previous            bool
}

// Logs returns log lines, oldest first. It needs a token.
func (c *Client) Logs(ctx context.Context, id string, o LogOptions) (v1.LogList, error) {
	q := url.Values{}
	set(q, "component", o.Component)
	set(q, "resource", o.Resource)
	setInt(q, "tail", o.Tail)
	if !o.Since.IsZero() {
		q.Set("since", o.Since.UTC().Format(time.RFC3339Nano))
	}
	if o.Previous {
		q.Set("previous", "true")
	}
	var list v1.LogList
	_, err := c.do(ctx, request{method: http.MethodGet, path: at(id, "/logs"), query: q}, &list)
	return list, err
}

// set sets a parameter that is given.
func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

// setInt sets a parameter that is given.
func setInt(q url.Values, name string, value int) {
	if value != 0 {
		q.Set(name, strconv.Itoa(value))
	}
}
