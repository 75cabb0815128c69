package server

import (
	"context"
	"net/http"
	"os"
	"time"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// registerAccess registers tokens and audit.
func (s *Server) registerAccess() {
	add(s, operation{
		method: http.MethodGet, path: "/api/v1/audit", id: "list-audit", tag: "access",
		summary: "List the audit trail", description: "Newest first: who changed what.",
	}, s.audit)
	add(s, operation{
		method: http.MethodGet, path: "/api/v1/tokens", id: "list-tokens", tag: "access",
		summary: "List tokens", description: "Without their secrets, which are not kept.",
	}, s.tokens)
	add(s, operation{
		method: http.MethodPost, path: "/api/v1/tokens", id: "create-token", tag: "access",
		summary: "Create a token", description: "The secret is in this answer and nowhere else.",
		status: http.StatusCreated, errors: []int{http.StatusUnsupportedMediaType},
	}, s.createToken)
	add(s, operation{
		method: http.MethodDelete, path: "/api/v1/tokens/{id}", id: "revoke-token", tag: "access",
		summary: "Revoke a token", description: "At once.", errors: []int{http.StatusNotFound},
	}, s.revokeToken)
}

// auditInput selects a page.
type auditInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many."`
	Cursor string `query:"cursor" doc:"The member next of the page before."`
}

// auditOutput is a page of records.
type auditOutput struct{ Body v1.AuditList }

// audit lists who changed what.
func (s *Server) audit(ctx context.Context, in *auditInput) (*auditOutput, error) {
	records, next, err := s.parts.Store.Audit(ctx, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &auditOutput{Body: v1.AuditList{Records: make([]v1.AuditRecord, 0, len(records)), Next: next}}
	for _, r := range records {
		out.Body.Records = append(out.Body.Records, auditOf(r))
	}
	return out, nil
}

// tokensOutput are all tokens.
type tokensOutput struct{ Body v1.TokenList }

// tokens lists all tokens.
func (s *Server) tokens(ctx context.Context, _ *struct{}) (*tokensOutput, error) {
	tokens, err := s.parts.Tokens.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	out := &tokensOutput{Body: v1.TokenList{Tokens: make([]v1.Token, 0, len(tokens))}}
	for _, t := range tokens {
		out.Body.Tokens = append(out.Body.Tokens, tokenOf(t))
	}
	return out, nil
}

// createTokenInput is a request for a token.
type createTokenInput struct{ Body v1.TokenRequest }

// createTokenOutput is a token with its secret.
type createTokenOutput struct{ Body v1.NewToken }

// createToken makes a token.
func (s *Server) createToken(ctx context.Context, in *createTokenInput) (*createTokenOutput, error) {
	const longest = 24 * 366 * 100 // hours
	if in.Body.ExpiresHours > longest {
		return nil, newProblem(http.StatusUnprocessableEntity, "body.expires_hours is beyond a hundred years", "leave it out for a token that never expires",
			v1.ProblemItem{Location: "body.expires_hours", Message: "too large"})
	}
	lifetime := time.Duration(in.Body.ExpiresHours) * time.Hour
	token, secret, err := s.parts.Tokens.Create(ctx, in.Body.Name, deployment.Role(in.Body.Role), lifetime, callerOf(ctx).Actor)
	if err != nil {
		return nil, err
	}
	return &createTokenOutput{Body: v1.NewToken{Token: tokenOf(token), Secret: secret}}, nil
}

// tokenInput names a token.
type tokenInput struct {
	ID     string `path:"id" maxLength:"64" doc:"Id of the token, not its secret."`
	Reason string `query:"reason" maxLength:"1000" doc:"Why; recorded."`
}

// tokenOutput is a token.
type tokenOutput struct{ Body v1.Token }

// revokeToken ends a token.
func (s *Server) revokeToken(ctx context.Context, in *tokenInput) (*tokenOutput, error) {
	id, err := unescape("id", in.ID)
	if err != nil {
		return nil, err
	}
	token, err := s.parts.Tokens.Revoke(ctx, id, in.Reason, callerOf(ctx).Actor)
	if err != nil {
		return nil, err
	}
	return &tokenOutput{Body: tokenOf(token)}, nil
}

// healthOutput is the host's health.
type healthOutput struct {
	Status int
	Body   v1.Health
}

// healthTime is how long the store may take to say that it is there.
const healthTime = 2 * time.Second

// health says whether the host can do its work.
func (s *Server) health(ctx context.Context, _ *struct{}) (*healthOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	out := &healthOutput{Status: http.StatusOK, Body: v1.Health{
		Status: "ok", Version: s.config.Version, Host: s.config.HostName, PID: os.Getpid(),
		Installation: s.parts.Store.InstallationID(),
	}}
	if err := s.parts.Store.Health(ctx); err != nil {
		s.log.WarnContext(ctx, "store unhealthy", "error", err)
		out.Status, out.Body.Status = http.StatusServiceUnavailable, "unavailable"
	}
	return out, nil
}
