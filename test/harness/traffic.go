package harness

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"time"
)

// Counts are what the client that never retries has counted.
type Counts struct {
	Requests int    `json:"requests"`
	Failures int    `json:"failures"`
	Posts    int    `json:"posts"`
	Failure  string `json:"failure"` // the last
}

// Traffic is the demo's client at work: GET and POST on kept and on fresh
// connections, none of them ever sent again.
type Traffic struct {
	host      *Host
	component string
	command   *exec.Cmd
	in        io.WriteCloser
	out       *bufio.Scanner
}

// Traffic starts the client against a component that answers.
func (h *Host) Traffic(component, address string) *Traffic {
	h.t.Helper()
	command := exec.Command(Binary(h.t, "demo/client"), "-address", address, "-ids", h.Path(component+".sent"))
	command.Dir, command.Env = h.Home, h.Environ()
	in, err := command.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		h.t.Fatal(err)
	}
	t := &Traffic{host: h, component: component, command: command, in: in, out: bufio.NewScanner(out)}
	h.t.Cleanup(func() { t.end() })
	return t
}

// Counts returns what was counted so far.
func (t *Traffic) Counts() Counts {
	t.host.t.Helper()
	if _, err := io.WriteString(t.in, "\n"); err != nil {
		t.host.t.Fatalf("ask the client: %v", err)
	}
	return t.read()
}

func (t *Traffic) read() Counts {
	t.host.t.Helper()
	var c Counts
	if !t.out.Scan() {
		t.host.t.Fatalf("the client has ended: %v", t.out.Err())
	}
	if err := json.Unmarshal(t.out.Bytes(), &c); err != nil {
		t.host.t.Fatalf("read the client's counts: %v", err)
	}
	return c
}

// Undisturbed ends the client and fails the test when any request failed, or
// when any POST did not reach the application exactly once.
func (t *Traffic) Undisturbed() Counts {
	t.host.t.Helper()
	_ = t.in.Close()
	c := t.read()
	t.end()
	if c.Failures > 0 || c.Requests == 0 {
		t.host.t.Errorf("the client: %d of %d requests failed, the last: %s", c.Failures, c.Requests, c.Failure)
	}
	sent, arrived := count(t.host.Read(t.component+".sent")), count(t.host.Read(t.component+".posts"))
	lost, repeated := []string{}, []string{}
	for id := range sent {
		switch arrived[id] {
		case 0:
			lost = append(lost, id)
		case 1:
		default:
			repeated = append(repeated, fmt.Sprintf("%s (%d times)", id, arrived[id]))
		}
	}
	if len(lost)+len(repeated) > 0 || len(sent) == 0 {
		t.host.t.Errorf("%d POSTs sent, lost: %v, repeated: %v", len(sent), lost, repeated)
	}
	return c
}

func (t *Traffic) end() {
	if t.command == nil {
		return
	}
	_ = t.in.Close()
	_ = t.command.Wait()
	t.command = nil
}

func count(lines string) map[string]int {
	counts := map[string]int{}
	for _, line := range strings.Split(lines, "\n") {
		if line != "" {
			counts[line]++
		}
	}
	return counts
}

// Version asks an application once, over a connection of its own, and returns
// the version that answers.
func (h *Host) Version(address string) string {
	h.t.Helper()
	version, err := askVersion(address)
	if err != nil {
		h.t.Fatalf("ask %s: %v", address, err)
	}
	return version
}

func askVersion(address string) (string, error) {
	version, _, err := askInstance(address)
	return version, err
}

// askInstance reads "demo VERSION (pid PID)".
func askInstance(address string) (version, pid string, err error) {
	transport := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	answer, err := client.Get("http://" + address + "/")
	if err != nil {
		return "", "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", "", err
	}
	words := strings.Fields(string(body))
	if answer.StatusCode != http.StatusOK || len(words) != 4 {
		return "", "", fmt.Errorf("%s: %q", answer.Status, body)
	}
	return words[1], strings.TrimSuffix(words[3], ")"), nil
}
