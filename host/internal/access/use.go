package access

import (
	"context"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// use notes that a token was used. It is written down by RecordUse: no request
// waits for a write of its own, and none fails because nothing can be written.
func (a *Access) use(id string, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used[id] = at
}

// RecordUse stores when tokens were used last, as far as that is not stored yet.
// It is called now and then, and before the store is closed.
func (a *Access) RecordUse(ctx context.Context) error {
	a.mu.Lock()
	used := a.used
	a.used = map[string]time.Time{}
	a.mu.Unlock()
	if len(used) == 0 {
		return nil
	}
	err := a.store.UseTokens(ctx, used)
	if err == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, at := range used {
		if at.After(a.used[id]) {
			a.used[id] = at
		}
	}
	return fmt.Errorf("record the use of tokens: %w", err)
}

// lastUsed fills in what is not stored yet.
func (a *Access) lastUsed(token *deployment.Token) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at := a.used[token.ID]; at.After(token.LastUsed) {
		token.LastUsed = at
	}
}
