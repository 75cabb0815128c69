package engine

import (
	"context"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
)

// Store is the history as the engine needs it.
type Store interface {
	InstallationID() string

	Accept(ctx context.Context, acceptance deployment.Acceptance) error
	Command(ctx context.Context, command deployment.Command, audit deployment.AuditRecord) error
	Repeated(ctx context.Context, key deployment.IdempotencyKey) (string, error)

	Claim(ctx context.Context, host string, ttl time.Duration) ([]deployment.Lease, error)
	Renew(ctx context.Context, host string, ttl time.Duration) ([]deployment.Lease, error)
	Release(ctx context.Context, host string, targets ...deployment.Target) error

	Work(ctx context.Context, target deployment.Target) (deployment.Work, error)
	Commit(ctx context.Context, change deployment.Change) error
	Blob(ctx context.Context, key string) ([]byte, error)

	Deployment(ctx context.Context, id string) (*deployment.Deployment, error)
	State(ctx context.Context, target deployment.Target) (deployment.TargetState, error)
	Completed(ctx context.Context, target deployment.Target, version string) (*deployment.Deployment, error)
	CompletedVersions(ctx context.Context, target deployment.Target, limit int) ([]*deployment.Deployment, error)
	LastAccepted(ctx context.Context, application string) (*deployment.Deployment, error)
	PastRuns(ctx context.Context, target deployment.Target, kind deployment.RunKind, limit int) ([]deployment.PastRun, error)
}

// Platforms gives the engine the platforms of config.hcl.
type Platforms interface {
	// Get returns a platform that is ready. Errors are *deployment.Error:
	// invalid for an unknown name, unavailable for one that is not ready.
	Get(name string) (sdk.Platform, error)
	// Await waits until the plugin of the platform answers, be the platform well
	// or not. It looks once, also when ctx has ended, and then ends with it.
	Await(ctx context.Context, name string) (sdk.Platform, error)
}

// Definitions makes a request into a complete definition.
type Definitions interface {
	Define(ctx context.Context, request deployment.Request, last *deployment.Definition) (deployment.Definition, []deployment.Problem, error)
	// Locate says where in the file or in the request that stands which a plugin
	// speaks of. Empty: nobody knows.
	Locate(ctx context.Context, request deployment.Request, last *deployment.Definition, component string, found diag.Diagnostics) []deployment.Problem
}

// Checker asks the health questions that the host asks itself.
type Checker interface {
	Look(ctx context.Context, check deployment.CheckDefinition, addresses map[string]string) deployment.Observation
}

// Bus wakes readers, and carries what is never a row.
type Bus interface {
	// Ring says that the deployment has new rows.
	Ring(deploymentID string)
	// Doorbell rings for one deployment, or ("") for all.
	Doorbell(deploymentID string) (<-chan struct{}, func())
	// Publish hands over an ephemeral event.
	Publish(event deployment.Event)
}
