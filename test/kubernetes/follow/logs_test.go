package follow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/test/testbed"
)

// collected are the lines that were sent.
type collected struct {
	mu    sync.Mutex
	lines []follow.LogLine
}

func (c *collected) send(lines ...follow.LogLine) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, lines...)
	return nil
}

// of a container, with a mark on those of the instance before.
func (c *collected) of(pod string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []string
	for _, line := range c.lines {
		if !strings.HasPrefix(line.Pod.Name, pod) {
			continue
		}
		if line.Previous {
			line.Text = "previous: " + line.Text
		}
		found = append(found, line.Text)
	}
	return found
}

const talker = `
apiVersion: v1
kind: Pod
metadata: {name: talker}
spec:
  containers: [{name: app, image: "%s"}]
---
apiVersion: v1
kind: Pod
metadata: {name: quiet}
spec:
  containers: [{name: app, image: "%s"}]
`

// instance is what one of the talker's writes.
var instance = []string{"app v2 reads its configuration", "app v2 starts, mode crash", "app: configuration of the database is missing"}

// same says whether lines are those that are wanted, in whichever order.
func same(lines, want []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(lines)), want)
}

// TestLogs reads the logs of what runs, of the instance before, and the last lines.
func TestLogs(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns := c.Namespace(t)
	f, _ := follower(t, c.Kubeconfig(), follow.Options{})
	c.Apply(t, ns, fmt.Sprintf(talker, c.Image("v2-crash"), c.Image("v1")))
	s := subject(ns, "v1", "Pod", "talker", "quiet")
	until(t, f, s, "one has crashed, one runs", func(p picture.Picture) string {
		if len(p.Workloads) != 2 || len(p.Workloads[0].Pods) != 1 || p.Workloads[1].Ready != 1 {
			return show(p)
		}
		// While it waits for its next start the last instance is kept.
		if app := p.Workloads[0].Pods[0].Containers[0]; app.Restarts < 1 || app.State.Reason != "CrashLoopBackOff" {
			return show(p)
		}
		return ""
	})
	read := func(options follow.LogOptions) *collected {
		t.Helper()
		got := &collected{}
		if err := f.Logs(t.Context(), s, options, got.send); err != nil {
			t.Fatal(err)
		}
		return got
	}
	got := read(follow.LogOptions{})
	// Its two outputs come in any order.
	if crashed := got.of("talker"); !same(crashed, instance) {
		t.Errorf("the log is %q", crashed)
	}
	if quiet := got.of("quiet"); len(quiet) != 2 {
		t.Errorf("the log of the other is %q", quiet)
	}
	got = read(follow.LogOptions{Previous: true, Pod: "talker", Tail: 1})
	if crashed := got.of(""); len(crashed) != 1 || !slices.Contains(instance, strings.TrimPrefix(crashed[0], "previous: ")) || !strings.HasPrefix(crashed[0], "previous: ") {
		t.Errorf("the log before is %q", crashed)
	}
	if got = read(follow.LogOptions{Previous: true, Pod: "quiet"}); len(got.of("")) != 0 {
		t.Errorf("the log of an instance that never was: %q", got.of(""))
	}
	if got = read(follow.LogOptions{Since: time.Now().Add(time.Minute)}); len(got.of("")) != 0 {
		t.Errorf("the log of times to come is %q", got.of(""))
	}
	enough := errors.New("enough")
	if err := f.Logs(t.Context(), s, follow.LogOptions{}, func(...follow.LogLine) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the error of send becomes %v", err)
	}
}

// TestLogsFollowed takes every line once, over restarts of a container, of the API server,
// and of pods that come later.
func TestLogsFollowed(t *testing.T) {
	t.Parallel()
	c := testbed.Isolated(t)
	ns := c.Namespace(t)
	f, _ := follower(t, c.Kubeconfig(), follow.Options{})
	s := subject(ns, "v1", "Pod", "talker", "quiet")
	ctx, cancel := context.WithCancel(context.Background())
	got, done := &collected{}, make(chan error, 1)
	go func() { done <- f.Logs(ctx, s, follow.LogOptions{Follow: true}, got.send) }()
	defer func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	}()
	c.Apply(t, ns, fmt.Sprintf(talker, c.Image("v2-crash"), c.Image("v1")))
	instances := func(n int) func() error {
		return func() error {
			lines := got.of("talker")
			for i := range lines {
				lines[i] = strings.TrimPrefix(lines[i], "previous: ")
			}
			for i := 0; i+3 <= len(lines); i += 3 {
				if !same(lines[i:i+3], instance) {
					t.Fatalf("instance %d wrote %q: %q", i/3, lines[i:i+3], lines)
				}
			}
			if len(lines) < 3*n {
				return fmt.Errorf("%d lines", len(lines))
			}
			return nil
		}
	}
	testbed.Eventually(t, patience, "two instances were heard", instances(2))
	c.Kill(t, testbed.APIServer)
	c.Start(t, testbed.APIServer)
	testbed.Eventually(t, patience, "four instances were heard", instances(4))
	if quiet := got.of("quiet"); len(quiet) != 2 {
		t.Errorf("the log of the other is %q", quiet)
	}
	c.Kubectl(t, "delete", "pod", "quiet", "-n", ns)
	testbed.Eventually(t, patience, "the last word was heard", func() error {
		if quiet := got.of("quiet"); len(quiet) != 3 || quiet[2] != "app v1 ends" {
			return fmt.Errorf("%q", quiet)
		}
		return nil
	})
}
