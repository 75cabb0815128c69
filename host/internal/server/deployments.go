package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// typeOf returns the type T.
func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// startInput is a request to start a deployment.
type startInput struct {
	Key    string `header:"Idempotency-Key" maxLength:"255" pattern:"^[!-~]+$" doc:"Makes the request repeatable: the same key with the same body answers the first deployment. Bound to the token."`
	DryRun bool   `query:"dry_run" doc:"Answer the plan (200) and change nothing."`
	Body   v1.StartRequest
}

// acceptedOutput is a deployment that was accepted, or a plan.
type acceptedOutput struct {
	Status   int
	Location string `header:"Location" doc:"Path of the deployment."`
	Body     any
}

// acceptedResponses documents acceptedOutput.
func (s *Server) acceptedResponses() map[string]*huma.Response {
	return map[string]*huma.Response{
		"200": answer[v1.Plan](s, http.StatusOK, "The plan; nothing was changed."),
		"202": answer[v1.Deployment](s, http.StatusAccepted, "Accepted; follow it at the Location or by WebSocket."),
	}
}

// registerDeployments registers start, list and get.
func (s *Server) registerDeployments() {
	add(s, operation{
		method: http.MethodPost, path: "/api/v1/deployments", id: "start-deployment", tag: "deployments",
		summary:     "Start a deployment",
		description: "Everything that can be checked is checked before 202. A platform that is not ready is 503.",
		status:      http.StatusAccepted, responses: s.acceptedResponses(),
		errors: []int{http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType},
	}, s.start)
	add(s, operation{
		method: http.MethodGet, path: "/api/v1/deployments", id: "list-deployments", tag: "deployments",
		summary: "List deployments", description: "Newest first. The cursor of the next page stands in the answer.",
	}, s.list)
	add(s, operation{
		method: http.MethodGet, path: "/api/v1/deployments/{id}", id: "get-deployment", tag: "deployments",
		summary:     "Get the status of a deployment",
		description: "The ETag is the seq of the last event.",
		responses: map[string]*huma.Response{
			"304": {Description: "Nothing has happened since If-None-Match."},
		},
		errors: []int{http.StatusNotFound, http.StatusConflict},
	}, s.get)
}

// start starts a deployment, or says what it would do.
func (s *Server) start(ctx context.Context, in *startInput) (*acceptedOutput, error) {
	request := deployment.Request{
		Name: in.Body.Name, Version: in.Body.Version, Platform: in.Body.Platform, Environment: in.Body.Environment,
		Configuration: in.Body.Configuration, HealthChecks: in.Body.HealthChecks, Policy: in.Body.Policy,
		Reason: oneLine(in.Body.Reason),
	}
	if in.DryRun {
		plan, err := s.parts.Engine.PlanStart(ctx, request)
		if err != nil {
			return nil, err
		}
		return &acceptedOutput{Status: http.StatusOK, Body: planOf(plan)}, nil
	}
	who := callerOf(ctx)
	key, err := keyOf(who, in.Key, "start", in.Body)
	if err != nil {
		return nil, err
	}
	d, err := s.parts.Engine.Start(ctx, request, plannedFrom(in.Body.Planned), who.Actor, key)
	if err != nil {
		return nil, err
	}
	return s.accepted(ctx, d)
}

// accepted answers 202 with the deployment.
func (s *Server) accepted(ctx context.Context, d *deployment.Deployment) (*acceptedOutput, error) {
	body, err := s.status(ctx, d)
	if err != nil {
		// It was accepted, and that is what the answer has to say.
		s.log.WarnContext(ctx, "status incomplete", "deployment", d.ID, "error", err)
		body = statusOf(d, around{Now: s.config.Now()})
	}
	return &acceptedOutput{Status: http.StatusAccepted, Location: "/api/v1/deployments/" + d.ID, Body: body}, nil
}

// keyOf binds an idempotency key to its principal and to what is asked for.
func keyOf(who caller, key, action string, body any) (*deployment.IdempotencyKey, error) {
	if key == "" {
		return nil, nil
	}
	content, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, content); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append([]byte(action+"\n"), compact.Bytes()...))
	return &deployment.IdempotencyKey{Principal: who.Principal, Key: key, Digest: hex.EncodeToString(sum[:])}, nil
}

// listInput selects deployments.
type listInput struct {
	Platform    string `query:"platform" doc:"On this platform."`
	Status      string `query:"status" doc:"One status, or several separated by commas." example:"completed"`
	Application string `query:"application" doc:"Of this application."`
	Name        string `query:"name" doc:"The same as application."`
	Environment string `query:"environment" doc:"In this environment."`
	Version     string `query:"version" doc:"Of this version."`
	Limit       int    `query:"limit" minimum:"1" maximum:"200" default:"20" doc:"How many."`
	Cursor      string `query:"cursor" doc:"The member next of the page before."`
}

// listOutput is a page of deployments.
type listOutput struct{ Body v1.DeploymentList }

// list lists deployments.
func (s *Server) list(ctx context.Context, in *listInput) (*listOutput, error) {
	filter := deployment.Filter{
		Application: in.Application, Environment: in.Environment, Platform: in.Platform,
		Version: in.Version, Cursor: in.Cursor, Limit: in.Limit,
	}
	switch {
	case filter.Application == "":
		filter.Application = in.Name
	case in.Name != "" && in.Name != in.Application:
		return nil, newProblem(http.StatusUnprocessableEntity, "query.name and query.application differ", "give one of them")
	}
	statuses, err := statusesOf(in.Status)
	if err != nil {
		return nil, err
	}
	filter.Status = statuses
	page, err := s.parts.Store.List(ctx, filter)
	if err != nil {
		return nil, err
	}
	out := &listOutput{Body: v1.DeploymentList{Deployments: make([]v1.Deployment, 0, len(page.Deployments)), Next: page.Next}}
	targets := newTargets(s.parts.Store)
	for _, d := range page.Deployments {
		body, err := s.statusWith(ctx, d, targets)
		if err != nil {
			return nil, err
		}
		out.Body.Deployments = append(out.Body.Deployments, body)
	}
	return out, nil
}

// statusesOf reads a list of statuses.
func statusesOf(text string) ([]deployment.Status, error) {
	if text == "" {
		return nil, nil
	}
	known := make([]string, 0, len(deployment.Statuses()))
	for _, status := range deployment.Statuses() {
		known = append(known, string(status))
	}
	var statuses []deployment.Status
	for name := range strings.SplitSeq(text, ",") {
		if !contains(known, name) {
			remedy := "known are " + strings.Join(known, ", ")
			if best := nearest(name, known); best != "" {
				remedy = "did you mean " + best + "?"
			}
			return nil, newProblem(http.StatusUnprocessableEntity, fmt.Sprintf("the request is not valid: query.status: there is no status %q", name), "",
				v1.ProblemItem{Location: "query.status", Message: fmt.Sprintf("there is no status %q", name), Remedy: remedy, Value: name})
		}
		statuses = append(statuses, deployment.Status(name))
	}
	return statuses, nil
}

// getInput names a deployment, and what is known of it.
type getInput struct {
	DeploymentPath
	IfNoneMatch string `header:"If-None-Match" doc:"An ETag of before."`
}

// getOutput is the status of a deployment.
type getOutput struct {
	Status int
	ETag   string `header:"ETag" doc:"The seq of the last event, in quotes."`
	Body   v1.Deployment
}

// get returns the status of a deployment.
func (s *Server) get(ctx context.Context, in *getInput) (*getOutput, error) {
	d, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	targets := newTargets(s.parts.Store)
	asked, err := targets.asked(ctx, d)
	if err != nil {
		return nil, err
	}
	out := &getOutput{Status: http.StatusOK, ETag: `"` + strconv.FormatUint(d.Seq, 10) + `"`}
	for tag := range strings.SplitSeq(in.IfNoneMatch, ",") {
		if strings.TrimPrefix(strings.TrimSpace(tag), "W/") == out.ETag && asked == d {
			out.Status = http.StatusNotModified
			return out, nil
		}
	}
	out.Body, err = s.statusWith(ctx, asked, targets)
	return out, err
}
