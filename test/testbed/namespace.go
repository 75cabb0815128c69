package testbed

import (
	"context"
	"crypto/rand"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

var unfit = regexp.MustCompile(`[^a-z0-9]+`)

// Namespace makes a namespace for a test, removed with all that is in it when the
// test ends. When the test has failed its objects and events are logged first.
func (c *Cluster) Namespace(t testing.TB) string {
	t.Helper()
	name := strings.Trim(unfit.ReplaceAllString(strings.ToLower(t.Name()), "-"), "-")
	name = strings.Trim(name[:min(len(name), 40)], "-") + "-" + strings.ToLower(rand.Text()[:6])
	c.Kubectl(t, "create", "namespace", name)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if t.Failed() {
			c.report(ctx, t, name)
		}
		if _, err := c.TryKubectl(ctx, "", "delete", "namespace", name, "--wait=false"); err != nil {
			t.Errorf("remove the namespace: %v", err)
		}
	})
	// Pods are refused until the account that they run under is there.
	Eventually(t, time.Minute, "the namespace has its account", func() error {
		_, err := c.TryKubectl(t.Context(), "", "get", "serviceaccount", "default", "--namespace", name)
		return err
	})
	return name
}

func (c *Cluster) report(ctx context.Context, t testing.TB, namespace string) {
	for _, args := range [][]string{
		{"get", "all", "--output=wide"},
		{"get", "events", "--sort-by=.lastTimestamp"},
	} {
		output, err := c.TryKubectl(ctx, "", append(args, "--namespace", namespace)...)
		if err != nil {
			output = err.Error()
		}
		t.Logf("kubectl %s:\n%s", strings.Join(args, " "), output)
	}
}

// Eventually repeats a question until it has no error; the test fails with the
// last one when the patience is over.
func Eventually(t testing.TB, patience time.Duration, what string, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %v", what, patience, err)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(fmt.Errorf("%s: %w", what, err))
		case <-time.After(100 * time.Millisecond):
		}
	}
}
