package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// What the plugin that is looked at sends, and for how long.
const (
	steadyRate = 100 // log lines a second
	steadyFor  = 20 * time.Second
)

// BenchmarkFloodEvents: a plugin sends 100,000 events a second. What it costs the
// host in memory (MiB-more), and how long a log line of another plugin's
// deployment takes to a WebSocket client meanwhile.
func BenchmarkFloodEvents(b *testing.B) {
	benchmarkFlood(b, fmt.Sprintf("fault \"flood\" {\n  call = \"watch\"\n  what = \"events\"\n  rate = 100000\n  for = %q\n}", steadyFor))
}

// BenchmarkFloodStderr: a plugin writes 1 GiB to its standard error.
func BenchmarkFloodStderr(b *testing.B) {
	benchmarkFlood(b, fmt.Sprintf("fault \"flood\" {\n  call = \"watch\"\n  what = \"stderr\"\n  bytes = %d\n}", 1<<30))
}

func benchmarkFlood(b *testing.B, fault string) {
	for _, side := range []string{"baseline", "product"} {
		b.Run(side, func(b *testing.B) {
			h := harness.New(b)
			h.Versions("v1")
			steady := h.Fake("steady", fmt.Sprintf("fault \"flood\" {\n  call = \"watch\"\n  what = \"lines\"\n  rate = %d\n  for = %q\n}", steadyRate, steadyFor))
			steady.Define(harness.Application{Name: "steady"}, harness.FakeComponent{Name: "web"})
			loud := h.Fake("loud", fault)
			loud.Define(harness.Application{Name: "loud"}, harness.FakeComponent{Name: "web"})
			h.Start()
			before := memory(b, h.PID(), "VmRSS")
			must(b, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", h.PID()), []byte("5"), 0o200)) // VmHWM begins anew
			b.ResetTimer()
			var took []time.Duration
			for range b.N {
				if side == "product" {
					h.Deploy("loud", "v1")
				}
				took = append(took, lines(b, h, h.Deploy("steady", "v1").ID)...)
			}
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1e3, "ms-p50")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1e3, "ms-p99")
			b.ReportMetric(memory(b, h.PID(), "VmHWM")-before, "MiB-more")
		})
	}
}

// lines follows the deployment to its end, and says how old each log line was
// when it came.
func lines(b *testing.B, h *harness.Host, id string) []time.Duration {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	var took []time.Duration
	over := errors.New("the deployment has ended")
	err := h.Client.Watch(ctx, id, 0, func(e apiv1.Event) error {
		switch {
		case e.Type == "deployment.status" && harness.Terminal(harness.Field(e, "status")):
			return over // a watch goes on for as long as what was deployed runs
		case e.Type != "log":
			return nil
		}
		var line apiv1.LogLine
		err := json.Unmarshal(e.Data, &line)
		took = append(took, time.Since(line.Time))
		return err
	})
	if !errors.Is(err, over) {
		b.Fatal(err)
	}
	if least := int(steadyRate * steadyFor.Seconds() * 9 / 10); len(took) < least {
		b.Fatalf("%d log lines arrived, %d were sent", len(took), least*10/9)
	}
	return took
}

// memory is a line of a process's status, in MiB.
func memory(b *testing.B, pid int, name string) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(b, err)
	found := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+) kB$`).FindSubmatch(text)
	if found == nil {
		b.Fatalf("/proc/%d/status has no %s", pid, name)
	}
	kib, err := strconv.ParseFloat(string(found[1]), 64)
	must(b, err)
	return kib / 1024
}
