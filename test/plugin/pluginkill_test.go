package plugin_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// How often a plugin is killed in a row: more often than one may fail.
const killsInARow = 6

// killedPlatforms is how many are killed side by side: for 102 kills, or with `make
// chaos` for 204.
func killedPlatforms() int {
	if os.Getenv("APM_CHAOS") != "" {
		return 34
	}
	return 17
}

const (
	// settled is how long a plugin must be ready for its start not to count as
	// failed.
	settled = 10 * time.Second
	// backWithin is the time in which a plugin must be back. Calm, 95 of 100 are
	// within 2 s; a machine that does much else takes longer.
	backWithin = 10 * time.Second
)

// board is how the platforms of a host stand, as its API tells.
type board struct {
	mu        sync.Mutex
	platforms map[string]apiv1.Plugin
	changed   chan struct{}
	broken    []string // reasons of all that were ever given up
}

// watchPlatforms keeps a board until the test ends.
func watchPlatforms(t *testing.T, h *harness.Host) *board {
	t.Helper()
	b := &board{changed: make(chan struct{})}
	c := h.Client
	stop := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		ticks := time.NewTicker(20 * time.Millisecond)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
			case <-stop:
				return
			}
			if list, err := c.Plugins(t.Context()); err == nil {
				b.show(list.Plugins)
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		looking.Wait()
	})
	return b
}

func (b *board) show(plugins []apiv1.Plugin) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.platforms = map[string]apiv1.Plugin{}
	for _, p := range plugins {
		b.platforms[p.Platform] = p
		if p.State == "broken" {
			b.broken = append(b.broken, p.Platform+": "+p.Reason)
		}
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// await waits until a platform stands as wanted.
func (b *board) await(platform string, within time.Duration, is func(apiv1.Plugin) bool) (apiv1.Plugin, error) {
	timeout := time.After(within)
	for {
		b.mu.Lock()
		p, changed := b.platforms[platform], b.changed
		b.mu.Unlock()
		if is(p) {
			return p, nil
		}
		select {
		case <-changed:
		case <-timeout:
			return p, fmt.Errorf("not within %s: platform %s is %s, pid %d: %s", within, platform, p.State, p.PID, p.Reason)
		}
	}
}

// killedOnce waits until a platform's plugin is well, for good and a moment longer,
// kills it, and returns how long it is away.
func killedOnce(b *board, kill func(pid int), platform string) (away time.Duration, err error) {
	moment := settled + rand.N(time.Second)
	p, err := b.await(platform, time.Minute, func(p apiv1.Plugin) bool {
		return p.State == "ready" && time.Since(p.Since) > moment
	})
	if err != nil {
		return 0, err
	}
	kill(p.PID)
	killed := time.Now()
	_, err = b.await(platform, backWithin, func(now apiv1.Plugin) bool {
		return now.State == "ready" && now.PID != p.PID
	})
	return time.Since(killed), err
}

// TestPluginKilled kills healthy plugins with SIGKILL while each has a deployment
// under way that moves its traffic step by step, 6 times in a row: they are back
// soon and never given up, each deployment ends well, each instance is started
// once, and no request fails.
func TestPluginKilled(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	config := h.Read("config.hcl")
	platforms := make([]string, killedPlatforms())
	for n := range platforms {
		platforms[n] = fmt.Sprint("p-", n)
		config += fmt.Sprintf("\nplatform %q {\n  plugin = \"process\"\n  monitor {\n    interval = \"1s\"\n  }\n}\n", platforms[n])
	}
	h.WriteConfig(config)
	h.Start()
	h.Artifact("v1", "v2")
	web := map[string]harness.Component{}
	each := func(do func(platform string)) {
		for _, platform := range platforms {
			do(platform)
		}
	}
	deployments := map[string]string{}
	each(func(platform string) {
		web[platform] = harness.Component{Name: "web-" + platform, Platform: platform, Listen: h.Address()}
		h.Define(harness.Application{Name: platform, Bake: "50ms", Components: []harness.Component{web[platform]}})
		deployments[platform] = h.Deploy(platform, "v1").ID
	})
	each(func(platform string) {
		h.Ends(deployments[platform], harness.End{Status: "completed", Path: harness.Forward})
	})
	traffic := h.Traffic("web-"+platforms[0], web[platforms[0]].Listen)
	each(func(platform string) {
		c := web[platform]
		c.Steps, c.Pause = []int{10, 25, 40, 60, 80, 100}, "15s"
		h.Define(harness.Application{Name: platform, Bake: "1s", Components: []harness.Component{c}})
		deployments[platform] = h.Deploy(platform, "v2").ID
	})

	b := watchPlatforms(t, h)
	var mu sync.Mutex
	var away []time.Duration
	var killing sync.WaitGroup
	each(func(platform string) {
		killing.Go(func() {
			for range killsInARow {
				took, err := killedOnce(b, h.KillPlugin, platform)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				away = append(away, took)
				mu.Unlock()
			}
		})
	})
	killing.Wait()
	if len(away) == 0 {
		t.Fatal("no plugin was killed")
	}
	slices.Sort(away)
	t.Logf("%d plugins were killed; back after %s at p50, %s at p95, %s at most",
		len(away), away[len(away)/2], away[len(away)*95/100], away[len(away)-1])
	if len(b.broken) > 0 {
		t.Errorf("given up: %s", strings.Join(b.broken, "\n"))
	}
	each(func(platform string) {
		h.Ends(deployments[platform], harness.End{Status: "completed", Path: harness.Forward})
		if diff := cmp.Diff([]string{"v1", "v2"}, h.Starts("web-"+platform)); diff != "" {
			t.Errorf("started instances of %s (-want +got):\n%s", platform, diff)
		}
		h.Serves(web[platform].Listen, "v2")
	})
	traffic.Undisturbed()
}
