package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// How to get a token, as a remedy.
const tokenRemedy = `send "Authorization: Bearer TOKEN"; on the host's machine "apm token show" prints one`

// nobody is compared with where no token is known, so that an unknown id takes
// as long as a wrong secret.
var nobody = sha256.Sum256(nil)

// Authenticate returns whose request it is. header is the Authorization header;
// remoteLoopback says that the peer of the connection itself has a loopback
// address. Without a header the anonymous viewer is returned where the
// configuration allows it. A missing, malformed, unknown, expired or revoked
// token is a *deployment.Error of code Unauthorized; an error of the store is
// passed on.
func (a *Access) Authenticate(ctx context.Context, header string, remoteLoopback bool) (deployment.Actor, error) {
	if header == "" {
		if a.anonymous && remoteLoopback {
			return deployment.Actor{Kind: deployment.ActorAnonymous, Role: deployment.RoleViewer}, nil
		}
		return deployment.Actor{}, refuse("no token was sent")
	}
	scheme, bearer, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return deployment.Actor{}, refuse("the Authorization header is not of the form \"Bearer TOKEN\"")
	}
	id, secret, ok := parse(strings.TrimSpace(bearer))
	if !ok {
		return deployment.Actor{}, refuse("the token is not of the form \"" + prefix + "ID.SECRET\"")
	}
	token, hash, err := a.store.Token(ctx, id)
	if errors.Is(err, deployment.ErrNotFound) {
		token, hash, err = deployment.Token{}, nobody[:], nil
	}
	if err != nil {
		return deployment.Actor{}, fmt.Errorf("look up token %q: %w", id, err)
	}
	sum := sha256.Sum256([]byte(secret))
	if subtle.ConstantTimeCompare(sum[:], hash) != 1 || token.ID == "" {
		return deployment.Actor{}, refuse("the token is not known here")
	}
	now := a.now()
	switch {
	case !token.RevokedAt.IsZero():
		return deployment.Actor{}, ended(fmt.Sprintf("token %q was revoked", token.Name))
	case !token.ExpiresAt.IsZero() && !now.Before(token.ExpiresAt):
		return deployment.Actor{}, ended(fmt.Sprintf("token %q expired at %s", token.Name, token.ExpiresAt.UTC().Format("2006-01-02 15:04 MST")))
	case !token.Role.Valid():
		return deployment.Actor{}, refuse(fmt.Sprintf("token %q has the unknown role %q", token.Name, token.Role))
	}
	a.use(token.ID, now.UTC())
	return deployment.Actor{Kind: deployment.ActorToken, Name: token.Name, Role: token.Role}, nil
}

// ended is the answer to a request with a token that was valid once.
func ended(message string) error {
	return &deployment.Error{Code: deployment.Unauthorized, Message: message, Remedy: "ask an admin for another: apm token create"}
}

// refuse is the answer to a request without a valid token.
func refuse(message string) error {
	return &deployment.Error{Code: deployment.Unauthorized, Message: message, Remedy: tokenRemedy}
}
