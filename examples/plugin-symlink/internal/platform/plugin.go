// Package platform is the contract between APM and this platform, a file for each
// part of it. What lies on disk is the business of package component, what is written
// down that of the SDK's journal; this package decides what changes and when.
package platform

import (
	"context"
	"log/slog"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/journal"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Name and Version of the plugin. The name is the label of its plugin block in
// config.hcl.
const (
	Name    = "symlink"
	Version = "0.1.0"
)

// Plugin describes the plugin to package serve.
func Plugin() sdk.Plugin {
	return sdk.Plugin{
		Name: Name, Version: Version,
		Config: schema.MustOf(Config{}), Spec: schema.MustOf(Spec{}),
		New: func(log *slog.Logger) sdk.Platform {
			p := &Platform{log: log}
			p.book = journal.New(journal.Config[component.Goal]{
				Log: log, Drive: p.drive, State: stateOf, Failure: failure, Resource: releaseResource,
			})
			return p
		},
	}
}

// Platform deploys file releases below one directory.
type Platform struct {
	log          *slog.Logger
	book         *journal.Book[component.Goal]
	config       Config // written by Configure, which comes before every other call
	installation string
}

// The parts of the contract that this platform has. It has no steps of traffic: a
// link leads to one release or to another.
var (
	_ sdk.Platform       = (*Platform)(nil)
	_ sdk.Validator      = (*Platform)(nil)
	_ sdk.Planner        = (*Platform)(nil)
	_ sdk.Promoter       = (*Platform)(nil)
	_ sdk.Canceller      = (*Platform)(nil)
	_ sdk.TargetWatcher  = (*Platform)(nil)
	_ sdk.LogReader      = (*Platform)(nil)
	_ sdk.HealthReporter = (*Platform)(nil)
	_ sdk.Inventorier    = (*Platform)(nil)
	_ sdk.Closer         = (*Platform)(nil)
)

// component returns the directory of a target's component, and its journal.
func (p *Platform) component(target sdk.Target) (component.Dir, *journal.Journal[component.Goal], error) {
	dir, err := component.Of(p.config.Root, target.Application, target.Environment, target.Component)
	if err != nil {
		return "", nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "%w: rename it", err)
	}
	return dir, p.book.At(dir.Journal(), p.installation, target), nil
}

// Close ends what is under way here; the next process goes on with it.
func (p *Platform) Close(ctx context.Context) error { return p.book.Close(ctx) }
