package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/api/client"
	"github.com/apm-deploy/apm/host/internal/cli/output"
)

// Config says where the demo runs and how it speaks.
type Config struct {
	// Dir is the demo's own directory: configuration, data, records.
	Dir string
	// PlatformState is where the process platform keeps what belongs to each
	// installation; "" leaves it alone.
	PlatformState string
	// Executable is this program, which also is the host. Plugins and the
	// application lie beside it.
	Executable string
	// Stay keeps the host up after the third deployment, until a signal.
	Stay bool
	// Connect returns the host that runs on Dir.
	Connect func() (*client.Client, error)
	// Again returns a command line of this program for the host on Dir.
	Again func(words ...string) string
	// CleanUp is the command that removes what is left when the demo could not.
	CleanUp string
	// Progress is where everything is told. Keys are not read, so that Ctrl-C is
	// the signal that it is elsewhere.
	Progress output.Writer
	// Environ is the environment of the processes that are started.
	Environ []string
}

// ErrInterrupted is returned when a signal came before the end, and nothing was left.
var ErrInterrupted = errors.New("interrupted")

// ErrAbandoned is returned when a second signal came while cleaning up.
var ErrAbandoned = errors.New("left at once: what the demo deployed may still run")

// demo is one run.
type demo struct {
	Config
	dir    *directory
	host   *hostProcess
	client *client.Client
	app    string // address of the application
	load   *traffic
	result Result
}

// Run runs the demo. The result holds the deployments that ended, also with an
// error. The first signal ends it in good order, the second at once.
func Run(ctx context.Context, c Config) (result Result, err error) {
	soft, hard, stop := signals(ctx)
	defer stop()

	dir, err := open(c.Dir)
	if err != nil {
		return Result{}, err
	}
	d := &demo{Config: c, dir: dir, result: newResult()}
	defer func() { err = errors.Join(err, dir.close()) }()

	if dir.used() {
		d.say("An earlier demo could not clean up; what it left is removed first.")
		if err := d.cleanEarlier(hard); err != nil {
			return d.result, err
		}
	}
	err = d.perform(soft, hard)
	if err == nil && c.Stay {
		d.farewell()
		<-soft.Done()
		d.say("Removing what the demo deployed …")
	}
	interrupted := soft.Err() != nil && err != nil
	cleaned := d.cleanUp(hard)
	if hard.Err() != nil {
		d.say("Clean up with: %s", c.CleanUp)
		return d.result, ErrAbandoned
	}
	switch {
	case interrupted && cleaned == nil:
		return d.result, ErrInterrupted
	case interrupted:
		err = nil // it was asked for
	}
	if cleaned != nil {
		d.say("Clean up with: %s", c.CleanUp)
	}
	return d.result, errors.Join(err, cleaned)
}

// signals returns a context that ends with the first signal, and one that ends
// with the second.
func signals(ctx context.Context) (soft, hard context.Context, stop func()) {
	came := make(chan os.Signal, 2)
	signal.Notify(came, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	soft, endSoft := context.WithCancel(ctx)
	// The caller's context ends with the first signal too.
	hard, endHard := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		for _, end := range []func(){endSoft, endHard} {
			select {
			case <-came:
				end()
			case <-done:
				return
			}
		}
	}()
	return soft, hard, func() {
		signal.Stop(came)
		close(done)
		endSoft()
		endHard()
	}
}

// perform starts the host and shows the three deployments. ctx ends with the first
// signal, hard with the second.
func (d *demo) perform(ctx, hard context.Context) error {
	started := time.Now()
	if err := d.begin(ctx); err != nil {
		return err
	}
	for _, act := range acts {
		if err := d.act(ctx, hard, act); err != nil {
			return err
		}
		if act.version == "v1" {
			d.say("The first deployment took %s from the start of the demo.", time.Since(started).Round(time.Second))
		}
	}
	posts, err := d.load.finish(d.dir)
	d.load = nil
	if err != nil {
		return err
	}
	d.result.Posts = posts
	return nil
}

// begin writes the configuration and starts the host on it.
func (d *demo) begin(ctx context.Context) error {
	if err := d.prepare(ctx); err != nil {
		return err
	}
	if err := d.start(ctx); err != nil {
		return err
	}
	d.say("The host runs at %s (pid %d), its log is %s.", d.host.url, d.host.pid(), d.dir.path(hostLog))
	return d.dir.note(d.host.url)
}

// prepare writes the configuration for the programs as they are now, on ports
// that are free now.
func (d *demo) prepare(ctx context.Context) error {
	program, err := findPrograms(d.Executable)
	if err != nil {
		return err
	}
	if d.app, err = freeAddress(ctx, "127.0.0.1", applicationPort); err != nil {
		return err
	}
	listen, err := freeAddress(ctx, "localhost", hostPort)
	if err != nil {
		return err
	}
	return d.dir.write(program, listen, d.app)
}

// start starts the host and connects to it.
func (d *demo) start(ctx context.Context) error {
	host, err := startHost(ctx, d.Executable, d.dir, d.Environ)
	if err != nil {
		return err
	}
	d.host = host
	d.client, err = d.Connect()
	return err
}

// say tells one line.
func (d *demo) say(format string, args ...any) {
	fmt.Fprintln(io.Writer(d.Progress), output.Clean(fmt.Sprintf(format, args...)))
}
