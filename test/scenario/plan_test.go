package scenario_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// tamper changes what runs of the only component, behind the host's back, and
// returns how to undo it.
func tamper(t *testing.T, h *harness.Host, version string) (undo func()) {
	t.Helper()
	copies, err := filepath.Glob(h.Path(".local/state/apm/process/*/artifacts/*/files/VERSION"))
	if err != nil || len(copies) == 0 {
		t.Fatalf("no unpacked artifact: %v", err)
	}
	for _, path := range copies {
		if content, err := os.ReadFile(path); err != nil || string(content) != version {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		write := func(text string) {
			_ = os.Chmod(path, 0o644)
			if err := os.WriteFile(path, []byte(text), info.Mode()); err != nil {
				t.Fatal(err)
			}
			_ = os.Chmod(path, info.Mode())
		}
		write("tampered with")
		return func() { write(version) }
	}
	t.Fatalf("no unpacked artifact of %s", version)
	return nil
}

// marked makes the artifact of each version with a file that says which it is.
func marked(h *harness.Host, versions ...string) {
	h.Artifact(versions...)
	for _, version := range versions {
		h.Write("artifacts/"+version+"/VERSION", version)
	}
}

// dryRun runs a command with --dry-run and keeps the plan in a file.
func dryRun(t *testing.T, h *harness.Host, file string, arguments ...string) apiv1.Plan {
	t.Helper()
	r := h.Must(0, append(arguments, "--dry-run", "-o", "json")...)
	h.Write(file, r.Stdout)
	var plan apiv1.Plan
	h.JSON(r, &plan)
	return plan
}

// TestPlanOfARollback looks before it leaps: a dry run changes nothing, its plan
// is carried out while it holds, and refused as soon as it does not.
func TestPlanOfARollback(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t)
	marked(h, "v1", "v2")
	h.Quickly("shop", "v1")
	d := h.Quickly("shop", "v2")
	pid := h.Serves(address, "v2")

	text := h.Must(0, "deploy", "rollback", d.ID, "--dry-run").Stdout
	for _, told := range []string{
		"Rollback of shop in test from v2 to v1", "web (process): restore", "start 1 instances of version v1",
		"    $ cd ", "./server", "expected downtime  none", "not restored       data that the application wrote",
	} {
		if !strings.Contains(text, told) {
			t.Errorf("the dry run does not tell %q:\n%s", told, text)
		}
	}
	plan := dryRun(t, h, "plan.json", "deploy", "rollback", d.ID)
	if plan.Kind != "rollback" || plan.From != "v2" || plan.To != "v1" || len(plan.Planned.Components) != 1 ||
		plan.Planned.Components[0].ObservedDigest == "" || plan.Planned.Components[0].SnapshotDigest == "" {
		t.Errorf("the plan: %+v", plan)
	}
	if got := h.Serves(address, "v2"); got != pid {
		t.Errorf("after the dry run instance %s answers, before it %s", got, pid)
	}
	if got := h.Get(d.ID); got.Seq != d.Seq {
		t.Errorf("the dry run left events: seq %d, was %d", got.Seq, d.Seq)
	}

	undo := tamper(t, h, "v2")
	refused := h.Must(9, "deploy", "rollback", d.ID, "--plan", "plan.json")
	if !strings.Contains(refused.Stderr, "plan out of date: component web was changed on the platform") {
		t.Errorf("the refusal does not say what changed: %s", refused)
	}
	body, err := json.Marshal(apiv1.RollbackRequest{Planned: &plan.Planned})
	if err != nil {
		t.Fatal(err)
	}
	answer := h.REST("POST", "/api/v1/deployments/"+d.ID+"/rollback", string(body))
	if answer.Status != 409 || answer.Problem(h).Code != "plan_out_of_date" {
		t.Errorf("REST answers %d %s", answer.Status, answer.Body)
	}
	if got := h.Serves(address, "v2"); got != pid {
		t.Errorf("after the refusal instance %s answers, before it %s", got, pid)
	}
	undo()
	h.Must(0, "deploy", "rollback", d.ID, "--plan", "plan.json", "--reason", "approved", "--watch")
	h.Serves(address, "v1")
	d = h.Ended(d.ID)
	if d.Status != "rolled_back" || d.Reason != "back on v1: approved" {
		t.Errorf("it ended %s: %s", d.Status, d.Reason)
	}
}

// TestPlanOfAStart is about a version that was looked at before it is started.
func TestPlanOfAStart(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t)
	marked(h, "v1", "v2", "v3")
	first := dryRun(t, h, "first.json", "deploy", "start", "--name", "shop", "--version", "v1")
	if first.Kind != "deploy" || first.From != "" || first.To != "v1" || first.Request == nil {
		t.Errorf("the first plan: %+v", first)
	}
	list := h.REST("GET", "/api/v1/deployments", "")
	if !strings.Contains(list.Body, `"deployments":[]`) {
		t.Errorf("a dry run is in the list: %s", list.Body)
	}
	h.Must(0, "deploy", "start", "--plan", "first.json", "--watch")
	h.Serves(address, "v1")

	dryRun(t, h, "second.json", "deploy", "start", "--name", "shop", "--version", "v2")
	h.Quickly("shop", "v3")
	refused := h.Must(9, "deploy", "start", "--plan", "second.json")
	if !strings.Contains(refused.Stderr, "plan out of date: component web ") {
		t.Errorf("the refusal does not name the component: %s", refused)
	}
	// The files of a version that was looked at are others by now.
	dryRun(t, h, "third.json", "deploy", "start", "--name", "shop", "--version", "v2")
	h.Write("artifacts/v2/VERSION", "v2, built anew")
	refused = h.Must(9, "deploy", "start", "--plan", "third.json", "--watch")
	if !strings.Contains(refused.Stderr, "component web would get another release") {
		t.Errorf("the refusal does not say what changed: %s", refused)
	}
	h.Serves(address, "v3")
	if got, want := h.Starts("web"), []string{"v1", "v3"}; !slices.Equal(got, want) {
		t.Errorf("started: %v, want %v", got, want)
	}

	h.Must(2, "deploy", "start", "--plan", "third.json", "--version", "v3")
	h.Must(2, "deploy", "rollback", h.Quickly("shop", "v1").ID, "--plan", "third.json")
}

// TestPlanThatAgesInTheQueue holds when it is accepted, and not any more when
// its turn comes.
func TestPlanThatAgesInTheQueue(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t, "v1")
	h.Artifact("v2", "v3")
	h.Write("artifacts/v3/VERSION", "v3")
	dryRun(t, h, "plan.json", "deploy", "start", "--name", "shop", "--version", "v3")
	h.Sicken("web", "v2") // its candidate waits for better times
	holder := h.Deploy("shop", "v2")
	h.Await(holder.ID, 0, harness.Type("candidate.ready", "web"))
	var late apiv1.Deployment
	h.JSON(h.Must(0, "deploy", "start", "--plan", "plan.json", "-o", "json"), &late)
	watch := h.Begin("deploy", "watch", late.ID)
	h.Sicken("web")
	h.Ends(holder.ID, harness.End{Status: "completed", Path: harness.Forward})
	h.Ends(late.ID, harness.End{
		Status: "failed", Reason: `^plan out of date: component web was changed on the platform after the plan was made`,
		Path: []string{"preparing", "failed"},
	})
	if r := watch.Wait(); r.Code != 9 {
		t.Errorf("the watch of it: %s", r)
	}
	h.Serves(address, "v2")
}
