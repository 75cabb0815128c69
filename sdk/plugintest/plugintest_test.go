package plugintest_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest"
	"github.com/apm-deploy/apm/sdk/plugintest/fake"
)

// TestMain is the fake plugin too: the suite starts this binary again as one.
func TestMain(m *testing.M) {
	if os.Getenv("APM_TEST_FAKE") != "" {
		os.Exit(fake.Main()) //nolint:forbidigo // the main of a plugin
	}
	if how := os.Getenv(envRude); how != "" {
		os.Exit(rudeMain(how)) //nolint:forbidigo // the main of a plugin
	}
	// The tests wait most of their time: more of them run side by side than there are
	// processors.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	m.Run()
}

func encode(t *testing.T, v map[string]any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// config is for the fake with a fault, or without.
func config(t *testing.T, fault string) plugintest.Config {
	t.Helper()
	root := t.TempDir()
	faults := map[string]any{}
	if fault != "" {
		faults["break"] = map[string]any{"rule": fault}
	}
	write := func(name, text string) string {
		path := filepath.Join(root, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	v1, v2 := write("v1", "one"), write("v2", "two")
	return plugintest.Config{
		Platform:   encode(t, map[string]any{"root": root, "secret": "canary-platform", "fault": faults}),
		SpecV1:     encode(t, map[string]any{"file": v1, "secret": "canary-one"}),
		SpecV2:     encode(t, map[string]any{"file": v2, "secret": "canary-two"}),
		SpecBad:    encode(t, map[string]any{"file": v1, "lines": -1}),
		SpecChatty: encode(t, map[string]any{"file": v1, "lines": 10_000}),
		SpecSlow:   encode(t, map[string]any{"file": v1, "takes": "10m"}),

		SpecFailing: encode(t, map[string]any{"file": v1, "fails": "EXITED"}),
		ChangeFiles: func(t plugintest.T) {
			write("v1", "one, changed")
			t.Cleanup(func() { write("v1", "one") })
		},
		ChangeLive: func(t plugintest.T, target sdk.Target) {
			if err := fake.ChangeLive(root, target); err != nil {
				t.Fatal(err)
			}
		},
		Prune: func(t plugintest.T, target sdk.Target) {
			if err := fake.Prune(root, target); err != nil {
				t.Fatal(err)
			}
		},
		Serves: func(t plugintest.T, addresses map[string]string) string {
			text, err := fake.Serves(addresses["file"])
			if err != nil {
				t.Fatal(err)
			}
			return text
		},
		OldHandle: fake.OldHandle,
		Secrets:   []string{"canary-platform", "canary-one", "canary-two"},
	}
}

func TestFakeAsProcess(t *testing.T) {
	t.Parallel()
	c := config(t, "")
	c.Command, c.Env, c.Plugin = []string{os.Args[0]}, []string{"APM_TEST_FAKE=1"}, fake.Plugin()
	plugintest.Run(t, c)
}

func TestFakeWithin(t *testing.T) {
	t.Parallel()
	c := config(t, "")
	c.Plugin = fake.Plugin()
	plugintest.Run(t, c)
}

// Without specs only what needs none runs.
func TestFakeWithoutSpecs(t *testing.T) {
	t.Parallel()
	c := config(t, "")
	plugintest.Run(t, plugintest.Config{Platform: c.Platform, Plugin: fake.Plugin()})
}

// One case alone, as `go test -run` has it, runs: the first need not have.
func TestOneCaseAlone(t *testing.T) {
	t.Parallel()
	output, err := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFakeWithin$/^stale_epoch", "-test.v").CombinedOutput()
	if err != nil || !strings.Contains(string(output), "--- PASS: TestFakeWithin/stale_epoch_refused") {
		t.Errorf("%v\n%s", err, output)
	}
}
