package sqlite_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	const canary = "canary-4711"
	directory := t.TempDir()
	s := open(t, config(t, directory))
	a := build(shop, "d1")
	d := a.Deployment
	spec := json.RawMessage(`{"env":{"PASSWORD":"` + canary + `"}}`)
	component := deployment.ComponentDefinition{
		Name: "web", Platform: "process", Spec: spec, Checks: []deployment.CheckDefinition{{
			Name: "up", Type: "http", HTTP: &deployment.HTTPCheck{Headers: map[string]string{"Authorization": canary}},
		}},
	}
	d.Definition = deployment.Definition{
		Components: []deployment.ComponentDefinition{component},
		Source:     deployment.Source{Content: []byte(canary), Request: deployment.Request{Configuration: spec}},
	}
	d.Components[0].Definition = component
	a.Blobs = []deployment.Blob{{Key: "release/d1/web", DeploymentID: "d1", Data: []byte(canary)}}
	if err := s.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	leases, err := s.Claim(t.Context(), "host-a", 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	change := next(d, leases[0])
	change.Blobs = []deployment.Blob{{Key: "evidence/d1", DeploymentID: "d1", Data: []byte(canary)}}
	change.State = &deployment.TargetState{Target: shop, Current: "d1", Components: map[string]deployment.Running{
		"web": {Deployment: "d1", Handle: deployment.Handle{State: []byte(canary)}, Addresses: map[string]string{"http": canary}},
	}}
	d.Run().Steps = []deployment.Step{{Component: "web", GoalSpec: spec, Operations: []deployment.Operation{{Token: []byte(canary)}}}}
	if err := s.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	got, err := s.Deployment(t.Context(), "d1")
	if err != nil || !bytes.Contains(got.Components[0].Definition.Spec, []byte(canary)) {
		t.Fatalf("it was not stored at all: %v", err)
	}

	search := func(when string) {
		t.Helper()
		// What is in the clear shows that the search finds what is there.
		if found(t, directory, "production") == 0 {
			t.Errorf("%s: the files hold nothing", when)
		}
		for _, text := range []string{canary, "Y2FuYXJ5LTQ3MT"} { // as it is, and base64
			if n := found(t, directory, text); n != 0 {
				t.Errorf("%s: %q is %d times in the files", when, text, n)
			}
		}
	}
	search("open")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	search("closed")
}

// found counts the text in all files of the database.
func found(t *testing.T, directory, text string) int {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(directory, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		n += bytes.Count(content, []byte(text))
	}
	return n
}

// What is sealed for one row is worth nothing in another.
func TestSealedRowsCannotBeSwapped(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	s := open(t, config(t, directory))
	for _, id := range []string{"d1", "d2"} {
		a := build(shop, id)
		a.Blobs = []deployment.Blob{{Key: "release/" + id, DeploymentID: id, Data: []byte(id)}}
		if err := s.Accept(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	run(t, raw(t, directory),
		`UPDATE deployments SET aggregate = (SELECT aggregate FROM deployments WHERE id = 'd1') WHERE id = 'd2'`,
		`UPDATE blobs SET sealed = (SELECT sealed FROM blobs WHERE key = 'release/d1') WHERE key = 'release/d2'`)
	if d, err := s.Deployment(t.Context(), "d2"); err == nil {
		t.Errorf("read %s as d2", d.ID)
	}
	if content, err := s.Blob(t.Context(), "release/d2"); err == nil {
		t.Errorf("read %q as that of d2", content)
	}
	if _, err := s.Deployment(t.Context(), "d1"); err != nil {
		t.Error(err)
	}
}
