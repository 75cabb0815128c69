package engine_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// An engine that was stopped leaves nothing behind. The tests wait most of the
// time, for checks and deadlines: more of them than processors go side by side.
func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if freshDirectory, err = os.MkdirTemp("", "apm-engine"); err != nil {
		panic(err)
	}
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "test.parallel" })
	if !set {
		if err := flag.Set("test.parallel", "8"); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	_ = os.RemoveAll(freshDirectory)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			_, _ = os.Stderr.WriteString("goroutines left: " + err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code) //nolint:forbidigo // this is the main of the tests
}
