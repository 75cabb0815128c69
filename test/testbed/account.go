package testbed

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// KubeconfigOf makes a file for a service account that exists, with no more
// rights than it has. Its token lives for an hour, the file until the test ends.
func (c *Cluster) KubeconfigOf(t testing.TB, namespace, account string) string {
	t.Helper()
	token := c.Kubectl(t, "create", "token", account, "--namespace", namespace, "--duration", "1h")
	authority, err := os.ReadFile(filepath.Join(c.state.Dir, "pki", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), account+".kubeconfig")
	content := fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: %[1]s
contexts:
- name: %[1]s
  context: {cluster: testbed, user: %[1]s, namespace: %[2]s}
clusters:
- name: testbed
  cluster:
    server: %[3]s
    certificate-authority-data: %[4]s
users:
- name: %[1]s
  user: {token: %[5]s}
`, account, namespace, c.Server(), base64.StdEncoding.EncodeToString(authority), token)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Server is the URL of the API server.
func (c *Cluster) Server() string { return "https://" + c.state.Address + ":6443" }
