package platform

import (
	"errors"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Phase is what a platform is doing.
type Phase string

// The phases.
const (
	Absent    Phase = "absent"    // not started yet
	Starting  Phase = "starting"  // its plugin is started and configured
	Ready     Phase = "ready"     // it takes calls
	Unhealthy Phase = "unhealthy" // its plugin is well, what it drives is not
	Backoff   Phase = "backoff"   // its plugin ended; it is started again at NextStart
	Broken    Phase = "broken"    // it waits for a person: Restart
	Draining  Phase = "draining"  // it finishes calls before its plugin is stopped
	Stopped   Phase = "stopped"   // the host is done with it
)

// State is where a platform stands.
type State struct {
	Platform   string
	Plugin     string
	Version    string // of the plugin; "" before it has said so
	SHA256     string // of the binary that runs
	Phase      Phase
	Reason     string // one line; "" where the phase says all
	Since      time.Time
	PID        int // of the plugin; 0 where none runs
	Starts     int // since the host started
	NextStart  time.Time
	Attributes map[string]string // what the plugin reports of its platform
	Output     []string          // the last lines of the process that ended
	Err        error             // behind Reason, with its remedy and problems
}

// unavailable is the error of a call that needs the platform; also is a further
// cause.
func (s State) unavailable(also error) *deployment.Error {
	e := &deployment.Error{
		Code: deployment.Unavailable, Err: errors.Join(s.Err, also),
		Message:    fmt.Sprintf("platform %q is %s", s.Platform, s.Phase),
		RetryAfter: s.retryAfter(time.Now()),
	}
	if s.Phase == Backoff {
		e.Message = fmt.Sprintf("platform %q ended and is started again soon", s.Platform)
	}
	if s.Reason != "" {
		e.Message += ": " + s.Reason
	}
	var cause *deployment.Error
	if errors.As(s.Err, &cause) {
		e.Remedy, e.Problems = cause.Remedy, cause.Problems
	}
	if s.Phase == Broken {
		restart := "apm plugin restart " + s.Platform
		if e.Remedy != "" {
			restart = e.Remedy + ", then " + restart
		}
		e.Remedy = restart
	}
	return e
}

// soon is how long a start takes, about.
const soon = time.Second

// retryAfter is when the platform may be ready, 0 where it will not be by itself,
// or nobody knows when.
func (s State) retryAfter(now time.Time) time.Duration {
	switch s.Phase {
	case Absent, Starting, Draining:
		return soon
	case Backoff:
		return max(s.NextStart.Sub(now), 0) + soon
	default:
		return 0
	}
}

// reasonOf renders an error as one line; problems are shown by themselves.
func reasonOf(err error) string {
	var e *deployment.Error
	if !errors.As(err, &e) {
		return clip(err.Error())
	}
	reason := e.Message
	for _, problem := range e.Problems {
		reason += "; " + problem.String()
	}
	return clip(reason)
}
