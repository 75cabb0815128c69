// Package serve turns a plugin into a process that a host can start. Main does
// everything that the wire contract asks of a plugin's process: the handshake,
// mutual TLS, logs, the lifeline to the host, and a clean end. It must never know
// a platform.
package serve

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/wire"
)

// The environment that the host gives a plugin, beside go-plugin's.
const (
	envLifeline  = "APM_PLUGIN_LIFELINE_FD"
	envLogLevel  = "APM_PLUGIN_LOG_LEVEL"
	envHeartbeat = "APM_PLUGIN_HEARTBEAT" // a duration; for tests
	envSocketDir = "PLUGIN_UNIX_SOCKET_DIR"
)

// terminated is the exit code after SIGTERM, as a shell counts.
const terminated = 128 + int(syscall.SIGTERM)

// maxSocketPath is the longest path of a Unix socket that every system takes;
// socketName stands for the name that is made up below the directory.
const (
	maxSocketPath = 104
	socketName    = "plugin1234567890"
)

// Main serves the plugin until its host is done with it, and returns the exit
// code for main:
//
//	func main() { os.Exit(serve.Main(plugin)) }
//
// Nothing may be written to standard output before; what is written to it
// afterwards goes to standard error.
func Main(plugin sdk.Plugin) int {
	stdout, stderr := os.Stdout, os.Stderr
	if os.Getenv(wire.Handshake.MagicCookieKey) != wire.Handshake.MagicCookieValue {
		usage(stderr, plugin)
		return 1
	}
	level := logLevel(os.Getenv(envLogLevel))
	log := slog.New(newLogHandler(stderr, plugin.Name, level))
	ignoreInterrupts()
	lost, err := holdLifeline()
	if err != nil {
		log.Error("follow the host", "error", err)
		return 1
	}
	if err := checkSocketDir(os.Getenv(envSocketDir)); err != nil {
		log.Error("make socket", "error", err)
		return 1
	}
	var made atomic.Pointer[wire.Server]
	defer func() { closePlatform(made.Load(), log) }()
	ended := make(chan int, 1)
	go func() { ended <- serve(plugin, &made, log, level, stdout, stderr) }()
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	select {
	case code := <-ended:
		return code
	case <-asked:
		return terminated
	case <-lost:
		// At once: to linger would be to act for a host that may have lost its
		// lease. What was under way is found again by Recover.
		surviveLog()
		sayGone(log)
		return hostGone
	}
}

// closePlatform lets the platform end what it runs in the background.
func closePlatform(server *wire.Server, log *slog.Logger) {
	if server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), wire.CloseTimeout)
	defer cancel()
	if err := server.Close(ctx); err != nil {
		say(log, "the plugin did not end in good order", "error", err)
	}
}

// serve makes the platform and serves it.
func serve(plugin sdk.Plugin, made *atomic.Pointer[wire.Server], log *slog.Logger, level slog.Level, stdout, stderr *os.File) int {
	// The author's code must not reach standard output before the handshake.
	os.Stdout = stderr
	server, err := wire.NewServer(plugin, log, wire.WithHeartbeat(heartbeat(log)))
	os.Stdout = stdout
	if err != nil {
		log.Error("start plugin", "error", err)
		return 1
	}
	made.Store(server)
	var once sync.Once
	served, err := wire.Serve(server, stderr, level, func() {
		// go-plugin has put pipes in their place, which nobody may ever read.
		once.Do(func() { os.Stdout, os.Stderr = stderr, stderr })
	})
	if err != nil {
		log.Error("serve plugin", "error", err)
	}
	if !served {
		return 1
	}
	return 0
}

func sayGone(log *slog.Logger) { say(log, "the host is gone: exit") }

// say logs, and does not wait for a log that lost its reader.
func say(log *slog.Logger, message string, attributes ...any) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		log.Warn(message, attributes...) //nolint:sloglint // a constant of the caller's
	}()
	select {
	case <-written:
	case <-time.After(100 * time.Millisecond):
	}
}

// usage is for a person who starts the binary by hand.
func usage(out io.Writer, plugin sdk.Plugin) {
	fmt.Fprintf(out, `%[1]s is the %[2]s plugin of APM, version %[3]s. It is started by the host and not by hand.
Name it in config.hcl and start the host:

  plugin %[2]q { path = %[4]q }

  apm plugin lock
  apm serve
`, filepath.Base(os.Args[0]), plugin.Name, plugin.Version, os.Args[0])
}

// surviveLog keeps a line in a log that lost its reader from ending the process
// before the platform was closed.
func surviveLog() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// ignoreInterrupts leaves Ctrl-C to the host, which drains before it stops us.
func ignoreInterrupts() { signal.Ignore(os.Interrupt) }

func checkSocketDir(dir string) error {
	if dir == "" {
		dir = os.TempDir()
	}
	if path := filepath.Join(dir, socketName); len(path) > maxSocketPath {
		return fmt.Errorf("check socket directory %q: its sockets' paths have %d bytes, the limit is %d: use a shorter run directory",
			dir, len(path), maxSocketPath)
	}
	return nil
}

// heartbeat returns 0, which keeps the default, unless the environment says
// otherwise.
func heartbeat(log *slog.Logger) time.Duration {
	text := os.Getenv(envHeartbeat)
	if text == "" {
		return 0
	}
	silence, err := time.ParseDuration(text)
	if err != nil {
		log.Warn("ignore heartbeat", "variable", envHeartbeat, "error", err)
		return 0
	}
	return silence
}

// lifelineFD returns the descriptor that the host holds open, or false where
// there is none.
func lifelineFD() (uintptr, bool, error) {
	text := os.Getenv(envLifeline)
	if text == "" {
		return 0, false, nil
	}
	fd, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, false, fmt.Errorf("read %s: %w", envLifeline, err)
	}
	return uintptr(fd), true, nil
}
