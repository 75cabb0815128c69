package access

import (
	"context"
	"sync"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Store keeps tokens. Creating and revoking one come with their audit record in
// one transaction.
type Store interface {
	CreateToken(ctx context.Context, token deployment.Token, hash []byte, audit deployment.AuditRecord) error
	// Token returns deployment.ErrNotFound for an unknown id.
	Token(ctx context.Context, id string) (token deployment.Token, hash []byte, err error)
	Tokens(ctx context.Context) ([]deployment.Token, error)
	RevokeToken(ctx context.Context, id string, at time.Time, audit deployment.AuditRecord) error
	// UseTokens records when tokens were used last.
	UseTokens(ctx context.Context, used map[string]time.Time) error
}

// Config of access.
type Config struct {
	// Anonymous lets a peer on a loopback address read without a token.
	Anonymous bool
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Access authenticates requests and keeps the tokens.
type Access struct {
	store     Store
	anonymous bool
	now       func() time.Time

	mu   sync.Mutex
	used map[string]time.Time // by token, since the last RecordUse
}

// New returns the access of a host whose tokens are in store.
func New(store Store, config Config) *Access {
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Access{store: store, anonymous: config.Anonymous, now: config.Now, used: map[string]time.Time{}}
}
