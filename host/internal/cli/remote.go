package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	apiv1 "github.com/apm-deploy/apm/api/v1"
)

// answerError is a problem that the host answered.
type answerError struct{ apiv1.Problem }

// Error returns what was wrong.
func (e *answerError) Error() string { return first(e.Detail, e.Title) }

// answered returns the problem that the host answered, nil if err is none.
func answered(err error) *apiv1.Problem {
	var answer *answerError
	if errors.As(err, &answer) {
		return &answer.Problem
	}
	return nil
}

// remote is the host on the other side.
type remote struct {
	session *session
	door    door
	http    *http.Client
}

// connect finds the host. Whether it answers is seen at the first call.
func (s *session) connect() (*remote, error) {
	door, err := s.door()
	if err != nil {
		return nil, err
	}
	return &remote{session: s, door: door, http: &http.Client{}}, nil
}

func (r *remote) call(ctx context.Context, method, path string, query url.Values, header http.Header, body, out any) error {
	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(data)
	}
	target := strings.TrimRight(r.door.url, "/") + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, target, reader)
	if err != nil {
		return err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if r.door.token != "" {
		request.Header.Set("Authorization", "Bearer "+r.door.token)
	}
	response, err := r.http.Do(request)
	if err != nil {
		return r.unreachable(err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		problem := &answerError{}
		if err := json.NewDecoder(response.Body).Decode(&problem.Problem); err != nil {
			return fmt.Errorf("%s answers %s", target, response.Status)
		}
		return problem
	}
	return json.NewDecoder(response.Body).Decode(out)
}

func get[T any](ctx context.Context, r *remote, path string, query url.Values) (T, error) {
	var out T
	err := r.call(ctx, http.MethodGet, "/api/v1/"+path, query, nil, nil, &out)
	return out, err
}

func send[T any](ctx context.Context, r *remote, method, path string, query url.Values, key string, body any) (T, error) {
	var out T
	header := http.Header{}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	err := r.call(ctx, method, "/api/v1/"+path, query, header, body, &out)
	return out, err
}

func one(id string) string { return "deployments/" + url.PathEscape(id) }

var dryRun = url.Values{"dry_run": {"true"}}

// Start starts a deployment.
func (r *remote) Start(ctx context.Context, request apiv1.StartRequest, key string) (apiv1.Deployment, error) {
	return send[apiv1.Deployment](ctx, r, http.MethodPost, "deployments", nil, key, request)
}

// PlanStart says what it would do.
func (r *remote) PlanStart(ctx context.Context, request apiv1.StartRequest) (apiv1.Plan, error) {
	return send[apiv1.Plan](ctx, r, http.MethodPost, "deployments", dryRun, "", request)
}

// Get returns the status.
func (r *remote) Get(ctx context.Context, id string) (apiv1.Deployment, error) {
	return get[apiv1.Deployment](ctx, r, one(id), nil)
}

// List returns a page.
func (r *remote) List(ctx context.Context, q listQuery, cursor string, limit int) (apiv1.DeploymentList, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	for name, value := range map[string]string{
		"name": q.name, "version": q.version, "platform": q.platform, "environment": q.environment,
		"status": strings.Join(q.status, ","), "cursor": cursor,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return get[apiv1.DeploymentList](ctx, r, "deployments", query)
}

// Rollback rolls back.
func (r *remote) Rollback(ctx context.Context, id string, request apiv1.RollbackRequest) (apiv1.Deployment, error) {
	return send[apiv1.Deployment](ctx, r, http.MethodPost, one(id)+"/rollback", nil, "", request)
}

// PlanRollback says what it would do.
func (r *remote) PlanRollback(ctx context.Context, id string, request apiv1.RollbackRequest) (apiv1.Plan, error) {
	request.DryRun = true
	return send[apiv1.Plan](ctx, r, http.MethodPost, one(id)+"/rollback", nil, "", request)
}

// Cancel cancels.
func (r *remote) Cancel(ctx context.Context, id, reason string) (apiv1.Deployment, error) {
	return send[apiv1.Deployment](ctx, r, http.MethodPost, one(id)+"/cancel", nil, "", apiv1.CancelRequest{Reason: reason})
}

func targetPath(application, environment string) string {
	return "targets/" + url.PathEscape(application) + "/" + url.PathEscape(environment)
}

// Remove removes what runs on a target.
func (r *remote) Remove(ctx context.Context, application, environment string, request apiv1.RemoveRequest, key string) (apiv1.Deployment, error) {
	return send[apiv1.Deployment](ctx, r, http.MethodDelete, targetPath(application, environment), nil, key, request)
}

// PlanRemove says what it would do.
func (r *remote) PlanRemove(ctx context.Context, application, environment string) (apiv1.Plan, error) {
	return send[apiv1.Plan](ctx, r, http.MethodDelete, targetPath(application, environment), dryRun, "", nil)
}

// Targets lists what runs where.
func (r *remote) Targets(ctx context.Context) (apiv1.TargetList, error) {
	return get[apiv1.TargetList](ctx, r, "targets", nil)
}

// Runs lists the runs.
func (r *remote) Runs(ctx context.Context, id string) (apiv1.RunList, error) {
	return get[apiv1.RunList](ctx, r, one(id)+"/runs", nil)
}

// Timeline returns the runs as spans.
func (r *remote) Timeline(ctx context.Context, id string) (apiv1.Timeline, error) {
	return get[apiv1.Timeline](ctx, r, one(id)+"/timeline", nil)
}

// Evidence lists the evidence.
func (r *remote) Evidence(ctx context.Context, id string) (apiv1.EvidenceList, error) {
	return get[apiv1.EvidenceList](ctx, r, one(id)+"/evidence", nil)
}

// Events returns all rows.
func (r *remote) Events(ctx context.Context, id string) ([]apiv1.Event, error) {
	events := []apiv1.Event{}
	for after := uint64(0); ; {
		page, err := get[apiv1.EventList](ctx, r, one(id)+"/events", url.Values{"after": {strconv.FormatUint(after, 10)}})
		if err != nil {
			return nil, err
		}
		events = append(events, page.Events...)
		if page.Next == 0 {
			return events, nil
		}
		after = page.Next
	}
}

// Plugins lists the platforms.
func (r *remote) Plugins(ctx context.Context) (apiv1.PluginList, error) {
	return get[apiv1.PluginList](ctx, r, "plugins", nil)
}

// Plugin returns one platform with its schemas.
func (r *remote) Plugin(ctx context.Context, name string) (apiv1.Plugin, error) {
	return get[apiv1.Plugin](ctx, r, "plugins/"+url.PathEscape(name), nil)
}

// Audit returns a page of the audit trail.
func (r *remote) Audit(ctx context.Context, cursor string, limit int) (apiv1.AuditList, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return get[apiv1.AuditList](ctx, r, "audit", query)
}

// Tokens lists tokens.
func (r *remote) Tokens(ctx context.Context) (apiv1.TokenList, error) {
	return get[apiv1.TokenList](ctx, r, "tokens", nil)
}

// CreateToken makes a token.
func (r *remote) CreateToken(ctx context.Context, request apiv1.TokenRequest) (apiv1.NewToken, error) {
	return send[apiv1.NewToken](ctx, r, http.MethodPost, "tokens", nil, "", request)
}

// RevokeToken ends a token.
func (r *remote) RevokeToken(ctx context.Context, id, reason string) (apiv1.Token, error) {
	query := url.Values{}
	if reason != "" {
		query.Set("reason", reason)
	}
	return send[apiv1.Token](ctx, r, http.MethodDelete, "tokens/"+url.PathEscape(id), query, "", nil)
}

// Health asks the host itself.
func (r *remote) Health(ctx context.Context) (apiv1.Health, error) {
	var health apiv1.Health
	err := r.call(ctx, http.MethodGet, "/healthz", nil, nil, nil, &health)
	return health, err
}

// Watch hands on events until yield ends it.
func (r *remote) Watch(ctx context.Context, id string, yield func(apiv1.Event) error) error {
	d, err := r.Get(ctx, id)
	if err != nil {
		return err
	}
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if err := yield(apiv1.Event{Type: "snapshot", DeploymentID: d.ID, Seq: d.Seq, Time: d.UpdatedAt, Data: data}); err != nil {
		return err
	}
	after := d.Seq
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		page, err := get[apiv1.EventList](ctx, r, one(d.ID)+"/events", url.Values{"after": {strconv.FormatUint(after, 10)}})
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			after = e.Seq
			if err := yield(e); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// Logs hands on log lines.
func (r *remote) Logs(ctx context.Context, id string, q logQuery, yield func(apiv1.LogLine) error) error {
	query := url.Values{}
	if q.component != "" {
		query.Set("component", q.component)
	}
	list, err := get[apiv1.LogList](ctx, r, one(id)+"/logs", query)
	if err != nil {
		return err
	}
	for _, line := range list.Lines {
		if err := yield(line); err != nil {
			return err
		}
	}
	return nil
}
