package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/api/client"
)

// process is a host that was started.
type process struct {
	command *exec.Cmd
	ended   chan struct{}
	err     error // after ended
}

// Start starts the host and waits until it answers and its platform is ready.
func (h *Host) Start(arguments ...string) {
	h.t.Helper()
	p, err := h.launch(arguments...)
	if err != nil {
		h.t.Fatalf("start the host: %v", err)
	}
	h.mu.Lock()
	h.process = p
	h.mu.Unlock()
	Eventually(h.t, "the host answers", func() (bool, string) {
		select {
		case <-p.ended:
			h.t.Fatalf("the host ended while it started: %v\n%s", p.err, h.LogTail(20))
		default:
		}
		return h.ready(p.command.Process.Pid)
	})
}

// launch starts `apm serve`; its output goes to host.log.
func (h *Host) launch(arguments ...string) (*process, error) {
	log, err := os.OpenFile(h.Path("host.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := exec.Command(Binary(h.t, "apm"), append([]string{"serve", "--log-level", "debug"}, arguments...)...)
	command.Dir, command.Env = h.Home, h.Environ()
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return nil, err
	}
	p := &process{command: command, ended: make(chan struct{})}
	go func() {
		p.err = command.Wait()
		close(p.ended)
	}()
	return p, nil
}

// ready says whether this very process answers and its platforms are ready.
func (h *Host) ready(pid int) (bool, string) {
	var running struct {
		PID int    `json:"pid"`
		URL string `json:"url"`
	}
	content, err := os.ReadFile(filepath.Join(h.Data, "host.json"))
	if err == nil {
		err = json.Unmarshal(content, &running)
	}
	if err != nil || running.PID != pid {
		return false, fmt.Sprintf("host.json: %q, %v", content, err)
	}
	token, err := client.TokenFromFile(h.Data)
	if err != nil {
		return false, err.Error()
	}
	c, err := client.New(client.Config{URL: running.URL, Token: token})
	if err != nil {
		return false, err.Error()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	health, err := c.Health(ctx)
	if err != nil || health.PID != pid {
		return false, fmt.Sprintf("healthz: %+v, %v", health, err)
	}
	plugins, err := c.Plugins(ctx)
	if err != nil {
		return false, err.Error()
	}
	for _, p := range plugins.Plugins {
		if p.State != "ready" {
			return false, fmt.Sprintf("platform %s is %s: %s", p.Platform, p.State, p.Reason)
		}
	}
	h.Client, h.Installation = c, health.Installation
	return true, ""
}

// Running says whether the host runs.
func (h *Host) Running() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.process != nil
}

// PID of the host.
func (h *Host) PID() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.process == nil {
		return 0
	}
	return h.process.command.Process.Pid
}

// Stop ends the host in good order.
func (h *Host) Stop() {
	h.t.Helper()
	if err := h.signal(syscall.SIGTERM, 40*time.Second); err != nil {
		h.t.Errorf("stop the host: %v\n%s", err, h.LogTail(20))
	}
}

// Kill9 ends the host as a crash does, and waits until it is gone.
func (h *Host) Kill9() { _ = h.signal(syscall.SIGKILL, patience) }

func (h *Host) signal(s syscall.Signal, limit time.Duration) error {
	h.mu.Lock()
	p := h.process
	h.process = nil
	h.mu.Unlock()
	if p == nil {
		return nil
	}
	_ = p.command.Process.Signal(s)
	select {
	case <-p.ended:
		return p.err
	case <-time.After(limit):
		_ = p.command.Process.Kill()
		<-p.ended
		return fmt.Errorf("it had not ended %s after %s", limit, s)
	}
}

// PluginPID returns the pid of the platform's process.
func (h *Host) PluginPID() int {
	h.t.Helper()
	p, err := h.Client.Plugin(h.t.Context(), "process")
	if err != nil || p.PID == 0 {
		h.t.Fatalf("pid of the plugin: %+v, %v", p, err)
	}
	return p.PID
}

// KillPlugin ends a plugin as a crash does.
func (h *Host) KillPlugin(pid int) {
	h.t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		h.t.Errorf("kill the plugin %d: %v", pid, err)
	}
}

// LogTail returns the last lines of the host's log.
func (h *Host) LogTail(count int) string {
	lines := strings.Split(strings.TrimRight(h.Read("host.log"), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
