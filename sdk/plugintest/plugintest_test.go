package plugintest_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest"
	"github.com/apm-deploy/apm/sdk/plugintest/fake"
)

// envFault has TestFakeWithin run a fake that breaks a rule.
const envFault = "APM_TEST_FAULT"

// TestMain is the fake plugin too: the suite starts this binary again as one.
func TestMain(m *testing.M) {
	if os.Getenv("APM_TEST_FAKE") != "" {
		os.Exit(fake.Main()) //nolint:forbidigo // the main of a plugin
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
		ChangeFiles: func(t plugintest.T) {
			write("v1", "one, changed")
			t.Cleanup(func() { write("v1", "one") })
		},
		ChangeLive: func(t plugintest.T, target sdk.Target) {
			if err := fake.ChangeLive(root, target); err != nil {
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
	c := config(t, os.Getenv(envFault))
	c.Plugin = fake.Plugin()
	if os.Getenv(envFault) == "blind" {
		c.Timeout = 3 * time.Second // for what never comes
	}
	plugintest.Run(t, c)
}

// Without specs only what needs none runs.
func TestFakeWithoutSpecs(t *testing.T) {
	t.Parallel()
	c := config(t, "")
	plugintest.Run(t, plugintest.Config{Platform: c.Platform, Plugin: fake.Plugin()})
}

// A suite that finds nothing proves nothing: each fault of the fake breaks one
// rule, and the case of that rule must fail.
func TestSuiteFindsFaults(t *testing.T) {
	t.Parallel()
	for fault, name := range map[string]string{
		"leak":      "secrets absent from logs and diffs",
		"diff":      "secrets absent from logs and diffs",
		"late":      "resolve reads everything",
		"rollback":  "snapshot, deploy, rollback",
		"keep":      "rollback to empty removes",
		"epoch":     "stale epoch refused",
		"mismatch":  "same id with another digest",
		"expected":  "state changed in between refused",
		"eager":     "staged: no traffic before promote",
		"forgetful": "cancel during deploy, then recover",
		"token":     "watch: expired token",
		"stateless": "watch: state first",
		"goroutine": "no goroutine left",
		"blind":     "watch: drift",
		"twice":     "deploy twice with the same id",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			inner := "^TestFakeWithin$/^" + strings.ReplaceAll(regexp.QuoteMeta(name), " ", "_") + "$"
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestFakeWithin$/^describe_before_configure$|"+inner, "-test.v")
			cmd.Env = append(os.Environ(), envFault+"="+fault)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || !strings.Contains(string(out), "--- FAIL: TestFakeWithin/"+strings.ReplaceAll(name, " ", "_")) {
				t.Errorf("the case %q does not find it: %v\n%s", name, err, out)
			}
		})
	}
}
