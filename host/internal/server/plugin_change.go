package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// upgradeTime is how long an answer to an upgrade is waited for. It goes on
// without one.
const upgradeTime = 75 * time.Second

// restartInput names a platform to restart.
type restartInput struct {
	Platform string `path:"platform" maxLength:"255" example:"process"`
	Key      string `header:"Idempotency-Key" maxLength:"255" pattern:"^[!-~]+$" doc:"Makes the request repeatable: the same key restarts once. Bound to the token, and known to this host until it ends, with which its plugins do too."`
}

// restart restarts the process of a platform. Without its audit record nothing
// is restarted.
func (s *Server) restart(ctx context.Context, in *restartInput) (*pluginOutput, error) {
	name, err := unescape("platform", in.Platform)
	if err != nil {
		return nil, err
	}
	if _, err := s.parts.Plugins.Plugin(ctx, name); err != nil {
		return nil, err
	}
	key, err := keyOf(callerOf(ctx), in.Key, "restart", name)
	if err != nil {
		return nil, err
	}
	err = s.restarts.once(key, func() error {
		return s.audited(ctx, "plugin.restart", name, func() (string, error) {
			return "", s.parts.Plugins.Restart(ctx, name)
		})
	})
	if err != nil {
		return nil, err
	}
	return s.pluginBody(ctx, name)
}

// upgradeOutput is what an upgrade did.
type upgradeOutput struct{ Body v1.PluginUpgrade }

// upgradePlugin replaces the binary of a plugin. Without its audit record nothing
// is replaced.
func (s *Server) upgradePlugin(ctx context.Context, in *pluginPath) (*upgradeOutput, error) {
	name, err := unescape("platform", in.Platform)
	if err != nil {
		return nil, err
	}
	if name, err = s.parts.Plugins.Resolve(name); err != nil {
		return nil, err
	}
	out := &upgradeOutput{}
	err = s.audited(ctx, "plugin.upgrade", name, func() (string, error) {
		bounded, cancel := context.WithTimeout(ctx, upgradeTime)
		defer cancel()
		defer context.AfterFunc(s.stopping, cancel)()
		u, err := s.parts.Plugins.Upgrade(bounded, name)
		u.Platforms = listOf(u.Platforms)
		out.Body = u
		if u.Unchanged {
			return "nothing to do: " + u.ToVersion + " " + u.ToSHA256, err
		}
		return fmt.Sprintf("from %s %s to %s %s", u.FromVersion, u.FromSHA256, u.ToVersion, u.ToSHA256), err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// audited does something to a plugin after its audit record was written, which is
// all the transaction that a process can be part of. What came of it is another
// record, where there is something to say: a refusal, or the detail.
func (s *Server) audited(ctx context.Context, action, object string, do func() (detail string, err error)) error {
	record := deployment.AuditRecord{
		At: s.config.Now().UTC(), Actor: callerOf(ctx).Actor, Action: action, Object: object,
	}
	if err := s.parts.Store.Record(ctx, record); err != nil {
		return err
	}
	detail, err := do()
	var refused *deployment.Error
	if errors.As(err, &refused) {
		detail = "failed: " + oneLine(refused.Message)
	} else if err != nil {
		detail = "failed"
	}
	if detail == "" {
		return err
	}
	record.At, record.Detail, record.Action = s.config.Now().UTC(), detail, action+".result"
	if lost := s.parts.Store.Record(ctx, record); lost != nil {
		s.log.WarnContext(ctx, "result not audited", "action", action, "object", object, "detail", detail, "error", lost)
	}
	return err
}

// maxKeys bounds how many idempotency keys are remembered.
const maxKeys = 1000

// keys remembers which requests were carried out by this host.
type keys struct {
	mu    sync.Mutex
	seen  map[[2]string]string // principal and key → digest of the request
	order [][2]string
}

// once does what was not done under the key before; without a key it always does.
// What fails may be asked for again.
func (k *keys) once(key *deployment.IdempotencyKey, do func() error) error {
	if key == nil {
		return do()
	}
	name := [2]string{key.Principal, key.Key}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch digest, known := k.seen[name]; {
	case known && digest != key.Digest:
		return deployment.ErrKeyReused
	case known:
		return nil
	}
	if err := do(); err != nil {
		return err
	}
	if k.seen == nil {
		k.seen = map[[2]string]string{}
	}
	if len(k.order) == maxKeys {
		delete(k.seen, k.order[0])
		k.order = k.order[1:]
	}
	k.seen[name], k.order = key.Digest, append(k.order, name)
	return nil
}
