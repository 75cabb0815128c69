package component

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockEvery is how often a lock that is held is tried again.
const lockEvery = 5 * time.Millisecond

// Lock takes the component for a change: nobody else changes it meanwhile, in this
// process or in another. It ends with the process that holds it.
func (d Dir) Lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(d.own(), 0o755); err != nil {
		return nil, fmt.Errorf("make directory of component: %w", err)
	}
	file, err := os.OpenFile(d.own("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock component: %w", err)
	}
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = file.Close() }, nil // which unlocks
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return nil, errors.Join(fmt.Errorf("lock component: %w", err), file.Close())
		}
		select {
		case <-time.After(lockEvery):
		case <-ctx.Done():
			_ = file.Close()
			return nil, ctx.Err()
		}
	}
}
