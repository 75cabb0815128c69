package plugintest

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// Status is what became of a case.
type Status string

// The statuses. A skipped case says in its message what it lacks.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// Result is one case of [Check].
type Result struct {
	Case     string
	Status   Status
	Messages []string // errors, why it was skipped, and what else it had to say, in order
	Duration time.Duration
	// Log is what the plugin's processes wrote to standard error, of a case that
	// failed.
	Log string
}

// Check runs the cases of [Run] outside `go test`, in the order of [Cases], and
// returns a result for each; told, which may be nil, hears each as it comes. When
// ctx ends, the case under way removes what it deployed, and it and all that did
// not run count as failed. Nothing of the suite's own is left when Check returns.
// A Config that is wrong is the failure of the first case.
func Check(ctx context.Context, config Config, told func(Result)) []Result {
	var results []Result
	whole := &check{name: "the suite", ctx: ctx}
	defer whole.cleanUp()
	newSuite(ctx, config).run(whole, func(name string, run func(T)) {
		result := checkOne(ctx, name, run)
		results = append(results, result)
		if told != nil {
			told(result)
		}
	})
	return results
}

func checkOne(ctx context.Context, name string, run func(T)) Result {
	if err := context.Cause(ctx); err != nil {
		return Result{Case: name, Status: Failed, Messages: []string{fmt.Sprintf("not run: the suite was ended: %v", err)}}
	}
	start := time.Now()
	c := &check{name: name}
	var cancel context.CancelFunc
	c.ctx, cancel = context.WithCancel(ctx)
	defer cancel()
	c.apart(func() { run(c) })
	if err := context.Cause(ctx); err != nil {
		c.Errorf("the suite was ended: %v", err)
	}
	cancel()
	c.cleanUp()
	result := Result{Case: name, Status: Passed, Messages: c.messages, Duration: time.Since(start)}
	switch {
	case c.failed:
		result.Status, result.Log = Failed, c.log()
	case c.skipped:
		result.Status = Skipped
	}
	return result
}

// check is the T of one case of Check.
type check struct {
	name string
	ctx  context.Context //nolint:containedctx // as that of testing.T

	mu       sync.Mutex
	messages []string
	failed   bool
	skipped  bool
	cleanups []func()
	logs     []func() string // of the plugins that were started
}

var _ T = (*check)(nil)

// apart runs one thing in a goroutine of its own and waits for it: Fatal and Skip
// end that goroutine, and a panic is the failure of the case.
func (c *check) apart(run func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() {
			if value := recover(); value != nil {
				c.Errorf("panic: %v\n%s", value, debug.Stack())
			}
		}()
		run()
	}()
	<-ended
}

func (c *check) cleanUp() {
	for cleanup := c.next(); cleanup != nil; cleanup = c.next() {
		c.apart(cleanup)
	}
}

// keepLog has the log of a plugin that was started be part of the result.
func (c *check) keepLog(log func() string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logs = append(c.logs, log)
}

func (c *check) log() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all strings.Builder
	for _, log := range c.logs {
		all.WriteString(log())
	}
	return all.String()
}

// next takes the cleanup that was registered last.
func (c *check) next() func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.cleanups) == 0 {
		return nil
	}
	last := c.cleanups[len(c.cleanups)-1]
	c.cleanups = c.cleanups[:len(c.cleanups)-1]
	return last
}

func (c *check) say(failed bool, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = c.failed || failed
	c.messages = append(c.messages, strings.TrimSuffix(text, "\n"))
}

func (c *check) Helper()                  {}
func (c *check) Name() string             { return c.name }
func (c *check) Context() context.Context { return c.ctx }

func (c *check) Log(args ...any)                   { c.say(false, fmt.Sprintln(args...)) }
func (c *check) Logf(format string, args ...any)   { c.say(false, fmt.Sprintf(format, args...)) }
func (c *check) Error(args ...any)                 { c.say(true, fmt.Sprintln(args...)) }
func (c *check) Errorf(format string, args ...any) { c.say(true, fmt.Sprintf(format, args...)) }

func (c *check) Fatal(args ...any) {
	c.Error(args...)
	runtime.Goexit()
}

func (c *check) Fatalf(format string, args ...any) {
	c.Errorf(format, args...)
	runtime.Goexit()
}

func (c *check) Skip(args ...any) {
	c.Log(args...)
	c.mu.Lock()
	c.skipped = true
	c.mu.Unlock()
	runtime.Goexit()
}

func (c *check) Failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

func (c *check) Cleanup(cleanup func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cleanups = append(c.cleanups, cleanup)
}

func (c *check) TempDir() string {
	dir, err := os.MkdirTemp("", "plugintest")
	if err != nil {
		c.Fatalf("make directory of the case: %v", err)
	}
	c.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			c.Errorf("remove directory of the case: %v", err)
		}
	})
	return dir
}
