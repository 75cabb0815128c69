package follow

import (
	"context"
	"errors"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// LogOptions say which lines of a subject are wanted; the zero value is all that there are.
type LogOptions struct {
	Pod       string // name; "" for all pods
	Container string // name; "" for all containers
	Since     time.Time
	Tail      int // the last lines of each container; 0 for all
	// Previous asks for the instance that ended instead of the one that runs.
	Previous bool
	// Follow goes on with lines as they come, also of pods and containers that start later
	// and of those that start again, until ctx ends.
	Follow bool
}

// LogLine is a line of a container.
type LogLine struct {
	Pod       picture.Ref
	Container string
	Previous  bool
	picture.Line
}

// Logs sends the lines of the subject's pods, in order within a container. It returns nil
// when all have been sent (never with Follow), the error of send, or that of ctx; with
// neither, an error names the first container whose log could not be read while others could.
// send is not called twice at the same time.
func (f *Follower) Logs(ctx context.Context, subject Subject, options LogOptions, send func(...LogLine) error) error {
	return errors.New("not yet")
}
