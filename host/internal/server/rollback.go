package server

import (
	"context"
	"net/http"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// registerRollback registers rollback, its candidates, and cancel.
func (s *Server) registerRollback() {
	errors := []int{http.StatusNotFound, http.StatusConflict, http.StatusUnsupportedMediaType}
	add(s, operation{
		method: http.MethodPost, path: "/api/v1/deployments/{id}/rollback", id: "rollback-deployment", tag: "deployments",
		summary:     "Roll a deployment back",
		description: "Of the current deployment only; for another one 409 names it. While the deployment runs it is cancelled, and what it changed is restored.",
		status:      http.StatusAccepted, responses: s.acceptedResponses(), errors: errors,
	}, s.rollback)
	add(s, operation{
		method: http.MethodPost, path: "/api/v1/deployments/{id}/cancel", id: "cancel-deployment", tag: "deployments",
		summary:     "Cancel a deployment",
		description: "Before anything was changed it ends cancelled; after that what it changed is restored.",
		status:      http.StatusAccepted, errors: errors,
	}, s.cancel)
	add(s, operation{
		method: http.MethodGet, path: "/api/v1/deployments/{id}/rollback-candidates", id: "list-rollback-candidates", tag: "deployments",
		summary: "List the versions to roll back to", description: "The default first, then newest first.",
		errors: []int{http.StatusNotFound, http.StatusConflict},
	}, s.candidates)
}

// rollbackInput is a request to roll back.
type rollbackInput struct {
	DeploymentPath
	Key    string `header:"Idempotency-Key" maxLength:"255" pattern:"^[!-~]+$" doc:"Makes the request repeatable: the same key with the same body asks once, and answers the deployment as it is. Bound to the token."`
	DryRun bool   `query:"dry_run" doc:"The same as dry_run in the body."`
	Body   *v1.RollbackRequest
}

// rollback rolls back, or says what it would do.
func (s *Server) rollback(ctx context.Context, in *rollbackInput) (*acceptedOutput, error) {
	d, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	request := v1.RollbackRequest{}
	if in.Body != nil {
		request = *in.Body
	}
	if in.DryRun || request.DryRun {
		plan, err := s.parts.Engine.PlanRollback(ctx, d.ID, request.TargetVersion)
		if err != nil {
			return nil, err
		}
		return &acceptedOutput{Status: http.StatusOK, Body: planOf(plan)}, nil
	}
	who := callerOf(ctx)
	key, err := keyOf(who, in.Key, "rollback "+d.ID, request)
	if err != nil {
		return nil, err
	}
	wish := deployment.RollbackWish{
		Reason: oneLine(request.Reason), TargetVersion: request.TargetVersion, Planned: plannedFrom(request.Planned), Key: key,
	}
	d, err = s.parts.Engine.Rollback(ctx, d.ID, wish, who.Actor)
	if err != nil {
		return nil, err
	}
	return s.accepted(ctx, d)
}

// cancelInput is a request to cancel.
type cancelInput struct {
	DeploymentPath
	Key  string `header:"Idempotency-Key" maxLength:"255" pattern:"^[!-~]+$" doc:"Makes the request repeatable. Bound to the token."`
	Body *v1.CancelRequest
}

// cancelledOutput is a deployment whose cancellation was accepted.
type cancelledOutput struct {
	Location string `header:"Location" doc:"Path of the deployment."`
	Body     v1.Deployment
}

// cancel cancels.
func (s *Server) cancel(ctx context.Context, in *cancelInput) (*cancelledOutput, error) {
	d, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	request := v1.CancelRequest{}
	if in.Body != nil {
		request = *in.Body
	}
	who := callerOf(ctx)
	key, err := keyOf(who, in.Key, "cancel "+d.ID, request)
	if err != nil {
		return nil, err
	}
	d, err = s.parts.Engine.Cancel(ctx, d.ID, oneLine(request.Reason), who.Actor, key)
	if err != nil {
		return nil, err
	}
	body, err := s.status(ctx, d)
	if err != nil {
		s.log.WarnContext(ctx, "status incomplete", "deployment", d.ID, "error", err)
		body = statusOf(d, around{Now: s.config.Now()})
	}
	return &cancelledOutput{Location: "/api/v1/deployments/" + d.ID, Body: body}, nil
}

// candidatesOutput are versions to roll back to.
type candidatesOutput struct{ Body v1.RollbackCandidateList }

// candidates lists the versions to roll back to.
func (s *Server) candidates(ctx context.Context, in *DeploymentPath) (*candidatesOutput, error) {
	d, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	list, err := s.parts.Engine.RollbackCandidates(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	out := &candidatesOutput{Body: v1.RollbackCandidateList{Candidates: make([]v1.RollbackCandidate, 0, len(list))}}
	for _, c := range list {
		out.Body.Candidates = append(out.Body.Candidates, v1.RollbackCandidate{
			Version: c.Version, DeploymentID: c.ID, CompletedAt: completedAt(c), Default: c.ID == d.Previous,
		})
	}
	return out, nil
}
