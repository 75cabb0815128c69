package plugintest_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest"
)

// marked returns the processes that have a variable in their environment.
func marked(variable string) []string {
	files, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is right
	var found []string
	for _, file := range files {
		environment, _ := os.ReadFile(file) // it may be gone
		if bytes.Contains(environment, []byte(variable+"\x00")) {
			found = append(found, file)
		}
	}
	return found
}

// labelled returns the stacks of goroutines with a label, which they have from the
// one that started them.
func labelled(t *testing.T, label string) string {
	t.Helper()
	var all bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		t.Fatal(err)
	}
	var found []string
	for stack := range strings.SplitSeq(all.String(), "\n\n") {
		if strings.Contains(stack, label) {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}

// However it ends, nothing of the suite's own is left: no process, no goroutine.
func TestCheckLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(context.CancelFunc){
		"to the end": func(context.CancelFunc) {},
		"cancelled":  func(cancel context.CancelFunc) { cancel() },
		"panic":      func(context.CancelFunc) { panic("as the test wants it") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mark := "APM_TEST_MARK=" + strings.ReplaceAll(name, " ", "-") + filepath.Base(t.TempDir())
			c := config(t, "")
			c.Command, c.Env = []string{os.Args[0]}, []string{"APM_TEST_FAKE=1", mark}
			c.Only = func(of string) bool {
				return of == "watch: superseded" || strings.HasPrefix(of, "kill") || strings.HasPrefix(of, "drain") ||
					strings.HasPrefix(of, "idle") && name == "cancelled"
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			seen, change := 0, c.ChangeLive
			c.ChangeLive = func(h plugintest.T, target sdk.Target) {
				seen += len(marked(mark))
				change(h, target)
				end(cancel)
			}
			done := make(chan struct{})
			go pprof.Do(ctx, pprof.Labels("test", mark), func(ctx context.Context) {
				defer close(done)
				plugintest.Check(ctx, c, nil)
			})
			<-done
			for deadline := time.Now().Add(5 * time.Second); len(marked(mark)) > 0 || labelled(t, mark) != ""; <-time.After(20 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("processes %q are left, and goroutines\n%s", marked(mark), labelled(t, mark))
				}
			}
			if seen == 0 {
				t.Error("no process of the suite's was seen while it ran: the test looks for the wrong ones")
			}
		})
	}
}
