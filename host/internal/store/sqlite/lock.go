package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// fileLock keeps a second host out. The file stays when the lock is given back:
// to remove it would take it from under whoever waits for it.
type fileLock struct{ file *os.File }

// lockFile takes the lock beside the database, or says who has it.
func lockFile(path, host string) (*fileLock, error) {
	name := path + ".lock"
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, (&Store{path: path}).refused(err)
	}
	taken, err := acquireSoon(file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock database %s: %w", path, err), file.Close())
	}
	if !taken {
		holder, err := io.ReadAll(io.LimitReader(file, 512))
		who := strings.Join(strings.Fields(string(holder)), " ")
		if err != nil || who == "" {
			who = "another process"
		}
		_ = file.Close()
		return nil, unavailable(nil, "stop that host, or give this one a data directory of its own",
			"database %s is in use by %s", path, who)
	}
	lock := &fileLock{file: file}
	if err := lock.sign(host); err != nil {
		return nil, errors.Join(fmt.Errorf("lock database %s: %w", path, err), lock.release())
	}
	return lock, nil
}

// settle is how long a lock may stay taken that was given back: a process that is
// just being started has a copy of every open file until its program begins.
const settle = 250 * time.Millisecond

// acquireSoon takes the lock, or says that it is taken for longer than settle.
func acquireSoon(file *os.File) (taken bool, err error) {
	deadline := time.NewTimer(settle)
	defer deadline.Stop()
	again := time.NewTicker(settle / 25)
	defer again.Stop()
	for {
		if taken, err = acquire(file); taken || err != nil {
			return taken, err
		}
		select {
		case <-again.C:
		case <-deadline.C:
			return false, nil
		}
	}
}

// sign says who has the lock.
func (l *fileLock) sign(host string) error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	text := fmt.Sprintf("pid %d\n", os.Getpid())
	if host != "" {
		text += fmt.Sprintf("(host %s)\n", host)
	}
	_, err := l.file.WriteAt([]byte(text), 0)
	return err
}

// release gives the lock back.
func (l *fileLock) release() error {
	return errors.Join(l.file.Truncate(0), l.file.Close())
}
