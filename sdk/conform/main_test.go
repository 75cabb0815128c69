package conform_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest/fake"
)

// TestMain is the fake plugin too, and what its conform.hcl has run beside it.
//
//nolint:forbidigo // what the test binary is started as ends with a code
func TestMain(m *testing.M) {
	if os.Getenv("APM_TEST_FAKE") != "" {
		os.Exit(fake.Main())
	}
	if len(os.Args) > 1 {
		var err error
		switch os.Args[1] {
		case "change":
			err = fake.ChangeLive(os.Args[2], sdk.Target{
				Application: os.Getenv("APM_APPLICATION"), Environment: os.Getenv("APM_ENVIRONMENT"), Component: os.Getenv("APM_COMPONENT"),
			})
		case "serves":
			var content string
			content, err = fake.Serves(os.Getenv("APM_ADDRESS_FILE"))
			fmt.Print(content)
		default:
			os.Exit(m.Run())
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// plugin puts the fake as a binary of that name into a directory of its own.
func plugin(t *testing.T, name string) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), name)
	executable(t, binary, fmt.Sprintf("#!/bin/sh\nexport APM_TEST_FAKE=1\nexec %q\n", os.Args[0]))
	return binary
}

// executable writes a program. No process may be started meanwhile: it would hold
// the file open for writing, which then cannot be executed.
func executable(t *testing.T, path, content string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
		t.Fatal(err)
	}
}

// beside writes a file beside a binary.
func beside(t *testing.T, binary, name, content string) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(binary), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// fakeFile is a conform.hcl for the fake with everything in it; extra goes into
// its config block.
func fakeFile(extra string) string {
	return fmt.Sprintf(`
config {
  root   = "${tmp}/root"
  secret = "canary-platform"
  %s
}
spec "v1" {
  file   = "${tmp}/v1"
  secret = "canary-one"
}
spec "v2" {
  file   = "${tmp}/v2"
  secret = "canary-two"
}
spec "bad" {
  file  = "${tmp}/v1"
  lines = -1
}
spec "chatty" {
  file  = "${tmp}/v1"
  lines = 10000
}
spec "failing" {
  file  = "${tmp}/v1"
  fails = "EXITED"
}
secrets = ["canary-platform", "canary-one", "canary-two"]
timeout = "20s"
prepare {
  command = ["/bin/sh", "-c", "mkdir '${tmp}/root' && printf one >'${tmp}/v1' && printf two >'${tmp}/v2'"]
}
change_files {
  command = ["/bin/sh", "-c", "printf changed >'${tmp}/v1'"]
  undo    = ["/bin/sh", "-c", "printf one >'${tmp}/v1'"]
}
change_live { command = [%q, "change", "${tmp}/root"] }
serves { command = [%q, "serves"] }
`, extra, os.Args[0], os.Args[0])
}
