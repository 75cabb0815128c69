package platform_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/apm-deploy/apm/sdk"
)

// A shim that has no descriptor left could not look: it must call nothing
// unhealthy, and it must answer again when there are some.
func TestWithoutDescriptorsNothingIsUnhealthy(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	w := b.settled("v1", b.app("version=v1"))
	probe := func() sdk.ProbeResult {
		result, err := b.Probe(t.Context(), sdk.ProbeRequest{Target: w.target})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	for _, check := range probe().Checks {
		if check.Status != sdk.CheckHealthy {
			t.Fatalf("before: %+v", check)
		}
	}
	shim := b.component().Shim.PID
	var before unix.Rlimit
	if err := unix.Prlimit(shim, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		t.Fatal(err)
	}
	limit := func(descriptors uint64) {
		now := before
		now.Cur = descriptors
		if err := unix.Prlimit(shim, unix.RLIMIT_NOFILE, &now, nil); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "a check is unknown", func() bool {
		limit(withOneFree(t, shim)) // for the connection of the question itself
		unknown := 0
		for _, check := range probe().Checks {
			if check.Status == sdk.CheckUnhealthy {
				t.Errorf("without descriptors: %+v", check)
			}
			if check.Status == sdk.CheckUnknown {
				unknown++
			}
		}
		return unknown > 0
	})
	limit(0)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	asked := make(chan error, 1)
	go func() {
		_, err := b.Probe(ctx, sdk.ProbeRequest{Target: w.target})
		asked <- err
	}()
	select {
	case err := <-asked:
		t.Fatalf("the shim has descriptors left, the test shows nothing: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	limit(before.Cur)
	if err := <-asked; err != nil {
		t.Errorf("the question that waited: %v", err)
	}
	if now := b.component().Shim.PID; now != shim {
		t.Errorf("another shim runs, pid %d, was %d", now, shim)
	}
	eventually(t, "it serves again", func() bool { return get(t, b.public, "/") == "v1" })
}

// The shim stands in front of the traffic: whatever an application writes, it does
// not grow.
func TestAFloodOfLongLinesTakesNoMemory(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.settled("v1", b.app("version=v1"))
	get(t, b.public, "/flood?lines=12000&wide=16000") // 183 MiB
	b.small()
}

// small looks at the most memory that the shim ever had.
func (b *bed) small() {
	b.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.component().Shim.PID))
	if err != nil {
		b.t.Fatal(err)
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(peak)[0])
	if err != nil {
		b.t.Fatal(err)
	}
	if kib > 128<<10 {
		b.t.Errorf("the shim took %d MiB", kib>>10)
	}
}

// Neither does it grow with what somebody reads of it.
func TestReadingALargeLogTakesNoMemory(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	w := b.settled("v1", b.app("version=v1"))
	const lines = 100_000
	file, err := os.Create(filepath.Join(b.dir(), "logs", "1-1.log.1"))
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriter(file)
	at, text := time.Now().Add(-time.Hour), strings.Repeat("x", 1000)
	for n := range lines {
		fmt.Fprintf(out, "%s o 1 %s %d\n", at.Add(time.Duration(n)*time.Millisecond).UTC().Format(time.RFC3339Nano), text, n)
	}
	if err := errors.Join(out.Flush(), file.Close()); err != nil {
		t.Fatal(err)
	}
	for _, tail := range []int{0, lines / 2} {
		count, last := 0, ""
		err = b.Logs(t.Context(), sdk.LogsRequest{Target: w.target, Tail: tail}, func(lines ...sdk.LogLine) error {
			count += len(lines)
			last = lines[len(lines)-1].Line
			return nil
		})
		if want := tail; err != nil || tail > 0 && count != want || tail == 0 && count <= lines || strings.Contains(last, text) {
			t.Errorf("tail of %d: %d lines, the last %.30q, %v", tail, count, last, err)
		}
	}
	b.small()
}

// withOneFree returns the limit under which a process has one descriptor left.
func withOneFree(t *testing.T, pid int) uint64 {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	used := map[int]bool{}
	for _, entry := range entries {
		number, err := strconv.Atoi(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		used[number] = true
	}
	for number, free := 0, 0; ; number++ {
		if !used[number] {
			free++
		}
		if free == 2 {
			return uint64(number)
		}
	}
}
