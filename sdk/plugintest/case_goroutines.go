package plugintest

import (
	"bytes"
	"context"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// goroutineLabel marks the goroutines of one case. A goroutine inherits the
// labels of the one that starts it, so that tests that run beside the case do not
// disturb it.
const goroutineLabel = "plugintest"

func noGoroutineLeft(b *bench) {
	id := randomID()
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(goroutineLabel, id)))
	defer pprof.SetGoroutineLabels(context.Background())
	lifeWithin(b)
	pprof.SetGoroutineLabels(context.Background())
	deadline := time.After(endTimeout)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		left := labelled(id)
		if left == "" {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			b.Errorf("goroutines are left %v after the end:\n%s", endTimeout, left)
			return
		}
	}
}

// lifeWithin is a whole life of the plugin within this process.
func lifeWithin(b *bench) {
	inside := *b
	inside.session = b.suite.startWithin(b.T, nil)
	defer inside.stop()
	b.suite.configure(b.ctx(), b.T, inside.session)
	inside.deploy(inside.v1())
	snapshot := inside.snapshot().Snapshot
	inside.deploy(inside.v2())
	inside.rollback(snapshot)
	inside.rollback(sdk.Snapshot{Empty: true})
}

// labelled returns the stacks of the goroutines of a case.
func labelled(id string) string {
	var all bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		return err.Error()
	}
	var found []string
	for stack := range strings.SplitSeq(all.String(), "\n\n") {
		if strings.Contains(stack, `"`+goroutineLabel+`":"`+id+`"`) {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}
