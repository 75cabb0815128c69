package engine_test

import (
	"context"
	"strings"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// Look asks the world: an address is live/<component> or
// candidate/<component>/<operation>.
func (w *world) Look(_ context.Context, _ deployment.CheckDefinition, addresses map[string]string) deployment.Observation {
	w.mu.Lock()
	defer w.mu.Unlock()
	parts := strings.Split(addresses["http"], "/")
	var r *run
	full := true
	switch {
	case len(parts) == 3 && w.ops[parts[2]] != nil:
		r = w.ops[parts[2]].to
		full = false
	case len(parts) == 2:
		r = w.running[parts[1]]
	}
	switch {
	case r == nil:
		return deployment.Observation{Status: deployment.Unhealthy, Message: "connection refused"}
	case w.down:
		return deployment.Observation{Status: deployment.Unhealthy, Message: "database refuses connections"}
	case r.spec.Health == "until_mended" && !w.mended:
		return deployment.Observation{Status: deployment.Unhealthy, Message: "still starting"}
	case r.spec.Health == "until_mended":
		return deployment.Observation{Status: deployment.Healthy}
	case r.spec.TurnsBad && full:
		return deployment.Observation{Status: deployment.Unhealthy, Message: "status 500"}
	case r.spec.Health != "":
		return deployment.Observation{Status: deployment.Health(r.spec.Health), Message: "as told"}
	default:
		return deployment.Observation{Status: deployment.Healthy}
	}
}

// Get and Await make the world the only platform there is.
func (w *world) Get(name string) (sdk.Platform, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if name != "fake" {
		return nil, &deployment.Error{Code: deployment.Invalid, Message: "unknown platform " + name}
	}
	if w.unwell {
		return nil, &deployment.Error{Code: deployment.Unavailable, Message: "platform fake is unhealthy"}
	}
	if w.unready {
		if w.state != nil {
			return nil, w.state
		}
		return nil, &deployment.Error{Code: deployment.Unavailable, Message: "platform fake is in backoff"}
	}
	return platform{w}, nil
}

// answersUnwell says whether the plugin answers although its platform is not well.
func (w *world) answersUnwell() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unwell && !w.unready
}

func (w *world) Await(ctx context.Context, name string) (sdk.Platform, error) {
	for {
		w.mu.Lock()
		changed := w.changed
		w.mu.Unlock()
		if w.answersUnwell() {
			return platform{w}, nil
		}
		p, err := w.Get(name)
		if err == nil || deployment.CodeOf(err) != deployment.Unavailable {
			return p, err
		}
		if w.impatient {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-changed:
		}
	}
}
