package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// A token is "apm_ID.SECRET": a public id and the secret in base64url. The
// prefix makes a leaked one recognisable to scanners.
const (
	prefix      = "apm_"
	idBytes     = 6
	secretBytes = 32
)

// maxNameLength bounds the name of a token.
const maxNameLength = 100

// Create makes a token that is valid for lifetime, 0 for ever, and returns it
// with its secret, which is not kept. A bad wish is a *deployment.Error of code
// Invalid.
func (a *Access) Create(ctx context.Context, name string, role deployment.Role, lifetime time.Duration, actor deployment.Actor) (deployment.Token, string, error) {
	if err := check(name, role, lifetime); err != nil {
		return deployment.Token{}, "", err
	}
	now := a.now().UTC()
	secret := base64.RawURLEncoding.EncodeToString(random(secretBytes))
	token := deployment.Token{
		ID: hex.EncodeToString(random(idBytes)), Name: name, Role: role,
		CreatedAt: now, CreatedBy: actor.String(),
	}
	if lifetime > 0 {
		token.ExpiresAt = now.Add(lifetime)
	}
	hash := sha256.Sum256([]byte(secret))
	audit := deployment.AuditRecord{
		At: now, Actor: actor, Action: "token.create", Object: token.ID,
		Detail: fmt.Sprintf("name %q, role %s", token.Name, token.Role),
	}
	if err := a.store.CreateToken(ctx, token, hash[:], audit); err != nil {
		return deployment.Token{}, "", fmt.Errorf("create token %q: %w", name, err)
	}
	return token, prefix + token.ID + "." + secret, nil
}

// Tokens returns all tokens, without secrets.
func (a *Access) Tokens(ctx context.Context) ([]deployment.Token, error) {
	tokens, err := a.store.Tokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	for i := range tokens {
		a.lastUsed(&tokens[i])
	}
	return tokens, nil
}

// Revoke ends a token at once. An unknown id is a *deployment.Error of code
// NotFound, one that was revoked before stays as it is.
func (a *Access) Revoke(ctx context.Context, id, reason string, actor deployment.Actor) (deployment.Token, error) {
	token, _, err := a.store.Token(ctx, id)
	a.lastUsed(&token)
	switch {
	case errors.Is(err, deployment.ErrNotFound):
		return deployment.Token{}, &deployment.Error{
			Code: deployment.NotFound, Message: fmt.Sprintf("there is no token with the id %q", id),
			Remedy: "apm token list",
		}
	case err != nil:
		return deployment.Token{}, fmt.Errorf("look up token %q: %w", id, err)
	case !token.RevokedAt.IsZero():
		return token, nil
	}
	token.RevokedAt = a.now().UTC()
	audit := deployment.AuditRecord{
		At: token.RevokedAt, Actor: actor, Action: "token.revoke", Object: id,
		Detail: fmt.Sprintf("name %q", token.Name), Reason: reason,
	}
	if err := a.store.RevokeToken(ctx, id, token.RevokedAt, audit); err != nil {
		return deployment.Token{}, fmt.Errorf("revoke token %q: %w", id, err)
	}
	return token, nil
}

// check says what is wrong with a token that is wished for.
func check(name string, role deployment.Role, lifetime time.Duration) error {
	var problems []deployment.Problem
	switch {
	case strings.TrimSpace(name) == "":
		problems = append(problems, deployment.Problem{Field: "name", Message: "a token needs a name", Remedy: "say who or what will use it"})
	case len(name) > maxNameLength:
		problems = append(problems, deployment.Problem{Field: "name", Message: fmt.Sprintf("longer than %d bytes", maxNameLength), Remedy: "shorten it"})
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		problems = append(problems, deployment.Problem{Field: "name", Message: "contains control or invisible characters", Remedy: "leave them out"})
	}
	if !role.Valid() {
		problems = append(problems, deployment.Problem{Field: "role", Message: fmt.Sprintf("%q is no role", role), Remedy: "viewer, deployer or admin"})
	}
	if lifetime < 0 {
		problems = append(problems, deployment.Problem{Field: "expires_hours", Message: "lies in the past"})
	}
	if problems == nil {
		return nil
	}
	return &deployment.Error{Code: deployment.Invalid, Message: "the token cannot be made", Problems: problems}
}

// parse splits a token into its id and its secret.
func parse(token string) (id, secret string, ok bool) {
	rest, ok := strings.CutPrefix(token, prefix)
	if !ok {
		return "", "", false
	}
	id, secret, ok = strings.Cut(rest, ".")
	return id, secret, ok && len(id) == 2*idBytes && secret != "" && len(secret) <= 128
}

// random returns n bytes of the system's generator, which does not fail.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
