// Package instance keeps one process of a component running: it starts it in a
// process group of its own, tells when it is ready, reads its output, starts it
// again after an exit, later and later, and stops the whole group. What an exit
// means for the component is not decided here.
package instance

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/logfile"
	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
)

// Bounds of the wait before a restart, and the run after which the wait begins
// from its lower bound again.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 10 * time.Second
	goodRun    = time.Minute
)

// settleTime is how long an instance without ports runs before it is ready.
const settleTime = time.Second

// readyPoll is the pause between two looks at a port.
const readyPoll = 20 * time.Millisecond

// Config says what to run.
type Config struct {
	ID          string // within the component, "3-1"
	Executable  string // absolute
	Args        []string
	Dir         string
	Env         []string // complete, but for the ports, which win; of two of one name the last does
	Mark        string   // value of procinfo.InstanceVariable, by which its processes are known
	Ports       []string // names; the first is $PORT
	User        string
	StopTimeout time.Duration
	LogPath     string
	LogSize     int64

	// Started is called after each start, Changed after each change of Status,
	// Output for each line. They are called by the instance's own goroutines.
	Started func(pid int)
	Changed func()
	Output  func(logfile.Line)
}

// Phase is what an instance does now.
type Phase int

// The phases.
const (
	Starting Phase = iota // runs, or is about to, and is not ready
	Ready                 // accepts connections
	Waiting               // ended, and is started again after a pause
	Stopped               // ended for good
)

// Exit is one end of the process.
type Exit struct {
	At        time.Time
	Run       int
	Code      int    // -1 after a signal, and where it did not start
	Signal    string // "killed", "" for none
	StartErr  error  // the process could not be started at all
	WasReady  bool
	PortTaken bool // it said that its address is in use
}

// String says how it ended, for people.
func (e Exit) String() string {
	switch {
	case e.StartErr != nil:
		return "did not start: " + e.StartErr.Error()
	case e.Signal != "":
		return "ended by signal: " + e.Signal
	default:
		return fmt.Sprintf("exited with code %d", e.Code)
	}
}

// Status is a picture of an instance.
type Status struct {
	Phase     Phase
	PID       int // 0 while it does not run
	Run       int // number of the current or last start
	StartedAt time.Time
	Exits     []Exit            // the newest last, at most maxExits
	Restarts  int               // starts after the first
	Addresses map[string]string // port name → host:port of its own
	Usurper   string            // who listens on one of them in its place, "pid 17 (nginx)"; "" for nobody
}

// maxExits is how many exits are remembered.
const maxExits = 16

// Instance is one process that is kept running. Make it with New.
type Instance struct {
	config Config
	log    *logfile.Writer
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	status Status

	// Of run alone: where a process of ours was seen to listen, and that one was.
	sockets map[string]procinfo.Socket // by address
	held    bool
}

// New prepares an instance; Start begins to run it.
func New(config Config) (*Instance, error) {
	log, err := logfile.Create(config.LogPath, config.LogSize)
	if err != nil {
		return nil, err
	}
	i := &Instance{config: config, log: log, done: make(chan struct{}), sockets: map[string]procinfo.Socket{}}
	if err := i.pickPorts(); err != nil {
		log.Close()
		return nil, err
	}
	return i, nil
}

// Start begins to run the instance; it goes on until Stop, which must be called.
func (i *Instance) Start() {
	ctx, cancel := context.WithCancel(context.Background()) // it outlives every call
	i.cancel = cancel
	go i.run(ctx)
}

// ID returns the id.
func (i *Instance) ID() string { return i.config.ID }

// LogPath returns where the output is kept.
func (i *Instance) LogPath() string { return i.config.LogPath }

// Status returns a picture of the instance.
func (i *Instance) Status() Status {
	i.mu.Lock()
	defer i.mu.Unlock()
	status := i.status
	status.Exits = append([]Exit(nil), i.status.Exits...)
	return status
}

// Stop ends the process: SIGTERM to its group, SIGKILL after the stop timeout.
// It returns when nothing of it is left.
func (i *Instance) Stop() {
	i.cancel()
	<-i.done
}

func (i *Instance) run(ctx context.Context) {
	defer close(i.done)
	defer i.log.Close()
	backoff := minBackoff
	for ctx.Err() == nil {
		began := time.Now()
		exit := i.once(ctx)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > goodRun {
			backoff = minBackoff
		}
		i.ended(exit)
		if exit.PortTaken {
			_ = i.pickPorts() // no free port: the next run fails the same way and says so
		}
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
	}
	i.set(func(s *Status) { s.Phase, s.PID = Stopped, 0 })
}

func (i *Instance) ended(exit Exit) {
	i.set(func(s *Status) {
		s.Phase, s.PID = Waiting, 0
		s.Exits = append(s.Exits, exit)
		if len(s.Exits) > maxExits {
			s.Exits = s.Exits[len(s.Exits)-maxExits:]
		}
	})
}

func (i *Instance) set(change func(*Status)) {
	i.mu.Lock()
	change(&i.status)
	i.mu.Unlock()
	i.config.Changed()
}
