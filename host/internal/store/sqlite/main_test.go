package sqlite_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// roleVariable makes the test binary play another process.
const roleVariable = "APM_STORE_TEST_ROLE"

// roles of that other process; they get the directory of the database.
var roles = map[string]func(directory string, out io.Writer) error{
	"commit until killed": commitUntilKilled,
	"fill the disk":       fillTheDisk,
	"open":                openOnly,
}

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleVariable)]; role != nil {
		if err := role(os.Args[len(os.Args)-1], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // this is the main of another process
		}
		os.Exit(0) //nolint:forbidigo // this is the main of another process
	}
	// A store that is closed leaves nothing behind.
	goleak.VerifyTestMain(m)
}

// process returns the command that plays a role.
func process(ctx context.Context, t *testing.T, role, directory string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(ctx, self, directory)
	command.Env = append(os.Environ(), roleVariable+"="+role)
	stderr := new(bytes.Buffer)
	command.Stderr = stderr
	return command, stderr
}

// plain seals nothing.
type plain struct{}

func (plain) Seal(plaintext, _ []byte) ([]byte, error) { return append([]byte{'.'}, plaintext...), nil }

func (plain) Open(sealed, _ []byte) ([]byte, error) { return sealed[1:], nil }
