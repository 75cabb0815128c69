package fake

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/apm-deploy/apm/sdk"
)

const lockFile = "lock"

// lock takes a component for what reads its state and writes it: within this
// process, and from the others, as a process that is drained drives on while its
// successor recovers what it left.
func (p *platform) lock(t sdk.Target) (unlock func(), err error) {
	p.mu.Lock()
	held, err := hold(p.path(t, lockFile))
	if err != nil {
		p.mu.Unlock()
		return nil, err
	}
	return func() {
		_ = held.Close() // it lets go of the lock
		p.mu.Unlock()
	}, nil
}

func hold(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
