package plugintest_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest"
	"github.com/apm-deploy/apm/sdk/plugintest/fake"
)

// quick is a Config of which few cases run.
func quick(t *testing.T) plugintest.Config {
	t.Helper()
	return plugintest.Config{Platform: config(t, "").Platform, Plugin: fake.Plugin()}
}

func byName(t *testing.T, results []plugintest.Result, name string) plugintest.Result {
	t.Helper()
	at := slices.IndexFunc(results, func(r plugintest.Result) bool { return r.Case == name })
	if at < 0 {
		t.Fatalf("no result of the case %q", name)
	}
	return results[at]
}

func TestCheckTellsEachCaseOnceInOrder(t *testing.T) {
	t.Parallel()
	var told []string
	results := plugintest.Check(t.Context(), quick(t), func(r plugintest.Result) { told = append(told, r.Case) })
	if !slices.Equal(told, plugintest.Cases()) || len(results) != len(told) {
		t.Errorf("told %q, %d results, want %q", told, len(results), plugintest.Cases())
	}
	for _, r := range results {
		if r.Status == plugintest.Failed || r.Status == plugintest.Skipped && len(r.Messages) == 0 {
			t.Errorf("%+v", r)
		}
	}
	if r := byName(t, results, "describe before configure"); r.Status != plugintest.Passed || r.Duration == 0 {
		t.Errorf("%+v", r)
	}
	if r := byName(t, results, "deploy twice with the same id"); r.Status != plugintest.Skipped || !strings.Contains(r.Messages[0], "SpecV1") {
		t.Errorf("%+v", r)
	}
}

func TestCheckSaysWhatIsWrongWithItsConfig(t *testing.T) {
	t.Parallel()
	results := plugintest.Check(t.Context(), plugintest.Config{}, nil)
	for at, r := range results {
		if want := map[bool]plugintest.Status{true: plugintest.Failed, false: plugintest.Skipped}[at == 0]; r.Status != want {
			t.Errorf("%+v, want %s", r, want)
		}
	}
	if text := strings.Join(results[0].Messages, "\n"); !strings.Contains(text, "Command") {
		t.Errorf("messages %q", text)
	}
}

// A hook that ends its case by Fatal, or panics, ends only its case, and the
// cleanups are done, the last first.
func TestCheckSurvivesItsCases(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(plugintest.T){
		"fatal": func(h plugintest.T) { h.Fatal("the hook's last words") },
		"panic": func(plugintest.T) { panic("the hook's last words") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config(t, "")
			c.Plugin = fake.Plugin()
			var done []string
			var dir string
			// The one other case that has files changed would end in the same way.
			c.Only = func(name string) bool { return name != "what the host may want back is kept" }
			c.ChangeFiles = func(h plugintest.T) {
				dir = h.TempDir()
				h.Cleanup(func() { done = append(done, "first") })
				h.Cleanup(func() { done = append(done, "second"); end(h) })
				h.Cleanup(func() { done = append(done, "third") })
				end(h)
			}
			results := plugintest.Check(t.Context(), c, nil)
			for _, r := range results {
				if failed := r.Status == plugintest.Failed; failed != (r.Case == "resolve reads everything") {
					t.Errorf("%+v", r)
				}
			}
			text := strings.Join(byName(t, results, "resolve reads everything").Messages, "\n")
			if strings.Count(text, "the hook's last words") != 2 {
				t.Errorf("messages %q", text)
			}
			if want := []string{"third", "second", "first"}; !slices.Equal(done, want) {
				t.Errorf("cleanups %q, want %q", done, want)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("directory of the case: %v", err)
			}
		})
	}
}

// When its context ends, the case under way removes what it deployed, and what did
// not run is no success.
func TestCheckEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	c := config(t, "")
	c.Plugin = fake.Plugin()
	var target sdk.Target
	c.ChangeLive = func(h plugintest.T, at sdk.Target) {
		target = at
		cancel(errors.New("somebody pressed a key"))
	}
	c.Serves = nil
	results := plugintest.Check(ctx, c, nil)
	if len(results) != len(plugintest.Cases()) || target.Application == "" {
		t.Fatalf("%d results, stopped at %+v", len(results), target)
	}
	stopped := false
	for _, r := range results {
		if r.Status == plugintest.Failed {
			stopped = true
		}
		if stopped && (r.Status != plugintest.Failed || !strings.Contains(strings.Join(r.Messages, "\n"), "somebody pressed a key")) {
			t.Errorf("%+v", r)
		}
	}
	var platform struct{ Root string }
	if err := json.Unmarshal(c.Platform, &platform); err != nil {
		t.Fatal(err)
	}
	if text, err := fake.Runs(platform.Root, target); err != nil || text != "" {
		t.Errorf("what the case deployed is left: %q %v", text, err)
	}
}
