// Command faultplugin is a plugin that fails on demand. The file "mode" in its
// control directory says how; to the files "starts" and "configured" there it
// adds a line each time.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
	"github.com/apm-deploy/apm/sdk/serve"
)

// version is set by the linker.
var version = "1.2.3"

type config struct {
	Greeting string `apm:"greeting,required" doc:"What to say."`
}

// control is "fault" beside the data directory's plugins for a private copy,
// else beside the binary.
func control() string {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	for _, dir := range []string{filepath.Dir(self), filepath.Join(filepath.Dir(self), "..", "..")} {
		if info, err := os.Stat(filepath.Join(dir, "fault")); err == nil && info.IsDir() {
			return filepath.Join(dir, "fault")
		}
	}
	return ""
}

func mode() string {
	content, err := os.ReadFile(filepath.Join(control(), "mode"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(content))
}

func note(file, format string, args ...any) {
	if control() == "" {
		return
	}
	f, err := os.OpenFile(filepath.Join(control(), file), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, format+"\n", args...); err != nil {
		panic(err)
	}
}

func main() {
	if os.Getenv("APM_PLUGIN") != "" {
		note("starts", "%d", os.Getpid())
		note("environment", "%s", strings.Join(os.Environ(), "\x00"))
		switch mode() {
		case "crash":
			fmt.Fprintln(os.Stderr, "cannot find my feet")
			os.Exit(3)
		case "panic":
			panic("at the start")
		case "stdout":
			fmt.Println("Hello, I am the plugin")
		case "hang":
			fmt.Fprintln(os.Stderr, "thinking")
			note("hangs", "%d", os.Getpid())
			time.Sleep(time.Hour) // not select: the runtime would call it a deadlock
		}
	}
	s, err := schema.Of(config{})
	if err != nil {
		panic(err)
	}
	os.Exit(serve.Main(sdk.Plugin{
		Name: "fault", Version: version, Config: s,
		New: func(log *slog.Logger) sdk.Platform { return &platform{log: log} },
	}))
}

// platform answers Probe, and fails as the mode says.
type platform struct {
	sdk.Platform

	log *slog.Logger
}

func (p *platform) Configure(ctx context.Context, r sdk.ConfigureRequest) (diag.Diagnostics, error) {
	note("configured", "%s %s %s %s", r.Platform, r.Config, r.InstallationID, r.HostVersion)
	p.log.Info("configured", "answer", 42, "platform", "another")
	var found diag.Diagnostics
	switch mode() {
	case "refuse":
		found.Errorf([]string{"greeting"}, "not polite enough")
	case "refuse-error":
		return nil, sdk.Errorf(sdk.Unauthenticated, sdk.ReasonAuth, "the platform does not know us")
	case "platform-down":
		return nil, sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "the daemon does not answer")
	case "die-in-configure":
		os.Exit(4)
	case "hang-in-configure":
		note("hangs", "%d", os.Getpid())
		<-ctx.Done()
	case "flood":
		for i := range 20_000 {
			fmt.Fprintf(os.Stderr, "line %d\n", i)
		}
		fmt.Fprintln(os.Stderr, strings.Repeat("x", 1<<20))
	case "exit-soon":
		go func() {
			time.Sleep(20 * time.Millisecond)
			os.Exit(5)
		}()
	}
	return found, nil
}

func (p *platform) Probe(ctx context.Context, r sdk.ProbeRequest) (sdk.ProbeResult, error) {
	switch r.Target.Component {
	case "die":
		os.Exit(7)
	case "wait":
		<-ctx.Done()
		return sdk.ProbeResult{}, ctx.Err()
	}
	return sdk.ProbeResult{Revision: fmt.Sprint(os.Getpid())}, nil
}

func (p *platform) Inventory(_ context.Context, installation string) ([]sdk.InventoryItem, error) {
	return []sdk.InventoryItem{{InstallationID: installation, Component: "api"}}, nil
}

// Health follows the file "health" in the control directory.
func (p *platform) Health(ctx context.Context, report func(sdk.Health) error) error {
	last := ""
	for ticks := time.NewTicker(10 * time.Millisecond); ; {
		content, err := os.ReadFile(filepath.Join(control(), "health"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if now := string(content); now != last {
			last = now
			h := sdk.Health{State: sdk.HealthHealthy}
			if now != "" {
				h = sdk.Health{State: sdk.HealthUnhealthy, Description: now, Attributes: map[string]string{"seen": "yes"}}
			}
			if err := report(h); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			ticks.Stop()
			return nil
		case <-ticks.C:
		}
	}
}
