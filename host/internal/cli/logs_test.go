package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/cli"
)

// TestFollowLogs: new lines come as they are written, until Ctrl-C.
func TestFollowLogs(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.do(t, cli.ExitDone, "deploy", "start", "--name", "shop", "--version", "v1", "--watch")
	id := h.id(t)
	h.do(t, cli.ExitUsage, "deploy", "logs", id, "-f", "--previous")
	h.do(t, cli.ExitNotFound, "deploy", "logs", "00000000-0000-0000-0000-000000000000", "-f")

	ctx, interrupt := context.WithTimeout(t.Context(), 60*time.Second)
	defer interrupt()
	read, write := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan cli.ExitCode, 1)
	go func() {
		code := cli.Run(ctx, cli.Streams{
			In: strings.NewReader(""), Out: write, Err: &stderr, Program: "apm",
			Getenv: func(name string) string { return h.env[name] },
		}, []string{"deploy", "logs", id, "--follow", "--tail", "10"})
		_ = write.Close()
		ended <- code
	}()
	lines := bufio.NewScanner(read)
	next := func(want string) {
		if !lines.Scan() {
			t.Fatalf("no line, exit %d: %s", <-ended, &stderr)
		}
		if lines.Text() != want {
			t.Errorf("line %q, want %q", lines.Text(), want)
		}
	}
	next("web/web-1 | hello world")
	h.do(t, cli.ExitDone, "deploy", "start", "--name", "shop", "--version", "v2", "--watch")
	next("web/web-1 | now v2 shop v2")
	interrupt()
	if code := <-ended; code != cli.ExitDetached {
		t.Errorf("exit %d: %s", code, &stderr)
	}
}
