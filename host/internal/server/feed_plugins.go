package server

import (
	"context"
	"encoding/json"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// The feed tells of platforms too, as they are on this host now: the snapshot
// holds all, and each other state is an ephemeral event. They are no rows: what
// follows from them for a deployment is one (deployment.waiting). To a client
// that is slow only the latest is told.

// standing is what of a platform is news when it is another.
type standing struct {
	state, reason, version, sum string
	pid, restarts               int
}

// tellsPlugins says whether platforms are part of what the client asked for: an
// application or an environment has none of its own.
func (f *feeder) tellsPlugins() bool { return f.want.application+f.want.environment == "" }

// plugins returns the platforms of the feed that were not told as they are now,
// and what to remember once they are.
func (f *feeder) plugins(ctx context.Context) (news []v1.Plugin, seen map[string]standing) {
	if !f.tellsPlugins() {
		return nil, nil
	}
	all, err := f.server.parts.Plugins.Plugins(ctx)
	if err != nil {
		f.server.log.DebugContext(ctx, "platforms not read", "error", err)
		return nil, nil
	}
	seen = map[string]standing{}
	for _, p := range all {
		if f.want.platform != "" && f.want.platform != p.Platform {
			continue
		}
		now := standing{p.State, p.Reason, p.Version, p.SHA256, p.PID, p.Restarts}
		if f.told[p.Platform] == now {
			continue
		}
		p.Output, p.Capabilities = nil, listOf(p.Capabilities)
		news, seen[p.Platform] = append(news, p), now
	}
	return news, seen
}

// tellPlugins sends the platforms that changed. What does not fit in is told at
// the next look.
func (f *feeder) tellPlugins(ctx context.Context) {
	news, seen := f.plugins(ctx)
	for _, p := range news {
		data, err := json.Marshal(p)
		if err != nil {
			return
		}
		if !f.session.offer(v1.Event{
			Type: string(deployment.EventPlugin), Time: f.server.config.Now().UTC(), Ephemeral: true,
			Seq: f.seq, Data: data, Cursor: f.cursor,
		}) {
			return
		}
		f.told[p.Platform] = seen[p.Platform]
	}
}
