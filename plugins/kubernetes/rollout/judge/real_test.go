package judge_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/judge"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

var update = flag.Bool("update", false, "write the golden files anew")

// told are the pictures of a real cluster, one after the other.
func told(t *testing.T, name string) []picture.Picture {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "real", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var all []picture.Picture
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	for decoder.More() {
		var p picture.Picture
		if err := decoder.Decode(&p); err != nil {
			t.Fatalf("%s, picture %d: %v", name, len(all)+1, err)
		}
		all = append(all, p)
	}
	return all
}

// TestRealClusters judges what a real cluster showed of good and of broken changes. The
// golden file of each is what a person reads.
func TestRealClusters(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		kind judge.Kind
		code string // of the failure
		what string // part of its message
	}{
		"good":      {judge.Done, "", ""},
		"slow":      {judge.Done, "", ""},
		"missing":   {judge.Failed, sdk.CodeImageNotFound, "not found"},
		"badname":   {judge.Failed, sdk.CodeImageNotFound, "must be lowercase"},
		"private":   {judge.Failed, sdk.CodeImagePullDenied, "401 Unauthorized"},
		"forbidden": {judge.Failed, sdk.CodeImagePullDenied, "403 Forbidden"},
		"down":      {judge.Environment, sdk.CodeRegistryUnreachable, "connection refused"},
		"nohost":    {judge.Environment, sdk.CodeRegistryUnreachable, "i/o timeout"},
		"crash":     {judge.Failed, sdk.CodeCrashLoop, "exit code 3"},
		"init":      {judge.Failed, sdk.CodeCrashLoop, "container migrate"},
		"command":   {judge.Failed, sdk.CodeConfigMissing, "/nothing"},
		"oom":       {judge.Failed, sdk.CodeOOMKilled, "limits memory 64Mi"},
		"unhealthy": {judge.Failed, sdk.CodeProbeFailing, "statuscode: 500"},
		"unready":   {judge.Failed, sdk.CodeProbeFailing, "statuscode: 503"},
		"selector":  {judge.Failed, sdk.CodeUnschedulable, "node affinity/selector"},
		"cpu":       {judge.Failed, sdk.CodeUnschedulable, "requests cpu 64"},
		"pvc":       {judge.Failed, sdk.CodeConfigMissing, `"data"`},
		"configmap": {judge.Failed, sdk.CodeConfigMissing, `configmap "settings"`},
		"secret":    {judge.Failed, sdk.CodeConfigMissing, `secret "nowhere"`},
		"key":       {judge.Failed, sdk.CodeConfigMissing, "nokey"},
		"volume":    {judge.Failed, sdk.CodeConfigMissing, "ConfigMap shop/settings"},
		"account":   {judge.Failed, sdk.CodeConfigMissing, "nobody"},
		"root":      {judge.Failed, sdk.CodeOther, "non-root"},
		"quota":     {judge.Failed, sdk.CodeQuotaExceeded, "small"},
		"paused":    {judge.Failed, sdk.CodeOther, "paused"},
		"sgood":     {judge.Done, "", ""},
		"spart":     {judge.Done, "", ""},
		"sdelete":   {judge.Done, "", ""},
		"sbad":      {judge.Failed, sdk.CodeImageNotFound, "sbad-2"},
		"dgood":     {judge.Done, "", ""},
		"dbad":      {judge.Failed, sdk.CodeImageNotFound, "not found"},
		"jdone":     {judge.Done, "", ""},
		"jfail":     {judge.Failed, sdk.CodeExited, "backoff limit"},
		"tick":      {judge.Done, "", ""},
		"stopped":   {judge.Done, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var text strings.Builder
			last := judge.Judgement{}
			pictures := told(t, name)
			for _, p := range pictures {
				last = judge.Judge(p, judge.Policy{})
				passes(t, p)
				describe(&text, p.At.Sub(pictures[0].At), last)
			}
			golden(t, name, text.String())
			if last.Verdict.Kind != want.kind {
				t.Fatalf("it ends as %s, want %s: %s", last.Verdict.Kind, want.kind, last.Verdict.Message)
			}
			f := last.Verdict.Failure
			if want.code == "" {
				if f != nil {
					t.Errorf("it has a failure: %+v", f)
				}
				return
			}
			if f == nil || f.Code != want.code || !strings.Contains(f.Message, want.what) {
				t.Fatalf("the failure is %+v, want %s with %q", f, want.code, want.what)
			}
			if f.Environment != (want.kind == judge.Environment) || f.Suggestion == "" || f.Resource == "" {
				t.Errorf("it says neither what to do nor where, or blames the wrong one: %+v", f)
			}
			ids := make(map[string]bool)
			for _, r := range last.Resources {
				ids[r.ID] = true
			}
			if !ids[f.Resource] {
				t.Errorf("it is about %q, which is no resource of %v", f.Resource, ids)
			}
		})
	}
}

func describe(text *strings.Builder, at time.Duration, j judge.Judgement) {
	fmt.Fprintf(text, "+%.0fs %s, %.0f%%: %s\n", at.Seconds(), j.Verdict.Kind, 100*j.Progress.Fraction, j.Progress.Message)
	f := j.Verdict.Failure
	if f == nil {
		return
	}
	fmt.Fprintf(text, "  %s %s\n  to do: %s\n", f.Code, f.Resource, f.Suggestion)
	for _, line := range f.Logs {
		fmt.Fprintf(text, "  log: %s\n", line.Line)
	}
	for _, line := range f.Events {
		fmt.Fprintf(text, "  event: %s\n", line)
	}
	for _, r := range j.Resources {
		fmt.Fprintf(text, "  %-10s %s < %s %d/%d %s: %s\n", words[r.Health], r.ID, r.ParentID, r.Ready, r.Desired, r.Reason, r.Message)
	}
	for _, c := range j.Checks {
		fmt.Fprintf(text, "  %-10s %s: %s\n", answers[c.Status], c.Name, c.Message)
	}
}

var words = map[sdk.ResourceHealth]string{
	sdk.ResourcePending: "pending", sdk.ResourceReady: "ready", sdk.ResourceDegraded: "degraded",
	sdk.ResourceFailed: "failed", sdk.ResourceGone: "gone",
}

var answers = map[sdk.CheckStatus]string{
	sdk.CheckHealthy: "healthy", sdk.CheckDegraded: "degraded", sdk.CheckUnhealthy: "unhealthy", sdk.CheckUnknown: "unknown",
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "real", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("it says something else than before (-update writes it anew):\n%s", diff)
	}
}

// passes looks at the same facts later: what has failed stays so, and what does not say
// that time changes it does not change.
func passes(t *testing.T, p picture.Picture) {
	t.Helper()
	before := judge.Judge(p, judge.Policy{}).Verdict
	for range 2000 {
		if before.Again.IsZero() {
			p.At = p.At.Add(24 * time.Hour)
		} else if p.At = before.Again.Add(-time.Nanosecond); p.At.Before(before.Again) {
			if now := judge.Judge(p, judge.Policy{}).Verdict; now.Kind != before.Kind {
				t.Errorf("it is %s before %s, when it was to be looked at again, and was %s", now.Kind, before.Again, before.Kind)
			}
			p.At = before.Again
		}
		now := judge.Judge(p, judge.Policy{}).Verdict
		if before.Kind == judge.Failed && now.Kind != judge.Failed {
			t.Errorf("at %s it has failed before and is %s: %s", p.At, now.Kind, now.Message)
		}
		if before.Again.IsZero() {
			if now.Kind != before.Kind {
				t.Errorf("time alone has made it %s, it was %s: %s", now.Kind, before.Kind, now.Message)
			}
			return
		}
		before = now
	}
	t.Error("it is to be looked at again without end")
}
