package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/apm-deploy/apm/host/internal/app"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/platform"
	"github.com/apm-deploy/apm/sdk"
)

// removeTime bounds the removal of one component.
const removeTime = 5 * time.Minute

// inspector is the installation that a plugin is configured with to list only.
const inspector = "doctor"

// Left is one component that an installation left running.
type Left struct {
	Platform     string `json:"platform"`
	Installation string `json:"installation_id"`
	Application  string `json:"application"`
	Environment  string `json:"environment"`
	Component    string `json:"component"`
	Version      string `json:"version"`
	Since        string `json:"since,omitempty"`
	Description  string `json:"description,omitempty"`

	epoch uint64
}

// String renders it as one line.
func (l Left) String() string {
	text := fmt.Sprintf("%s: %s/%s in %s", l.Platform, l.Application, l.Component, l.Environment)
	if l.Version != "" {
		text += ", version " + l.Version
	}
	text += ", of installation " + l.Installation
	if l.Description != "" {
		text += " (" + l.Description + ")"
	}
	return text
}

// Find lists what runs of installations whose host does not run: of all of
// them, or of the one named. That of a host that runs is refused.
func (c Config) Find(ctx context.Context, installation string) ([]Left, error) {
	alive, err := c.liveInstallations(ctx)
	if err != nil {
		return nil, err
	}
	if host, runs := alive[installation]; runs && installation != "" {
		return nil, &deployment.Error{
			Code:    deployment.Conflict,
			Message: fmt.Sprintf("the host of installation %s runs at %s (pid %d)", installation, host.url, host.health.PID),
			Remedy:  fmt.Sprintf("remove its applications with apm deploy remove, or end the host first: kill %d", host.health.PID),
		}
	}
	var left []Left
	for _, p := range c.Config.Platforms() {
		items, err := c.inventory(ctx, p.Name, p.Plugin, installation)
		if err != nil {
			return nil, fmt.Errorf("list what runs on platform %q: %w", p.Name, err)
		}
		for _, item := range items {
			if _, runs := alive[item.InstallationID]; !runs && (installation == "" || item.InstallationID == installation) {
				left = append(left, leftOf(p.Name, item))
			}
		}
	}
	return c.once(left), nil
}

// once drops what two platforms of the same plugin both list.
func (c Config) once(left []Left) []Left {
	var kept []Left
	for _, l := range left {
		same := func(k Left) bool {
			k.Platform = l.Platform
			return k == l
		}
		if !slices.ContainsFunc(kept, same) {
			kept = append(kept, l)
		}
	}
	return kept
}

func leftOf(platform string, item sdk.InventoryItem) Left {
	l := Left{
		Platform: platform, Installation: item.InstallationID, Application: item.Application, Environment: item.Environment,
		Component: item.Component, Version: item.Version, Description: item.Description, epoch: item.Epoch,
	}
	if !item.Since.IsZero() {
		l.Since = item.Since.UTC().Format(time.RFC3339)
	}
	return l
}

func (c Config) inventory(ctx context.Context, name, plugin, installation string) ([]sdk.InventoryItem, error) {
	var items []sdk.InventoryItem
	err := c.with(ctx, name, plugin, inspector, func(p sdk.Platform) error {
		inventorier, able := p.(sdk.Inventorier)
		if !able || !sdk.CapabilitiesOf(p).Inventory {
			return nil
		}
		var err error
		items, err = inventorier.Inventory(ctx, installation)
		return err
	})
	return items, err
}

// Remove removes one component: a rollback to nothing, under an epoch above the
// one that it carries, in the name of its own installation.
func (c Config) Remove(ctx context.Context, l Left) error {
	p, known := c.Config.Platform(l.Platform)
	if !known {
		return fmt.Errorf("there is no platform %q", l.Platform)
	}
	ctx, cancel := context.WithTimeout(ctx, removeTime)
	defer cancel()
	// A host of that installation may have started since it was listed.
	if _, err := c.Find(ctx, l.Installation); err != nil {
		return err
	}
	return c.with(ctx, l.Platform, p.Plugin, l.Installation, func(p sdk.Platform) error { return undo(ctx, p, l) })
}

func undo(ctx context.Context, p sdk.Platform, l Left) error {
	id := uuid.NewString()
	operation := sdk.Operation{
		ID: id, DeploymentID: id, Kind: sdk.OperationRollback, RequestDigest: id, Epoch: l.epoch + 1,
	}
	target := sdk.Target{Application: l.Application, Environment: l.Environment, Component: l.Component, Version: l.Version}
	handle, err := p.Rollback(ctx, sdk.RollbackRequest{
		Operation: operation, Target: target, Snapshot: sdk.Snapshot{Empty: true}, Reason: "apm doctor --clean",
	})
	if err != nil {
		return err
	}
	var outcome *sdk.Outcome
	err = p.Watch(ctx, sdk.WatchRequest{Target: target, Handle: handle, Operation: operation}, func(events ...sdk.Event) error {
		for _, e := range events {
			if e.Outcome != nil {
				outcome = e.Outcome
			}
		}
		return nil
	})
	switch {
	case outcome == nil && err == nil:
		return errors.New("the plugin ended the operation without an outcome")
	case outcome == nil:
		return err
	case outcome.Result != sdk.ResultSucceeded:
		return fmt.Errorf("the plugin could not remove it: %s", outcome.Message)
	default:
		return nil
	}
}

// with starts a platform for a moment, in a scratch directory: the data
// directory may be gone, or a host's that runs.
func (c Config) with(ctx context.Context, name, plugin, installation string, use func(sdk.Platform) error) (err error) {
	scratch, err := scratchDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	settings := *c.Config
	settings.DataDir = scratch // private copies of the plugin
	catalog, err := app.Catalog(&settings, nil)
	if err != nil {
		return err
	}
	p, stop, err := catalog.Once(ctx, platform.Spec{Name: name, Plugin: plugin}, app.Setup(&settings, c.Version, installation))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return use(p)
}

// scratchDir returns a directory that programs can be run from, which those for
// temporary files sometimes are not.
func scratchDir() (string, error) {
	base, err := os.UserCacheDir()
	if err == nil {
		err = os.MkdirAll(base, 0o700)
	}
	if err != nil {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "apm-doctor-*")
	if err != nil {
		return "", fmt.Errorf("make a scratch directory: %w", err)
	}
	return strings.TrimSuffix(dir, "/"), nil
}
