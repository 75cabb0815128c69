package docs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coder/websocket"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// types are those that a block of JSON can be.
var types = map[string]func() any{
	"StartRequest":    func() any { return new(apiv1.StartRequest) },
	"RollbackRequest": func() any { return new(apiv1.RollbackRequest) },
	"CancelRequest":   func() any { return new(apiv1.CancelRequest) },
	"RemoveRequest":   func() any { return new(apiv1.RemoveRequest) },
	"TokenRequest":    func() any { return new(apiv1.TokenRequest) },
	"Deployment":      func() any { return new(apiv1.Deployment) },
	"Plan":            func() any { return new(apiv1.Plan) },
	"Problem":         func() any { return new(apiv1.Problem) },
	"Event":           func() any { return new(apiv1.Event) },
}

func itoa(n int) string { return strconv.Itoa(n) }

// json decodes strictly, and asks the host about a request to start.
func (s *scene) json(kind, text string) {
	s.t.Helper()
	into := types[kind]()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		s.t.Errorf("no %s: %v\n%s", kind, err, text)
		return
	}
	if _, err := decoder.Token(); err != io.EOF {
		s.t.Errorf("something follows the %s\n%s", kind, text)
	}
	if reflect.ValueOf(into).Elem().IsZero() {
		s.t.Errorf("an empty %s shows nothing", kind)
	}
	if kind != "StartRequest" {
		return
	}
	if answer := s.host.REST("POST", "/api/v1/deployments?dry_run=true", s.words(text)); answer.Status != 200 {
		s.t.Errorf("the host answers %d: %s\n%s", answer.Status, answer.Body, text)
	}
}

var (
	applicationName = regexp.MustCompile(`(?m)^application "([^"]+)"`)
	environmentName = regexp.MustCompile(`(?m)^ *environment "([^"]+)"`)
	platformLines   = regexp.MustCompile(`(?m)^platform "|^ *process \{`)
)

// hcl plans an application in each of its environments, or validates and serves
// a config.hcl.
func (s *scene) hcl(text string) {
	s.t.Helper()
	if m := applicationName.FindStringSubmatch(text); m != nil {
		file := "applications/" + m[1] + ".hcl"
		before := s.host.Read(file)
		s.host.Write(file, text)
		environments := []string{"development"}
		for _, e := range environmentName.FindAllStringSubmatch(text, -1) {
			environments = append(environments, e[1])
		}
		for _, environment := range environments {
			r := s.host.CLI("deploy", "start", "--name", m[1], "--version", "v2.0.0", "--environment", environment, "--dry-run")
			if r.Code != 0 {
				s.t.Errorf("%s in %s: %s", m[1], environment, r)
			}
		}
		if before != "" {
			s.host.Write(file, before)
		} else if err := os.Remove(s.host.Path(file)); err != nil {
			s.t.Error(err)
		}
		return
	}
	if !strings.Contains(text, `plugin "process"`) {
		text = "plugin \"process\" { path = \"bin/plugins/apm-plugin-process\" }\n" + text
	}
	const file = "shown.hcl"
	s.host.Write(file, text)
	if r := s.host.CLI("config", "validate", file); r.Code != 0 {
		s.t.Errorf("%s\n%s", r, text)
		return
	}
	s.serves(file, len(platformLines.FindAllString(text, -1)))
}

// serves starts a host of its own on a config.hcl and waits until each of its
// platforms is ready: only the plugin knows the keys of its block.
func (s *scene) serves(file string, platforms int) {
	s.t.Helper()
	s.serve(s.host.Home, platforms, "--config-file", file,
		"--data-dir", s.host.Path("shown-data"), "--listen", "localhost:"+itoa(harness.FreePort(s.t)))()
}

// serve starts a host of its own in a directory, waits until it answers and so
// many platforms are ready, and returns what stops it.
func (s *scene) serve(dir string, platforms int, arguments ...string) (stop func()) {
	s.t.Helper()
	const log = "shown.log"
	output, err := os.Create(s.host.Path(log))
	if err != nil {
		s.t.Fatal(err)
	}
	defer output.Close()
	command := exec.Command(s.host.Path("bin/apm"), append([]string{"serve"}, arguments...)...)
	command.Dir, command.Env = dir, s.host.Environ()
	command.Stdout, command.Stderr = output, output
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	stop = sync.OnceFunc(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		<-ended
	})
	s.page.Cleanup(stop)
	harness.Eventually(s.t, "a host runs with "+strings.Join(arguments, " "), func() (bool, string) {
		text := s.host.Read(log)
		return strings.Contains(text, "the host answers") && strings.Count(text, "platform ready") == platforms,
			fmt.Sprintf("%d platforms are wanted\n%s", platforms, text)
	})
	return stop
}

// background starts the host of a config.hcl that the page has made, on the free
// port of the scene, until the end of the page.
func (s *scene) background(file string) {
	s.t.Helper()
	path := filepath.Join(s.directory(), file)
	content, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	text := s.ports.Replace(string(content))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.serve(s.directory(), len(platformLines.FindAllString(text, -1)), "--config-file", file)
}

var socketURL = regexp.MustCompile(`ws://[^'"]+`)

// socket connects to what the script connects to, and waits for the first word.
func (s *scene) socket(script string) {
	s.t.Helper()
	url := socketURL.FindString(script)
	if url == "" {
		s.t.Errorf("no WebSocket URL in\n%s", script)
		return
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	connection, _, err := websocket.Dial(ctx, url, nil) //nolint:bodyclose // the connection owns it
	if err != nil {
		s.t.Errorf("connect to %s: %v", url, err)
		return
	}
	defer func() { _ = connection.CloseNow() }()
	connection.SetReadLimit(1 << 20)
	var first apiv1.Event
	_, message, err := connection.Read(ctx)
	if err == nil {
		err = json.Unmarshal(message, &first)
	}
	if err != nil || first.Type != "snapshot" || len(first.Data) == 0 {
		s.t.Errorf("the first message is %s, %v", message, err)
	}
}
