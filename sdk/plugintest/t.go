package plugintest

import "context"

// T is what a case and the hooks of [Config] report to. *testing.T is one, and
// [Check] has its own, so that the suite runs outside `go test` too.
type T interface {
	Helper()
	Name() string
	Log(args ...any)
	Logf(format string, args ...any)
	Error(args ...any)
	Errorf(format string, args ...any)
	// Fatal ends the case, and only from the goroutine that runs it.
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Skip(args ...any)
	// Cleanup registers what is done when the case has ended, the last first.
	Cleanup(cleanup func())
	TempDir() string
	// Context ends just before the cleanups.
	Context() context.Context
	Failed() bool
}
