package server

import (
	"context"
	"time"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Engine carries out what is asked for. Errors that users see are
// *deployment.Error.
type Engine interface {
	Start(ctx context.Context, request deployment.Request, planned *deployment.Planned, actor deployment.Actor, key *deployment.IdempotencyKey) (*deployment.Deployment, error)
	PlanStart(ctx context.Context, request deployment.Request) (deployment.Plan, error)
	Rollback(ctx context.Context, id string, wish deployment.RollbackWish, actor deployment.Actor) (*deployment.Deployment, error)
	PlanRollback(ctx context.Context, id, targetVersion string) (deployment.Plan, error)
	// RollbackCandidates returns them newest first; the first is the default.
	RollbackCandidates(ctx context.Context, id string) ([]*deployment.Deployment, error)
	Cancel(ctx context.Context, id, reason string, actor deployment.Actor, key *deployment.IdempotencyKey) (*deployment.Deployment, error)
	Remove(ctx context.Context, target deployment.Target, reason string, planned *deployment.Planned, actor deployment.Actor, key *deployment.IdempotencyKey) (*deployment.Deployment, error)
	PlanRemove(ctx context.Context, target deployment.Target) (deployment.Plan, error)
	Logs(ctx context.Context, id string, query deployment.LogQuery, send func(component string, lines ...deployment.LogLine) error) error
}

// Store is what the server reads, and where it records what only it does.
type Store interface {
	InstallationID() string
	Health(ctx context.Context) error
	Deployment(ctx context.Context, id string) (*deployment.Deployment, error)
	// Find returns the ids that begin with prefix.
	Find(ctx context.Context, prefix string, limit int) ([]string, error)
	List(ctx context.Context, filter deployment.Filter) (deployment.Page, error)
	Latest(ctx context.Context) ([]*deployment.Deployment, error)
	State(ctx context.Context, target deployment.Target) (deployment.TargetState, error)
	States(ctx context.Context) ([]deployment.TargetState, error)
	Queue(ctx context.Context, target deployment.Target) ([]string, error)
	// Commands are those that are not carried out yet, of all targets.
	Commands(ctx context.Context) ([]deployment.Command, error)
	PastRuns(ctx context.Context, target deployment.Target, kind deployment.RunKind, limit int) ([]deployment.PastRun, error)
	Events(ctx context.Context, id string, after uint64, limit int) ([]deployment.Event, error)
	Feed(ctx context.Context, cursor string, limit int) (deployment.FeedPage, error)
	FeedHead(ctx context.Context) (string, error)
	Blob(ctx context.Context, key string) ([]byte, error)
	Ended(ctx context.Context, host string) ([]deployment.Ended, error)
	EndedLengths(ctx context.Context, host string) ([]deployment.EndedLength, error)
	// Recorded is how many events this host has committed since it started.
	Recorded() uint64
	Audit(ctx context.Context, cursor string, limit int) (records []deployment.AuditRecord, next string, err error)
	Record(ctx context.Context, record deployment.AuditRecord) error
}

// Bus tells that there may be something new, and carries what is never a row.
type Bus interface {
	// Doorbell rings after rows of the deployment were committed; "" for all.
	Doorbell(deploymentID string) (rings <-chan struct{}, stop func())
	// Subscribe delivers progress and log events.
	Subscribe(deploymentID string) (events <-chan deployment.Event, stop func())
}

// Authenticator says whose request it is. remoteLoopback says that the peer of
// the connection itself is on this machine.
type Authenticator interface {
	Authenticate(ctx context.Context, header string, remoteLoopback bool) (deployment.Actor, error)
}

// Tokens makes and ends tokens.
type Tokens interface {
	Create(ctx context.Context, name string, role deployment.Role, lifetime time.Duration, actor deployment.Actor) (token deployment.Token, secret string, err error)
	Tokens(ctx context.Context) ([]deployment.Token, error)
	Revoke(ctx context.Context, id, reason string, actor deployment.Actor) (deployment.Token, error)
}

// Plugins are the configured platforms and the processes behind them.
type Plugins interface {
	Plugins(ctx context.Context) ([]v1.Plugin, error)
	// Plugin returns one with its schemas, or a *deployment.Error NotFound.
	Plugin(ctx context.Context, platform string) (v1.Plugin, error)
	Restart(ctx context.Context, platform string) error
	// Upgrade replaces the binary of a plugin, or of the plugin of a platform.
	// Resolve returns the name of the plugin that is meant.
	Upgrade(ctx context.Context, plugin string) (v1.PluginUpgrade, error)
	Resolve(name string) (plugin string, err error)
	// Changes ring when a platform has another state. Rings that nobody has
	// answered yet are one ring.
	Changes() (rings <-chan struct{}, stop func())
}

// Applications are those that the configuration names.
type Applications interface {
	Applications(ctx context.Context) ([]v1.Application, error)
}

// Parts are what a server stands on. All are needed.
type Parts struct {
	Engine        Engine
	Store         Store
	Bus           Bus
	Authenticator Authenticator
	Tokens        Tokens
	Plugins       Plugins
	Applications  Applications
}
