package conformance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/testbed"
)

// The file that lies beside the binary is what the command needs: it is read, and its
// commands do what they are for.
func TestConformFile(t *testing.T) {
	node := testbed.Kubernetes(t)
	dir := t.TempDir()
	plugin, command := filepath.Join(dir, "apm-plugin-kubernetes"), filepath.Join(dir, "conform")
	for binary, source := range map[string]string{
		plugin: "github.com/apm-deploy/apm/plugins/kubernetes", command: "github.com/apm-deploy/apm/sdk/cmd/conform",
	} {
		if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, source).CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", source, err, output)
		}
	}
	cases := []string{
		"deploy that fails", "resolve reads everything", "watch: drift", "deploy is accepted before it is done",
		"snapshot, deploy, rollback", "secrets absent from logs and diffs",
	}
	run := exec.CommandContext(t.Context(), command, "-config", "../../../plugins/kubernetes/conform.hcl", "-timeout", "2m", //nolint:gosec // built here
		"-run", "^("+strings.Join(cases, "|")+")$", plugin)
	run.Env = append(os.Environ(),
		"KUBECONFIG="+node.Kubeconfig(), "APM_NAMESPACE="+node.Namespace(t), "APM_IMAGE="+strings.TrimSuffix(node.Image("v1"), ":v1"),
		"NO_PROXY=*", "no_proxy=*", "PATH="+filepath.Dir(node.Program("kubectl"))+":"+os.Getenv("PATH"))
	output, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("conform: %v\n%s", err, output)
	}
	for _, name := range cases {
		if !strings.Contains(string(output), name) {
			t.Errorf("case %q did not run:\n%s", name, output)
		}
	}
	t.Logf("%s", output)
}
