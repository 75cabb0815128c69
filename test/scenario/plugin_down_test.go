package scenario_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/sdk/plugintest/fake"
	"github.com/apm-deploy/apm/test/harness"
)

// fragile is a host with v1 of shop on a fake platform, and what breaks that
// platform's plugin: its binary is changed, so that a restart finds another
// checksum. mend puts the binary back.
func fragile(t *testing.T) (h *harness.Host, f *harness.Fake, breaks func() harness.Result, mend func()) {
	t.Helper()
	h = harness.New(t)
	f = h.Fake("fake", "")
	binary := h.FakeBinary("own", fake.Variant{})
	h.Lock(binary)
	h.Start()
	h.Versions("v1", "v2", "v3")
	f.Define(harness.Application{Name: "shop"}, harness.FakeComponent{Name: "web"})
	h.Quickly("shop", "v1")
	good, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	place := func(content []byte) {
		if err := os.WriteFile(binary+".new", content, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(binary+".new", binary); err != nil {
			t.Fatal(err)
		}
	}
	breaks = func() harness.Result {
		place(append(slices.Clone(good), "changed"...))
		return h.Must(1, "plugin", "restart", "fake")
	}
	return h, f, breaks, func() { place(good) }
}

// feedOf collects what the feed of all says of platforms.
func feedOf(t *testing.T, h *harness.Host) (states func() string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	var seen []string
	var listening sync.WaitGroup
	listening.Go(func() {
		_ = h.Client.WatchFeed(ctx, client.FeedOptions{}, func(e apiv1.Event) error {
			var p apiv1.Plugin
			if e.Type != "plugin.status" || json.Unmarshal(e.Data, &p) != nil {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, p.Platform+" "+p.State)
			return nil
		})
	})
	t.Cleanup(func() {
		stop()
		listening.Wait()
	})
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(seen, ", ")
	}
}

// TestDeploymentWaitsForItsPlugin breaks the plugin under a deployment: wherever
// a person or a program looks, it says what it waits for and what to do; once the
// plugin was restarted by hand it goes on by itself.
func TestDeploymentWaitsForItsPlugin(t *testing.T) {
	t.Parallel()
	h, f, breaks, mend := fragile(t)
	states := feedOf(t, h)
	d := h.DeployRequest(apiv1.StartRequest{Name: "shop", Version: "v2", Policy: json.RawMessage(`{"bake":"10s"}`)})
	h.Await(d.ID, 0, harness.Status("verifying"))
	plain, lines := h.Begin("deploy", "watch", d.ID), h.Begin("deploy", "watch", d.ID, "-o", "jsonl")

	restart := breaks()
	for _, want := range []string{`platform "fake" is broken`, "has sha256", "apm.lock.hcl pins"} {
		if !strings.Contains(restart.Stderr, want) {
			t.Errorf("a restart in vain does not tell of %q: %s", want, restart)
		}
	}
	const broken, remedy = `platform "fake" is broken: plugin "fake": `, "then apm plugin restart fake"
	harness.Eventually(t, "it waits for the plugin", func() (bool, string) {
		d = h.Get(d.ID)
		return d.Waiting != nil && d.Waiting.Kind == "plugin" && strings.HasPrefix(d.Waiting.For, broken), d.Reason
	})
	if w := d.Waiting; !strings.HasSuffix(w.For, remedy) || w.Since.IsZero() || strings.Contains(w.For, "\n") {
		t.Errorf("waits for %+v", w)
	}
	for name, said := range map[string]string{
		"status": h.Must(0, "deploy", "status", d.ID).Stdout, "list": h.Must(0, "deploy", "list", "-o", "wide").Stdout,
		"plugin list": h.Must(0, "plugin", "list").Stdout, "plugin inspect": h.Must(0, "plugin", "inspect", "fake").Stdout,
		"doctor": h.Must(1, "doctor").Stdout,
	} {
		if !strings.Contains(said, "broken") {
			t.Errorf("%s does not tell of it: %s", name, said)
		}
	}
	for name, watch := range map[string]*harness.Background{"plain": plain, "jsonl": lines} {
		harness.Eventually(t, "the "+name+" watch tells of it", func() (bool, string) {
			said := watch.Stdout()
			return strings.Contains(strings.ReplaceAll(said, `\"`, `"`), broken), said
		})
	}
	harness.Eventually(t, "the feed tells of it", func() (bool, string) { return strings.Contains(states(), "fake broken"), states() })
	if up, state := metric(t, h, `apm_plugin_up{platform="fake"}`), metric(t, h, `apm_plugin_state{platform="fake",plugin="fake",state="broken"}`); up != 0 || state != 1 {
		t.Errorf("metrics: up %v, broken %v", up, state)
	}
	lint(t, h)
	refused := h.REST("POST", "/api/v1/deployments", `{"name":"shop","version":"v3"}`)
	if refused.Status != 503 || !strings.Contains(refused.Body, "is broken") || !strings.Contains(refused.Body, "apm plugin restart fake") {
		t.Errorf("a deployment to a broken platform: %d %s", refused.Status, refused.Body)
	}

	mend()
	if r := h.Must(0, "plugin", "restart", "fake"); !strings.Contains(r.Stdout, "fake is ready") {
		t.Errorf("%s", r)
	}
	h.Ends(d.ID, harness.End{Status: "completed", Path: harness.Forward})
	if got := f.Runs("shop", "web"); got != "v2" {
		t.Errorf("version %q runs", got)
	}
	effects := f.Effects("shop", "web")
	slices.Sort(effects)
	if once := slices.Compact(slices.Clone(effects)); len(once) != len(effects) || len(once) != 2 {
		t.Errorf("effects %v", effects)
	}
	harness.Eventually(t, "the feed tells that it is back", func() (bool, string) { return strings.HasSuffix(states(), "fake ready"), states() })
}

// TestDeploymentDoesNotWaitForEver: at its deadline it fails, says which plugin,
// how that is and what to do, and undoes nothing.
func TestDeploymentDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	h, f, breaks, mend := fragile(t)
	d := h.DeployRequest(apiv1.StartRequest{Name: "shop", Version: "v2", Policy: json.RawMessage(`{"bake":"15s","timeouts":{"verifying":"3s"}}`)})
	h.Await(d.ID, 0, harness.Status("verifying"))
	breaks()
	d = h.Ended(d.ID)
	if d.Status != "failed" || d.Failure == nil || d.Failure.Code != "PLUGIN_DOWN" {
		t.Fatalf("%s: %s; %+v", d.Status, d.Reason, d.Failure)
	}
	for _, want := range []string{"took longer than", `platform "fake" is broken: plugin "fake": `, "apm plugin restart fake", "nothing was undone"} {
		if !strings.Contains(d.Reason, want) {
			t.Errorf("%q is not in %q", want, d.Reason)
		}
	}
	if got := f.Runs("shop", "web"); got != "v2" {
		t.Errorf("version %q runs", got)
	}
	mend()
	h.Must(0, "plugin", "restart", "fake")
	h.Quickly("shop", "v3")
}
