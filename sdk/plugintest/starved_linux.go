package plugintest

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// starved is how long the threads of a process, all together, were ready to run and
// had no processor (schedstat of proc(5), in nanoseconds). It is 0 where the kernel
// does not count that.
func starved(pid int) time.Duration {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0
	}
	var all time.Duration
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		var ran, waited time.Duration
		if _, err := fmt.Sscan(string(text), &ran, &waited); err == nil {
			all += waited
		}
	}
	return all
}
