package serve

import (
	"fmt"
	"log/slog"
	"os"
	"time"
)

const (
	parentPoll  = time.Second
	hostGone    = 3 // exit code when the host went away
	lostMessage = "the host is gone: exit"
)

// holdLifeline ends the process when the host is gone. The host holds the other
// end of a pipe that nobody writes to, so that its death, of whatever kind,
// reads as the end of the file. Where there is no pipe, and beside it, the
// parent's pid is looked at: a process whose parent died gets another.
//
// Its goroutines live as long as the process.
func holdLifeline(log *slog.Logger) error {
	fd, given, err := lifelineFD()
	if err != nil {
		return err
	}
	if given {
		pipe := os.NewFile(fd, "lifeline")
		if pipe == nil {
			return fmt.Errorf("open lifeline: descriptor %d is not valid", fd)
		}
		if _, err := pipe.Stat(); err != nil {
			return fmt.Errorf("open lifeline: descriptor %d: %w", fd, err)
		}
		go waitForEOF(log, pipe)
	}
	go pollParent(log, os.Getppid())
	return nil
}

func waitForEOF(log *slog.Logger, pipe *os.File) {
	buffer := make([]byte, 64)
	for {
		if _, err := pipe.Read(buffer); err != nil {
			leave(log)
		}
	}
}

func pollParent(log *slog.Logger, parent int) {
	ticks := time.NewTicker(parentPoll)
	defer ticks.Stop()
	for range ticks.C {
		if os.Getppid() != parent {
			leave(log)
		}
	}
}

// leave ends the process at once. What it was doing is found again by Recover;
// to linger would be to act for a host that may have lost its lease. The log may
// have lost its reader too, so that writing must not be waited for.
func leave(log *slog.Logger) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		log.Warn(lostMessage)
	}()
	select {
	case <-written:
	case <-time.After(100 * time.Millisecond):
	}
	os.Exit(hostGone)
}
