package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// The files of a journal.
const (
	stateFile = "state.json"
	lockFile  = "lock"
	logsDir   = "logs"
)

// lockEvery is how often a lock that is held is tried again.
const lockEvery = 5 * time.Millisecond

// ErrNewer is matched where the journal was written by a newer plugin.
var ErrNewer = errors.New("written by a newer plugin: use that one")

// Dir is the directory of the journal.
func (j *Journal[G]) Dir() string { return j.dir }

// Lock takes the component of the journal in a directory for a change: nobody else
// changes it meanwhile, in this process or in another. It ends with the process that
// holds it. What is called by [Journal.Accept], [Journal.Cancel] and [Work.Do] has it
// already.
func Lock(ctx context.Context, dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make directory of journal: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
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

// Read returns what is written down, of the present moment and without the lock.
func (j *Journal[G]) Read() (*Record[G], error) {
	r, _, err := j.read()
	return r, err
}

func (j *Journal[G]) read() (*Record[G], []byte, error) {
	r, path := &Record[G]{}, filepath.Join(j.dir, stateFile)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("read journal: %w", err)
	}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, nil, fmt.Errorf("read journal %q: %w", path, err)
	}
	if r.Format > format {
		return nil, nil, fmt.Errorf("journal %q has format %d: %w", path, r.Format, ErrNewer)
	}
	return r, text, nil
}

// change reads the record, has it changed, writes it if it did change, and wakes those
// who wait for it. After an error of apply nothing is written.
func (j *Journal[G]) change(ctx context.Context, apply func(*Record[G]) error) error {
	unlock, err := Lock(ctx, j.dir)
	if err != nil {
		return &brokenError{err}
	}
	defer unlock()
	r, before, err := j.read()
	if err != nil {
		return &brokenError{err}
	}
	r.save = func() error {
		r.Format = format
		r.Installation = j.installation
		r.Application, r.Environment, r.Component = j.target.Application, j.target.Environment, j.target.Component
		text, err := json.MarshalIndent(r, "", " ")
		if err == nil && !bytes.Equal(text, before) {
			before = text
			err = WriteFile(filepath.Join(j.dir, stateFile), text)
			j.wake()
		}
		if err != nil {
			return &brokenError{fmt.Errorf("write journal: %w", err)}
		}
		return nil
	}
	if err := apply(r); err != nil {
		return err
	}
	return r.save()
}

// brokenError is one of the journal itself, not of the work that it is about.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

// WriteFile writes a file that only its owner may read, by way of a temporary one
// beside it: after a crash there is the old content or the new.
func WriteFile(path string, content []byte) error {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // gone already when all went well
	if _, err = file.Write(content); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return err
	}
	handle, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(handle.Sync(), handle.Close())
}
