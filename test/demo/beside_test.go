package demo_test

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

func listen(t *testing.T, host, port string) {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return // somebody else has it, which is as good
	}
	t.Cleanup(func() { _ = listener.Close() })
}

var (
	hostLine = regexp.MustCompile(`The host runs at (http://localhost:(\d+)) `)
	anyPort  = regexp.MustCompile(`(localhost|127\.0\.0\.1|\[::1\]):(\d+)`)
)

// TestDemoOnTerminal lets the demo stay, on ports that are taken: what it prints
// is true, a second one names it, and Ctrl-C removes all.
func TestDemoOnTerminal(t *testing.T) {
	take(t, 8080)
	take(t, 8088)
	h := harness.New(t)
	demo := h.BeginOnTerminal("demo")
	demo.Says("The host runs at http://localhost:")
	found := hostLine.FindStringSubmatch(demo.Stdout())
	if found == nil {
		t.Fatalf("no line says where the host runs:\n%s", demo.Stdout())
	}
	url, port := found[1], found[2]
	if port == "8080" {
		t.Error("the demo says that it has a port that is taken")
	}

	second := h.CLI("demo", "--once")
	if text := second.Stderr; second.Code != 1 || !strings.Contains(text, url) || !strings.Contains(text, fmt.Sprintf("pid %d", demo.PID())) {
		t.Errorf("a second demo should name pid %d and %s of the first: %s", demo.PID(), url, second)
	}

	demo.Says("Ctrl-C removes what the demo deployed")
	ports := map[string]bool{}
	for _, match := range anyPort.FindAllStringSubmatch(demo.Stdout(), -1) {
		ports[match[2]] = true
	}
	if ports["8080"] || ports["8088"] || !ports[port] {
		t.Errorf("the demo prints the ports %v; its host has %s, and 8080 and 8088 are taken", ports, port)
	}
	commands, requests := 0, 0
	for _, line := range strings.Split(demo.Stdout(), "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "curl ") {
			requests++
			request(t, h, line)
		}
		if !strings.HasPrefix(line, harness.Binary(t, "apm")+" ") {
			continue
		}
		commands++
		if r := h.Run(harness.Command{Program: "/bin/sh", Arguments: []string{"-c", line}}); r.Code != 0 || r.Stdout == "" {
			t.Errorf("%s: %s", line, r)
		}
	}
	if commands < 4 || requests < 4 {
		t.Errorf("%d commands and %d requests to try:\n%s", commands, requests, demo.Stdout())
	}

	demo.Signal(syscall.SIGINT)
	if r := demo.Wait(); r.Code != 0 {
		t.Errorf("after Ctrl-C: %s", r)
	}
	h.NothingLeft()
}

var (
	lineHeader = regexp.MustCompile(`-H "([^"]+)"`)
	lineURL    = regexp.MustCompile(`"?(http://[^" ]+)"?$`)
	lineShell  = regexp.MustCompile(`\$\((.+)\)`)
)

// request sends what a line for curl sends: this machine may have none.
func request(t *testing.T, h *harness.Host, line string) {
	t.Helper()
	url := lineURL.FindStringSubmatch(line)
	if url == nil {
		t.Fatalf("%s: no URL", line)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url[1], http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	want := http.StatusOK
	for _, header := range lineHeader.FindAllStringSubmatch(line, -1) {
		name, value, _ := strings.Cut(header[1], ": ")
		value = lineShell.ReplaceAllStringFunc(value, func(words string) string {
			r := h.Run(harness.Command{Program: "/bin/sh", Arguments: []string{"-c", words[len("$(") : len(words)-len(")")]}})
			return strings.TrimSpace(r.Stdout)
		})
		if request.Header.Set(name, value); name == "Upgrade" {
			want = http.StatusSwitchingProtocols
		}
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Errorf("%s: %v", line, err)
		return
	}
	_ = answer.Body.Close()
	if answer.StatusCode != want {
		t.Errorf("%s: %s, want %d", line, answer.Status, want)
	}
}

// TestDemoAfterKill kills a demo whose deployment is under way: the next one
// removes what was left before it begins, and SIGTERM removes what it deployed
// itself.
func TestDemoAfterKill(t *testing.T) {
	h := harness.New(t)
	killed := h.Begin("demo", "--once")
	killed.Says("v1 is completed")
	killed.Kill()
	if len(h.Processes()) == 0 {
		t.Fatal("nothing was left to clean up")
	}
	left := h.Processes()

	next := h.Begin("demo", "--once", "-o", "json")
	next.Says("what it left is removed first")
	next.Says("The host runs at ")
	for _, pid := range h.Processes() {
		for _, old := range left {
			if pid == old {
				t.Errorf("process %d of the killed demo runs beside the next", pid)
			}
		}
	}
	next.Says("v1 is completed")
	next.Signal(syscall.SIGTERM)
	if r := next.Wait(); r.Code != 130 {
		t.Errorf("after SIGTERM: %s", r)
	}
	h.NothingLeft()
}
