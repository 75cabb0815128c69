package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	startTime = 60 * time.Second
	stopTime  = 30 * time.Second
	lookEvery = 50 * time.Millisecond
)

// hostProcess is the host as a child of the demo.
type hostProcess struct {
	command *exec.Cmd
	ended   chan struct{}
	err     error // after ended
	url     string
}

// startHost starts the ordinary host on the directory and waits until it
// answers.
func startHost(ctx context.Context, executable string, dir *directory, environ []string) (*hostProcess, error) {
	log, err := os.OpenFile(dir.path(hostLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the host's log: %w", err)
	}
	defer log.Close()
	if err := os.Remove(dir.path(hostFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the file of an earlier host: %w", err)
	}
	command := exec.Command(executable, "--config-file", dir.path(configFile), "--data-dir", dir.root, "serve") //nolint:noctx // it outlives ctx: it is stopped in good order
	command.Env = environ
	command.Stdout, command.Stderr = log, log
	// Ctrl-C on the terminal is for the demo, which stops the host when it is time.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the host: %w", err)
	}
	h := &hostProcess{command: command, ended: make(chan struct{})}
	go func() {
		h.err = command.Wait()
		close(h.ended)
	}()
	if err := h.await(ctx, dir); err != nil {
		h.kill()
		return nil, fmt.Errorf("%w\n%s", err, lastLines(dir.path(hostLog), 10))
	}
	return h, nil
}

// await waits until the host has written where it is, and answers there.
func (h *hostProcess) await(ctx context.Context, dir *directory) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-h.ended:
			return fmt.Errorf("the host ended while it started: %w", errors.Join(h.err, errHostEnded))
		case <-ctx.Done():
			return fmt.Errorf("wait for the host: %w", ctx.Err())
		case <-ticker.C:
		}
		if running, err := readHostFile(dir.path(hostFile)); err == nil && running.PID == h.pid() && answers(ctx, running.URL) {
			h.url = running.URL
			return nil
		}
	}
}

var errHostEnded = errors.New("its log says why")

func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/healthz", http.NoBody)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
}

func readHostFile(path string) (holder, error) {
	var running holder
	data, err := os.ReadFile(path)
	if err != nil {
		return running, err
	}
	return running, json.Unmarshal(data, &running)
}

func (h *hostProcess) pid() int { return h.command.Process.Pid }

// stop ends the host in good order, and kills it when it takes too long or ctx
// is done.
func (h *hostProcess) stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	_ = h.command.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-h.ended:
	case <-ctx.Done():
		h.kill()
	}
}

func (h *hostProcess) kill() {
	_ = h.command.Process.Kill() // it may have ended
	<-h.ended
}

// lastLines returns the end of a log, for an error.
func lastLines(path string, count int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
