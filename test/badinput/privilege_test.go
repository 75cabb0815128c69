package badinput_test

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

// nobody runs apm as a user who owns nothing; root may write where no other may.
func nobody(t *testing.T, h *harness.Host, arguments ...string) harness.Result {
	t.Helper()
	if os.Geteuid() != 0 {
		return h.Run(harness.Command{Arguments: arguments})
	}
	const overflow = 65534
	command := exec.CommandContext(t.Context(), h.Path("bin/apm"), arguments...)
	command.Dir, command.Env = h.Home, h.Environ()
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: overflow, Gid: overflow}}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	_ = command.Run() // its exit code is judged
	return harness.Result{Arguments: arguments, Stdout: stdout.String(), Stderr: stderr.String(), Code: command.ProcessState.ExitCode()}
}

// TestNotMine is about files that the user of the host may not read or write.
func TestNotMine(t *testing.T) {
	t.Parallel()
	h := used(t)
	harness.CopyProgram(t, harness.Binary(t, "apm"), h.Path("bin/apm"))
	h.Write("closed.hcl", "")
	database := copyData(t, h, "database")
	key := copyData(t, h, "key")
	directory := copyData(t, h, "directory")
	token := copyData(t, h, "token")
	for path, mode := range map[string]os.FileMode{h.Home: 0o755, h.Path("closed.hcl"): 0o000} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	give := func(paths ...string) {
		for _, path := range paths {
			if err := os.Chown(path, 65534, 65534); err != nil && os.Geteuid() == 0 {
				t.Fatal(err)
			}
		}
	}
	give(database, database+"/seal.key", database+"/token", key, key+"/apm.db", token, token+"/apm.db.lock", token+"/apm.db", token+"/seal.key", directory+"/seal.key")
	for path, mode := range map[string]os.FileMode{
		database + "/apm.db": 0o444, key + "/seal.key": 0o000, token + "/token": 0o000, directory: 0o555, directory + "/apm.db": 0o644,
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		arguments []string
		code      int
		told
	}{
		"config.hcl":              {[]string{"serve", "--config-file", "closed.hcl"}, 1, told{"closed.hcl", "permission denied", "make this one readable"}},
		"config.hcl, validated":   {[]string{"config", "validate", "closed.hcl"}, 1, told{"closed.hcl", "permission denied", "make this one readable"}},
		"parent of the directory": {[]string{"serve", "--data-dir", "/proc/1/apm"}, 1, told{"/proc/1/apm", "make data directory", "name another in config.hcl"}},
		"the directory":           {[]string{"serve", "--data-dir", directory}, 1, told{directory, "permission denied", "the right to write the file and its directory"}},
		"the database":            {[]string{"serve", "--data-dir", database}, 1, told{database + "/apm.db", "permission denied", "the right to write the file and its directory"}},
		"the key":                 {[]string{"serve", "--data-dir", key}, 1, told{key + "/seal.key", "permission denied", "give the user that runs apm the right to read it"}},
		"the token":               {[]string{"serve", "--data-dir", token, "--listen", "localhost:0"}, 4, told{token + "/token", "permission denied", "run apm as the user that it belongs to"}},
		"the token of a command":  {[]string{"deploy", "list", "--data-dir", token, "--url", h.URL()}, 4, told{token + "/token", "permission denied", "--token or APM_TOKEN"}},
		"what shows the token":    {[]string{"token", "show", "--data-dir", token}, 4, told{token + "/token", "permission denied", "--token or APM_TOKEN"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, nobody(t, h, c.arguments...), c.code, told{c.where, c.wrong, c.todo})
		})
	}
}
