package scenario_test

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// token makes a token of a role and returns its secret.
func token(t *testing.T, h *harness.Host, name, role string) string {
	t.Helper()
	var made apiv1.NewToken
	h.JSON(h.Must(0, "token", "create", name, "--role", role, "-o", "json"), &made)
	if made.Secret == "" || made.Role != role || made.Name != name {
		t.Fatalf("token: %+v", made)
	}
	return made.Secret
}

// TestEveryLoopbackAddress answers on 127.0.0.1 and on ::1.
func TestEveryLoopbackAddress(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
		answer, err := http.Get(fmt.Sprintf("http://%s:%d/healthz", host, h.Port))
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", host, answer.Status)
		}
		dialed{Host: host}.connect(t, h, "").rows(0)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			if conn, err := net.Dial("tcp", net.JoinHostPort(ip.IP.String(), fmt.Sprint(h.Port))); err == nil {
				_ = conn.Close()
				t.Errorf("it answers on %s too", ip.IP)
			}
		}
	}
}

// TestRoles tries what each role may.
func TestRoles(t *testing.T) {
	t.Parallel()
	h, address, d := shop(t, "v1")
	h.Artifact("v2")
	id := d[0].ID
	anonymous := "Authorization:"
	who := map[string]string{
		"viewer":   "Authorization: Bearer " + token(t, h, "looker", "viewer"),
		"deployer": "Authorization: Bearer " + token(t, h, "ci", "deployer"),
		"admin":    "Authorization: Bearer " + h.Token(),
		"nobody":   anonymous,
		"wrong":    "Authorization: Bearer apm_none.AAAA",
	}
	for _, test := range []struct {
		method, path, body string
		want               map[string]int
	}{
		{"GET", "/api/v1/deployments", "", map[string]int{"nobody": 200, "viewer": 200, "deployer": 200, "admin": 200, "wrong": 401}},
		{"GET", "/api/v1/deployments/" + id, "", map[string]int{"nobody": 200, "viewer": 200}},
		{"GET", "/api/v1/deployments/" + id + "/logs", "", map[string]int{"nobody": 401, "viewer": 200, "deployer": 200, "admin": 200}},
		{"GET", "/api/v1/deployments/" + id + "/evidence", "", map[string]int{"nobody": 401, "viewer": 200}},
		{"GET", "/metrics", "", map[string]int{"nobody": 200, "viewer": 200, "wrong": 401}},
		{"GET", "/api/v1/audit", "", map[string]int{"nobody": 401, "viewer": 403, "deployer": 403, "admin": 200}},
		{"GET", "/api/v1/tokens", "", map[string]int{"nobody": 401, "viewer": 403, "deployer": 403, "admin": 200}},
		{"POST", "/api/v1/tokens", `{"name": "x", "role": "admin"}`, map[string]int{"nobody": 401, "viewer": 403, "deployer": 403}},
		{"POST", "/api/v1/plugins/process/restart", "", map[string]int{"nobody": 401, "viewer": 403, "deployer": 403}},
		{"POST", "/api/v1/deployments", `{"name": "shop", "version": "v2"}`, map[string]int{"nobody": 401, "viewer": 403, "wrong": 401}},
		{"POST", "/api/v1/deployments?dry_run=true", `{"name": "shop", "version": "v2"}`, map[string]int{"nobody": 401, "deployer": 200}},
		{"POST", "/api/v1/deployments/" + id + "/rollback", `{}`, map[string]int{"nobody": 401, "viewer": 403}},
		{"POST", "/api/v1/deployments/" + id + "/cancel", `{}`, map[string]int{"nobody": 401, "viewer": 403, "deployer": 409}},
		{"DELETE", "/api/v1/targets/shop/test", "", map[string]int{"nobody": 401, "viewer": 403}},
		{"GET", "/healthz", "", map[string]int{"nobody": 200}},
	} {
		for role, status := range test.want {
			answer := h.REST(test.method, test.path, test.body, who[role])
			if answer.Status != status {
				t.Errorf("%s %s as %s: %d %s, want %d", test.method, test.path, role, answer.Status, answer.Body, status)
			}
			if status == 401 || status == 403 {
				if p := answer.Problem(h); p.Code != map[int]string{401: "unauthorized", 403: "forbidden"}[status] || !strings.Contains(p.Detail+p.Remedy, "token") {
					t.Errorf("%s %s as %s: %+v", test.method, test.path, role, p)
				}
			}
		}
	}
	h.Serves(address, "v1")
	proxied := h.REST("GET", "/api/v1/deployments", "", anonymous, "X-Forwarded-For: 192.0.2.7")
	if proxied.Status != 401 {
		t.Errorf("anonymous through a proxy: %d %s", proxied.Status, proxied.Body)
	}

	// The command line says what is missing, with its exit code.
	environ := h.Environ("APM_TOKEN=" + strings.TrimPrefix(who["viewer"], "Authorization: Bearer "))
	r := h.Run(harness.Command{Arguments: []string{"deploy", "rollback", id, "--yes"}, Environ: environ})
	if r.Code != 4 || !strings.Contains(r.Stderr, "deployer") {
		t.Errorf("a rollback by a viewer: %s", r)
	}
}

// TestRevokedToken is of no use any more, at once.
func TestRevokedToken(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	h.EditConfig("anonymous       = \"viewer\"\n", "websocket { ping = \"100ms\" }\n")
	h.Start()
	if answer := h.REST("GET", "/api/v1/deployments", "", "Authorization:"); answer.Status != 401 {
		t.Errorf("without anonymous nobody may look: %d %s", answer.Status, answer.Body)
	}
	secret := token(t, h, "ci", "deployer")
	open := dialed{Token: secret}.connect(t, h, "")
	open.rows(0)
	id, _, _ := strings.Cut(strings.TrimPrefix(secret, "apm_"), ".")
	h.Must(2, "token", "revoke", id)
	h.Must(0, "token", "revoke", id, "--yes", "--reason", "leaked")
	if answer := h.REST("GET", "/api/v1/deployments", "", "Authorization: Bearer "+secret); answer.Status != 401 {
		t.Errorf("with a revoked token: %d %s", answer.Status, answer.Body)
	}
	var err error
	for err == nil {
		_, err = open.next()
	}
	if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("its open WebSocket ended with %v", err)
	}
	if list := h.Must(0, "token", "list").Stdout; strings.Contains(list, secret) || !strings.Contains(list, id) {
		t.Errorf("tokens:\n%s", list)
	}
}

// TestHostAndOrigin refuses names and pages that are not this host's own, over
// REST and WebSocket alike.
func TestHostAndOrigin(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	own := fmt.Sprintf("http://localhost:%d", h.Port)
	for _, test := range []struct {
		header string
		rest   int
		ws     int
	}{
		{"Host: localhost", 200, 101},
		{fmt.Sprintf("Host: 127.0.0.1:%d", h.Port), 200, 101},
		{"Host: [::1]:9", 200, 101},
		{"Host: evil.example", 403, 403},
		{"Host: localhost.evil.example", 403, 403},
		{"Origin: " + own, 200, 101},
		{"Origin: http://evil.example", 403, 403},
		{"Origin: null", 403, 403},
		{"Origin: https://localhost:" + fmt.Sprint(h.Port), 403, 403},
		{"Origin: " + own + ".evil.example", 403, 403},
	} {
		answer := h.REST("GET", "/api/v1/deployments", "", test.header)
		if answer.Status != test.rest {
			t.Errorf("REST with %s: %d %s, want %d", test.header, answer.Status, answer.Body, test.rest)
		}
		if test.rest == 403 {
			if p := answer.Problem(h); p.Code != "forbidden" || p.Detail == "" {
				t.Errorf("REST with %s: %+v", test.header, p)
			}
		}
		name, value, _ := strings.Cut(test.header, ": ")
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.URL()+"/ws/deployments", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range upgrade {
			key, v, _ := strings.Cut(line, ": ")
			request.Header.Set(key, v)
		}
		if name == "Host" {
			request.Host = value
		} else {
			request.Header.Set(name, value)
		}
		socket, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = socket.Body.Close()
		if socket.StatusCode != test.ws {
			t.Errorf("WebSocket with %s: %s, want %d", test.header, socket.Status, test.ws)
		}
	}
}

// TestAudit names who changed what, one record a change, the policy's too.
func TestAudit(t *testing.T) {
	t.Parallel()
	h, _, _ := shop(t, "v1")
	h.Artifact("v2")
	secret := token(t, h, "ci", "deployer")
	ci, err := client.New(client.Config{URL: h.URL(), Token: secret})
	if err != nil {
		t.Fatal(err)
	}
	second, err := ci.Start(t.Context(), apiv1.StartRequest{Name: "shop", Version: "v2", Reason: "New release", Policy: []byte(`{"bake":"10m"}`)}, "")
	if err != nil || second.Actor != "ci" {
		t.Fatalf("start: %+v, %v", second, err)
	}
	h.Await(second.ID, 0, harness.Status("verifying"))
	h.Sicken("web", "v2")
	h.Ends(second.ID, harness.End{Status: "rolled_back", Path: []string{"preparing", "deploying", "verifying", "rolling_back", "rolled_back"}})
	third := h.DeployRequest(apiv1.StartRequest{Name: "shop", Version: "v1", Policy: []byte(`{"bake":"10m"}`)})
	if _, err := ci.Cancel(t.Context(), third.ID, "Not now", ""); err != nil {
		t.Fatal(err)
	}
	h.Ended(third.ID)
	refused := h.REST("POST", "/api/v1/deployments", `{"name": "nobody-knows", "version": "v1"}`)
	if refused.Status != 422 {
		t.Errorf("%d %s", refused.Status, refused.Body)
	}
	if _, err := ci.Remove(t.Context(), "shop", "test", apiv1.RemoveRequest{Reason: "Retired"}, ""); err != nil {
		t.Fatal(err)
	}

	var got []string
	for cursor := ""; ; {
		page, err := h.Client.Audit(t.Context(), cursor, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			got = append(got, strings.TrimSpace(r.Action+" "+r.Actor+" "+r.Reason))
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	slices.Reverse(got)
	want := []string{
		"token.create host local", "deployment.start local", "token.create local", "deployment.start ci New release",
		"deployment.rollback policy on_failure component web: check healthz failed 2 times in a row: ", "deployment.start local", "deployment.cancel ci Not now",
		"target.remove ci Retired",
	}
	for i, w := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], w) {
			t.Errorf("record %d is to be %q", i, w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
	if t.Failed() {
		t.Logf("audit:\n%s", strings.Join(got, "\n"))
	}
	told(t, h.Must(0, "audit", "--limit", "5"), "ACTOR", "ci", second.ID, "New release", "policy on_failure")
}
