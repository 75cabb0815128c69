package scenario_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// TestSecretsAreNowhere deploys what holds secrets, well, failing and planned, and
// then looks for them in all that the host keeps and says: they are where the
// application is, and nowhere else.
func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	const ofTheFile, ofTheRequest, ofTheCheck = "canary-file-7193", "canary-request-2846", "canary-check-5520"
	h := harness.Started(t)
	h.Artifact("v1", "v2")
	address := h.Address()
	check := strings.Replace(harness.HTTPCheck("healthz", "http://${address}/healthz"), "passes", "headers = { Authorization = \"Bearer "+ofTheCheck+"\" }\n      passes", 1)
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{
		{Name: "web", Listen: address, Env: map[string]string{"PASSWORD": ofTheFile}, Checks: check},
	}})
	first := h.Quickly("shop", "v1")
	environ, err := os.ReadFile("/proc/" + h.Serves(address, "v1") + "/environ")
	if err != nil || !bytes.Contains(environ, []byte("PASSWORD="+ofTheFile)) {
		t.Fatalf("the application was not given its secrets: %v, %q", err, environ)
	}
	second := h.DeployRequest(apiv1.StartRequest{
		Name: "shop", Version: "v2", Policy: json.RawMessage(`{"bake":"10m"}`),
		Configuration: json.RawMessage(fmt.Sprintf(`{"env":{"API_KEY":%q,"DEMO_VERSION":"v2","DEMO_SICK":%q}}`, ofTheRequest, h.Path("web.sick"))),
	})
	seen := h.Follow(second.ID)
	h.Await(second.ID, 0, harness.Status("verifying"))
	h.Sicken("web", "v2")
	second = h.Ended(second.ID)

	// One that gives its secrets away, and fails with that as its last words.
	third := h.DeployRequest(apiv1.StartRequest{
		Name: "shop", Version: "v2",
		Configuration: json.RawMessage(`{"command":["/bin/sh","-c","echo \"the password is $PASSWORD\"; echo \"key=$API_KEY\" >&2; exit 3"],"env":{"API_KEY":"` + ofTheRequest + `"}}`),
	})
	h.Ended(third.ID)

	said := map[string]string{"host.log": h.Read("host.log")}
	for _, id := range []string{first.ID, second.ID, third.ID} {
		for _, path := range []string{"", "/events", "/runs", "/timeline", "/releases", "/snapshots", "/evidence", "/logs", "/rollback-candidates"} {
			path = "/api/v1/deployments/" + id + path
			said[path] = got(t, h, path)
		}
		for _, words := range [][]string{{"status", id}, {"explain", id}, {"history", id}, {"watch", id}, {"logs", id, "--previous"}} {
			for _, format := range []string{"wide", "json"} {
				r := h.CLI(append(append([]string{"deploy"}, words...), "-o", format)...)
				said["apm deploy "+strings.Join(words, " ")+" -o "+format] = r.Stdout + r.Stderr
			}
		}
	}
	for _, path := range []string{
		"/api/v1/deployments", "/api/v1/targets", "/api/v1/targets/shop/test", "/api/v1/applications", "/api/v1/audit", "/api/v1/plugins/process", "/metrics",
	} {
		said[path] = got(t, h, path)
	}
	for name, words := range map[string][]string{
		"plan of a rollback": {"rollback", first.ID, "--dry-run"}, "plan of a removal": {"remove", "shop", "--dry-run"},
		"plan of a start": {"start", "--name", "shop", "--version", "v2", "--dry-run"},
	} {
		said[name] = h.Must(0, append([]string{"deploy"}, words...)...).Stdout
	}
	refused := h.REST("POST", "/api/v1/deployments", `{"name":"shop","version":"v2","configuration":{"env":{"A=B":"`+ofTheRequest+`"}}}`)
	said["a refusal"] = refused.Body
	for i, e := range seen(second.Seq) {
		said[fmt.Sprintf("message %d of the WebSocket", i)] = string(e.Data)
	}
	err = filepath.WalkDir(h.Data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		said[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	whole := ""
	for where, text := range said {
		whole += text
		for _, secret := range []string{ofTheFile, ofTheRequest, ofTheCheck} {
			for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))[:15]} {
				if at := strings.Index(text, form); at >= 0 {
					t.Errorf("%s holds %s: …%s…", where, secret, text[max(0, at-60):min(len(text), at+60)])
				}
			}
		}
	}
	if told := said["/api/v1/deployments/"+third.ID+"/evidence"]; !strings.Contains(told, "[sensitive]") || !strings.Contains(told, "EXITED") {
		t.Errorf("what it gave away is not what was taken out: %s", told)
	}
	if !strings.Contains(whole, "API_KEY") || !strings.Contains(whole, "CHECK_FAILED") || refused.Status != 422 {
		t.Errorf("what was looked at is not whole: a refusal %d: %s", refused.Status, refused.Body)
	}
}

// got is the body of what is there.
func got(t *testing.T, h *harness.Host, path string) string {
	t.Helper()
	answer := h.REST("GET", path, "")
	if answer.Status != 200 {
		t.Errorf("%s: %d %s", path, answer.Status, answer.Body)
	}
	return answer.Body
}
