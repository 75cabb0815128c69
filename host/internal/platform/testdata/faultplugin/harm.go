package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// harms are what a Probe of the component "NAME AMOUNT" does.
var harms = map[string]func(int) string{"eat": eat, "open": open, "write": write}

func amount(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

var eaten [][]byte

// eat takes that many bytes and keeps them.
func eat(n int) string {
	eaten = append(eaten, bytes.Repeat([]byte("x"), n))
	return ""
}

// open opens that many files, or says why not, and how many it could.
func open(n int) string {
	for i := range n {
		if _, err := syscall.Open("/dev/null", syscall.O_RDONLY, 0); err != nil {
			return fmt.Sprintf("%d: %v", i, err)
		}
	}
	return "all"
}

// write writes that many bytes to standard error.
func write(n int) string {
	block := []byte(strings.Repeat(strings.Repeat("x", 99)+"\n", 1<<12))
	for n > 0 {
		written, err := os.Stderr.Write(block[:min(n, len(block))])
		if err != nil {
			return err.Error()
		}
		n -= written
	}
	return "all"
}

// flood sends that many events.
func flood(n int, sink sdk.Sink) error {
	for i := range n {
		event := sdk.Event{Resource: &sdk.Resource{ID: fmt.Sprint("thing-", i), Reason: strings.Repeat("y", 200)}}
		if err := sink(event); err != nil {
			return err
		}
	}
	return sink(sdk.Event{Outcome: &sdk.Outcome{Result: sdk.ResultSucceeded}})
}

// driveAlone notes each process that may drive the platform, and the ones that
// it does so beside.
func driveAlone(platform string) {
	others, err := filepath.Glob(filepath.Join(control(), "drives-"+platform+"-*"))
	if err != nil {
		panic(err)
	}
	for _, other := range others {
		pid := amount(other[strings.LastIndex(other, "-")+1:])
		if pid != os.Getpid() && syscall.Kill(pid, 0) == nil {
			note("overlaps", "%d drives beside %d", os.Getpid(), pid)
		}
	}
	note(fmt.Sprintf("drives-%s-%d", platform, os.Getpid()), "")
}

// leaveChildren starts processes that hold all that they inherit, and ends none.
func leaveChildren() {
	for range 3 {
		child := exec.Command("sleep", "3600")
		child.Stdout, child.Stderr = os.Stderr, os.Stderr
		if err := child.Start(); err != nil {
			panic(err)
		}
		note("children", "%d", child.Process.Pid)
	}
}

// becomeAnother turns the process into a program that knows nothing of a host,
// once it is asked to.
func becomeAnother() {
	for {
		if _, err := os.Stat(filepath.Join(control(), "become")); err == nil {
			panic(syscall.Exec("/bin/sleep", []string{"sleep", "3600"}, os.Environ()))
		}
		time.Sleep(10 * time.Millisecond)
	}
}
