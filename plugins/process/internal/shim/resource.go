package shim

import (
	"fmt"
	"net"
	"strings"

	"github.com/apm-deploy/apm/plugins/process/internal/instance"
	"github.com/apm-deploy/apm/plugins/process/internal/logfile"
	"github.com/apm-deploy/apm/sdk"
)

// Kinds of resource.
const (
	kindRelease  = "release"
	kindProcess  = "process"
	kindListener = "listener"
)

func processID(m *member) string { return kindProcess + "-" + m.ID() }
func releaseID(t *track) string  { return fmt.Sprintf("%s-%d", kindRelease, t.deployed.Generation) }

// lastLine is how much of a last line is shown beside an exit.
const lastLine = 200

func (c *component) processResource(t *track, m *member) sdk.Resource {
	status := m.Status()
	r := sdk.Resource{
		ID: processID(m), ParentID: releaseID(t), Kind: kindProcess,
		Name: c.identity.Load().Component + "-" + m.ID(), Revision: t.deployed.Version,
		Desired: 1, Restarts: uint32(status.Restarts),
	}
	var last *instance.Exit
	if n := len(status.Exits); n > 0 {
		last = &status.Exits[n-1]
	}
	switch status.Phase {
	case instance.Ready:
		r.Health, r.Ready = sdk.ResourceReady, 1
		r.Message = fmt.Sprintf("pid %d", status.PID)
	case instance.Starting:
		r.Health, r.Message = sdk.ResourcePending, "starting"
		if status.Usurper != "" {
			r.Health, r.Reason, r.Message = sdk.ResourceFailed, sdk.CodePortInUse, status.Usurper+" has its port"
		}
	case instance.Waiting:
		r.Health, r.Reason = sdk.ResourceFailed, exitCode(status, *last)
		r.Message = "started again soon"
	case instance.Stopped:
		r.Health, r.Desired, r.Message = sdk.ResourceGone, 0, "stopped"
		return r
	}
	if last != nil {
		r.Message += "; last run " + last.String()
		if lines := m.lines(last.Run, 1); len(lines) > 0 {
			r.Message += ", saying: " + cut(lines[0].Text, lastLine)
		}
	}
	return r
}

func (c *component) releaseResource(t *track) sdk.Resource {
	r := sdk.Resource{
		ID: releaseID(t), Kind: kindRelease, Name: c.identity.Load().Component + " " + t.deployed.Version,
		Revision: t.deployed.Version, Desired: uint32(len(t.members)), Health: sdk.ResourcePending,
	}
	for _, m := range t.members {
		status := m.Status()
		r.Restarts += uint32(status.Restarts)
		switch status.Phase {
		case instance.Ready:
			r.Ready++
		case instance.Waiting:
			r.Health = sdk.ResourceDegraded
		}
	}
	if r.Ready == r.Desired {
		r.Health = sdk.ResourceReady
	}
	return r
}

// report tells that a member changed, if it shows.
func (c *component) report(t *track, m *member) {
	now := c.processResource(t, m)
	m.mu.Lock()
	same := m.last == now
	m.last = now
	m.mu.Unlock()
	if same || now.Health == sdk.ResourceGone { // stop reports the end
		return
	}
	c.hub.append("", sdk.Event{Resource: &now})
	whole := c.releaseResource(t)
	c.hub.append("", sdk.Event{Resource: &whole})
}

// resources lists everything that is up.
func (c *component) resources() []sdk.Resource {
	c.mu.Lock()
	tracks := []*track{c.serving, c.candidate}
	var listeners []sdk.Resource
	if c.serving != nil {
		for _, port := range c.serving.deployed.Release.Ports {
			r := sdk.Resource{ID: kindListener + "-" + port.Name, Kind: kindListener, Name: port.Listen, Desired: 1}
			if c.fronts[port.Listen] != nil {
				r.Health, r.Ready = sdk.ResourceReady, 1
			} else {
				r.Health, r.Reason, r.Message = sdk.ResourceFailed, sdk.CodePortInUse, c.frontErrors[port.Listen].message
			}
			listeners = append(listeners, r)
		}
	}
	c.mu.Unlock()
	var all []sdk.Resource
	for _, t := range tracks {
		if t == nil {
			continue
		}
		all = append(all, c.releaseResource(t))
		for _, m := range t.members {
			all = append(all, c.processResource(t, m))
		}
	}
	return append(all, listeners...)
}

// publicAddresses says where a release answers, as this machine can reach it.
func publicAddresses(t *track) map[string]string {
	addresses := map[string]string{}
	for _, port := range t.deployed.Release.Ports {
		addresses[port.Name] = reachable(port.Listen)
	}
	return addresses
}

func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen // never: Validate refused it
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}

func logLines(resource string, lines []logfile.Line, previous bool) []sdk.LogLine {
	out := make([]sdk.LogLine, len(lines))
	for i, line := range lines {
		out[i] = sdk.LogLine{Resource: resource, Line: cut(line.Text, maxEvidenceLine), Previous: previous, Time: line.Time, Stream: line.Stream}
	}
	return out
}

// maxEvidenceLine keeps evidence small: it lies in the state file.
const maxEvidenceLine = 2 << 10

func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}
