package serve

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	parentPoll = time.Second
	hostGone   = 3 // exit code when the host went away
)

// holdLifeline returns a channel that is closed when the host is gone. The host
// holds the other end of a pipe that nobody writes to, so that its death, of
// whatever kind, reads as the end of the file. Where there is no pipe, and
// beside it, the parent's pid is looked at: a process whose parent died gets
// another.
//
// Its goroutines live as long as the process.
func holdLifeline() (<-chan struct{}, error) {
	fd, given, err := lifelineFD()
	if err != nil {
		return nil, err
	}
	lost := make(chan struct{})
	leave := sync.OnceFunc(func() { close(lost) })
	if given {
		// It came to us by exec; what the plugin starts must not have it.
		syscall.CloseOnExec(int(fd))
		pipe := os.NewFile(fd, "lifeline")
		if pipe == nil {
			return nil, fmt.Errorf("open lifeline: descriptor %d is not valid", fd)
		}
		if _, err := pipe.Stat(); err != nil {
			return nil, fmt.Errorf("open lifeline: descriptor %d: %w", fd, err)
		}
		go func() {
			defer leave()
			waitForEOF(pipe)
		}()
	}
	go func() {
		defer leave()
		waitForOtherParent(os.Getppid())
	}()
	return lost, nil
}

func waitForEOF(pipe *os.File) {
	buffer := make([]byte, 64)
	for {
		if _, err := pipe.Read(buffer); err != nil {
			return
		}
	}
}

func waitForOtherParent(parent int) {
	ticks := time.NewTicker(parentPoll)
	defer ticks.Stop()
	for range ticks.C {
		if os.Getppid() != parent {
			return
		}
	}
}
