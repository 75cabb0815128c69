package shim

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/instance"
	"github.com/apm-deploy/apm/plugins/process/internal/release"
	"github.com/apm-deploy/apm/sdk"
)

// When exits are a verdict: one unlucky start is not.
const (
	startExits  = 2 // before it was ever ready
	loopExits   = 3 // of a release that was ready
	loopWindow  = time.Minute
	showFailure = 100 // lines
)

// verdict says why the release of a track cannot become ready, or nil.
func (c *component) verdict(t *track, wasReady bool, now time.Time) *sdk.Failure {
	for _, m := range t.members {
		status := m.Status()
		if len(status.Exits) == 0 {
			continue
		}
		last := status.Exits[len(status.Exits)-1]
		starts, recent := 0, 0
		for _, exit := range status.Exits {
			if !exit.WasReady {
				starts++
			}
			if now.Sub(exit.At) <= loopWindow {
				recent++
			}
		}
		switch {
		case last.StartErr != nil, !wasReady && starts >= startExits:
			return c.failure(t, m, status, exitCode(status, last), last)
		case recent >= loopExits:
			return c.failure(t, m, status, sdk.CodeCrashLoop, last)
		}
	}
	if timeout := t.deployed.Release.StartTimeout; !wasReady && timeout > 0 && now.Sub(t.startedAt) > timeout {
		return c.notReady(t, timeout)
	}
	return nil
}

// exitCode names an exit in the words shared by all platforms.
func exitCode(status instance.Status, last instance.Exit) string {
	switch {
	case last.StartErr == nil && last.PortTaken:
		return sdk.CodePortInUse
	case last.StartErr == nil && len(status.Exits) >= loopExits:
		return sdk.CodeCrashLoop
	case last.StartErr == nil:
		return sdk.CodeExited
	case errors.Is(last.StartErr, syscall.EPERM):
		return sdk.CodePermissionDenied
	case instance.MissingCommand(last.StartErr):
		return sdk.CodeConfigMissing
	default:
		return sdk.CodeOther
	}
}

func (c *component) failure(t *track, m *member, status instance.Status, code string, last instance.Exit) *sdk.Failure {
	r := t.deployed.Release
	f := &sdk.Failure{
		Code: code, Resource: processID(m),
		Logs: logLines(processID(m), m.lines(last.Run, showFailure), true),
	}
	for _, exit := range status.Exits {
		f.Events = append(f.Events, fmt.Sprintf("%s run %d %s", exit.At.UTC().Format(time.RFC3339), exit.Run, exit))
	}
	command := release.CommandLine(r.Command)
	switch code {
	case sdk.CodePortInUse:
		f.Message = fmt.Sprintf("%q says that its address is in use, and %s", command, last)
		f.Suggestion = "listen on 127.0.0.1:$PORT, the port that this instance was given, not on a fixed one"
	case sdk.CodeConfigMissing:
		f.Message = fmt.Sprintf("command %q cannot be run: %v", command, last.StartErr)
		f.Suggestion = "check that spec.command exists, is executable (chmod +x) and made for this machine, and that spec.directory exists"
	case sdk.CodePermissionDenied:
		f.Message = fmt.Sprintf("command %q may not be started as user %q: %v", command, r.User, last.StartErr)
		f.Suggestion = "run the host as root, or remove user from the platform's configuration"
	case sdk.CodeCrashLoop:
		f.Message = fmt.Sprintf("%q ends again and again: %d exits, the last %s", command, len(status.Exits), last)
		f.Suggestion = "read its last lines; fix what makes it end, then deploy again"
	case sdk.CodeExited:
		f.Message = fmt.Sprintf("%q %s %d times before it was ready", command, last, len(status.Exits))
		f.Suggestion = "read its last lines; a component must go on running (not fork into the background) and listen on 127.0.0.1:$PORT"
	default:
		f.Message = fmt.Sprintf("%q %s", command, last)
		f.Suggestion = "read the message of the system"
	}
	return f
}

func (c *component) notReady(t *track, timeout time.Duration) *sdk.Failure {
	for _, m := range t.members {
		status := m.Status()
		if status.Phase == instance.Ready {
			continue
		}
		f := &sdk.Failure{
			Code: sdk.CodeProgressDeadline, Resource: processID(m),
			Logs:       logLines(processID(m), m.lines(status.Run, showFailure), false),
			Suggestion: "listen on 127.0.0.1:$PORT; a slow start needs a larger spec.start_timeout",
			Message:    fmt.Sprintf("%q is not ready after %s", release.CommandLine(t.deployed.Release.Command), timeout),
		}
		for _, port := range t.deployed.Release.Ports {
			address := status.Addresses[port.Name]
			f.Message += fmt.Sprintf("; port %q: nothing accepts connections at %s", port.Name, address)
		}
		return f
	}
	return nil
}
