package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// audits returns the newest records of the audit trail, oldest first, as
// "action object detail".
func (h *host) audits(count int) []string {
	h.Helper()
	page, err := h.client(h.admin).Audit(h.Context(), "", count)
	ok(h.T, err)
	said := make([]string, len(page.Records))
	for i, r := range page.Records {
		if r.Actor != "test admin" {
			h.Errorf("audited of %s: %+v", r.Actor, r)
		}
		said[len(said)-1-i] = strings.TrimSpace(r.Action + " " + r.Object + " " + r.Detail)
	}
	return said
}

func TestRestartIsDoneOncePerKey(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	restart := func(key string) answer {
		header := map[string]string{}
		if key != "" {
			header["Idempotency-Key"] = key
		}
		return h.do(call{method: "POST", path: "/api/v1/plugins/process/restart", token: h.admin, header: header})
	}
	for i, step := range []struct {
		key  string
		done int64
	}{{"k1", 1}, {"k1", 1}, {"", 2}, {"", 3}, {"k2", 4}, {"k1", 4}} {
		got := restart(step.key)
		if got.status != http.StatusAccepted || h.plugins.restarts.Load() != step.done {
			t.Errorf("%d: %d, restarted %d times, want %d: %s", i, got.status, h.plugins.restarts.Load(), step.done, got.body)
		}
	}
	if got := h.do(call{method: "POST", path: "/api/v1/plugins/nothing/restart", token: h.admin, header: map[string]string{"Idempotency-Key": "k1"}}); got.status != http.StatusNotFound {
		t.Errorf("%d %s", got.status, got.body)
	}
	if diff := cmp.Diff([]string{"plugin.restart process", "plugin.restart process", "plugin.restart process", "plugin.restart process"}, h.audits(4)); diff != "" {
		t.Error(diff)
	}
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	c := h.client(h.admin)
	h.plugins.upgrade = func(_ context.Context, name string) (v1.PluginUpgrade, error) {
		return v1.PluginUpgrade{Plugin: name, FromVersion: "1", ToVersion: "2", FromSHA256: "aa", ToSHA256: "bb", Platforms: []string{"process"}}, nil
	}
	u, err := c.UpgradePlugin(t.Context(), "process")
	ok(t, err)
	if u.ToVersion != "2" || len(u.Platforms) != 1 {
		t.Errorf("%+v", u)
	}
	h.plugins.upgrade = func(_ context.Context, name string) (v1.PluginUpgrade, error) {
		return v1.PluginUpgrade{Plugin: name, ToVersion: "2", ToSHA256: "bb", Unchanged: true}, nil
	}
	got := h.do(call{method: "POST", path: "/api/v1/plugins/process/upgrade", token: h.admin})
	if got.status != http.StatusOK || !strings.Contains(string(got.body), `"unchanged":true`) || !strings.Contains(string(got.body), `"platforms":[]`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	for code, status := range map[deployment.ErrorCode]int{deployment.Conflict: 409, deployment.Unavailable: 503} {
		h.plugins.upgrade = func(context.Context, string) (v1.PluginUpgrade, error) {
			return v1.PluginUpgrade{}, &deployment.Error{
				Code: code, Message: "the new one is bad:\nthe old one stays in charge", Remedy: "mend it", RetryAfter: time.Second,
			}
		}
		got := h.do(call{method: "POST", path: "/api/v1/plugins/process/upgrade", token: h.admin})
		if got.status != status || got.problem.Remedy != "mend it" || !strings.Contains(got.problem.Detail, "stays in charge") {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	unknown := h.do(call{method: "POST", path: "/api/v1/plugins/nothing/upgrade", token: h.admin})
	if unknown.status != http.StatusNotFound || unknown.problem.Remedy != "known plugins: process" {
		t.Errorf("%d %s", unknown.status, unknown.body)
	}
	want := []string{
		"plugin.upgrade process", "plugin.upgrade.result process from 1 aa to 2 bb",
		"plugin.upgrade process", "plugin.upgrade.result process nothing to do: 2 bb",
		"plugin.upgrade process", "plugin.upgrade.result process failed: the new one is bad: the old one stays in charge",
		"plugin.upgrade process", "plugin.upgrade.result process failed: the new one is bad: the old one stays in charge",
	}
	if diff := cmp.Diff(want, h.audits(len(want))); diff != "" {
		t.Error(diff)
	}
}

// TestShutdownWaitsForNoUpgrade: a host that stops does not wait until a new plugin
// has settled, and what came of it is audited all the same.
func TestShutdownWaitsForNoUpgrade(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	begun := make(chan struct{})
	h.plugins.upgrade = func(ctx context.Context, _ string) (v1.PluginUpgrade, error) {
		close(begun)
		<-ctx.Done()
		return v1.PluginUpgrade{}, &deployment.Error{Code: deployment.Unavailable, Message: "nobody waits", Err: ctx.Err()}
	}
	answered := make(chan answer, 1)
	go func() {
		answered <- h.do(call{method: "POST", path: "/api/v1/plugins/process/upgrade", token: h.admin})
	}()
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ok(t, h.server.Shutdown(ctx))
	if got := <-answered; got.status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", got.status, got.body)
	}
	records, _, err := h.store.Audit(t.Context(), "", 1)
	if err != nil || len(records) != 1 || records[0].Detail != "failed: nobody waits" {
		t.Errorf("%+v, %v", records, err)
	}
}

// TestOutputNeedsAToken: the last lines of a plugin are log lines.
func TestOutputNeedsAToken(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	for token, want := range map[string]bool{"": false, h.viewer: true} {
		got := h.do(call{path: "/api/v1/plugins/process", token: token})
		if has := strings.Contains(string(got.body), "a line of its log"); got.status != http.StatusOK || has != want {
			t.Errorf("with the token %q: %s", token, got.body)
		}
		if list := h.do(call{path: "/api/v1/plugins", token: token}); strings.Contains(string(list.body), "a line of its log") {
			t.Errorf("the list: %s", list.body)
		}
	}
}

func TestFeedTellsOfPlatforms(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	d := h.accept("v1")
	all, _ := h.listen("", "", nil)
	mine, _ := h.listen("?platform=process", "", nil)
	for _, feed := range []*listener{all, mine} {
		var snapshot v1.FeedSnapshot
		ok(t, json.Unmarshal(feed.next().Data, &snapshot))
		if len(snapshot.Plugins) != 1 || snapshot.Plugins[0].State != "ready" || snapshot.Plugins[0].Output != nil {
			t.Fatalf("snapshot: %+v", snapshot.Plugins)
		}
	}
	others := map[string]*listener{}
	for _, query := range []string{"?platform=another", "?application=my-app", "?environment=production"} {
		others[query], _ = h.listen(query, "", nil)
		var snapshot v1.FeedSnapshot
		ok(t, json.Unmarshal(others[query].next().Data, &snapshot))
		if len(snapshot.Plugins) != 0 {
			t.Errorf("%s: %+v", query, snapshot.Plugins)
		}
	}
	h.commit(d, note("one"))
	seq := all.next().Seq
	h.plugins.breaks()
	event := all.next()
	var p v1.Plugin
	ok(t, json.Unmarshal(event.Data, &p))
	if event.Type != "plugin.status" || !event.Ephemeral || event.DeploymentID != "" || event.Seq != seq || event.Cursor == "" {
		t.Errorf("%+v", event)
	}
	if p.Platform != "process" || p.State != "broken" || p.Reason != "exit status 1" || p.Output != nil {
		t.Errorf("%+v", p)
	}
	// It is told once, and the rows go on after its cursor.
	h.commit(d, note("two"))
	if next := all.next(); next.Type == "plugin.status" || next.Seq != seq+1 {
		t.Errorf("%+v", next)
	}
	again, _ := h.listen("?after="+event.Cursor, "", nil)
	again.next()
	if next := again.next(); next.Seq != seq+1 {
		t.Errorf("after its cursor: %+v", next)
	}
	for query, feed := range others {
		for want := seq; want <= seq+1 && query != "?platform=another"; want++ {
			if next := feed.next(); next.Type == "plugin.status" || next.Seq != want {
				t.Errorf("%s: %+v", query, next)
			}
		}
	}
}

func TestMetricsOfPlugins(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	h.plugins.broken.Store(true)
	page := "\n" + string(h.do(call{path: "/metrics"}).body)
	want := []string{
		`apm_plugin_up{platform="process"} 0`, `apm_plugin_restarts_total{platform="process"} 0`,
		`apm_plugin_misdeeds_total{platform="process",rule="plugin_bug"} 2`, `apm_plugin_misdeeds_total{platform="process",rule="after_outcome"} 0`,
		`apm_plugin_state{platform="process",plugin="process",state="broken"} 1`,
	}
	for _, state := range []string{"absent", "starting", "ready", "unhealthy", "backoff", "draining", "stopped"} {
		want = append(want, `apm_plugin_state{platform="process",plugin="process",state="`+state+`"} 0`)
	}
	for _, line := range want {
		if !strings.Contains(page, "\n"+line+"\n") {
			t.Errorf("no line %s in\n%s", line, ours(page))
		}
	}
}
