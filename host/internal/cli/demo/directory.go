package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/apm-deploy/apm/host/internal/app"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Files of the demo's directory.
const (
	lockFile     = "demo.lock"
	configFile   = "config.hcl"
	appFile      = "demo.hcl"
	hostFile     = app.HostFile // written by the host
	hostLog      = "host.log"
	clientLog    = "client.log"
	sentPosts    = "posts-sent"
	arrivedPosts = "posts-arrived"
	starts       = "starts"
	artifacts    = "artifacts"
)

// directory is the demo's own directory, locked for as long as the demo runs:
// the lock ends with the process, however that ends.
type directory struct {
	root string
	lock *os.File
	// files that were there when it was opened, beside the lock.
	found []os.DirEntry
}

// holder is what the lock file says of who holds it.
type holder struct {
	PID int    `json:"pid"`
	URL string `json:"url"`
}

// open makes the directory if need be and locks it. One that another demo holds
// is refused, naming that demo; one that is no demo's too.
func open(root string) (*directory, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("make the demo's directory: %w", err)
	}
	d := &directory{root: root}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("read the demo's directory: %w", err)
	}
	mine := len(entries) == 0
	for _, entry := range entries {
		if entry.Name() == lockFile {
			mine = true
		} else {
			d.found = append(d.found, entry)
		}
	}
	if !mine {
		return nil, &deployment.Error{
			Code: deployment.Conflict, Message: fmt.Sprintf("%s is no directory of a demo", root),
			Remedy: "name an empty one, or none, with --data-dir",
		}
	}
	d.lock, err = os.OpenFile(d.path(lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the demo's lock: %w", err)
	}
	err = syscall.Flock(int(d.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, d.refused()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the demo's directory: %w", err), d.lock.Close())
	}
	return d, d.note("")
}

// refused names the demo that holds the lock.
func (d *directory) refused() error {
	var other holder
	data, err := io.ReadAll(d.lock)
	_ = d.lock.Close() // nothing was written
	if err == nil {
		err = json.Unmarshal(data, &other)
	}
	at := "is starting"
	if other.URL != "" {
		at = "runs at " + other.URL
	}
	if err != nil {
		return &deployment.Error{Code: deployment.Conflict, Message: "another demo is starting in " + d.root, Remedy: "try again in a moment"}
	}
	return &deployment.Error{
		Code: deployment.Conflict, Message: fmt.Sprintf("a demo %s already (pid %d)", at, other.PID),
		Remedy: fmt.Sprintf("use that one, end it with: kill %d; or give this one a directory of its own with --data-dir", other.PID),
	}
}

// note writes who holds the lock, for those that are refused.
func (d *directory) note(url string) error {
	data, err := json.Marshal(holder{PID: os.Getpid(), URL: url})
	if err != nil {
		return err
	}
	if err := d.lock.Truncate(0); err != nil {
		return fmt.Errorf("write the demo's lock: %w", err)
	}
	if _, err := d.lock.WriteAt(append(data, '\n'), 0); err != nil {
		return fmt.Errorf("write the demo's lock: %w", err)
	}
	return nil
}

// used says whether an earlier demo left its data here.
func (d *directory) used() bool { return len(d.found) > 0 }

// wipe removes everything but the lock.
func (d *directory) wipe() error {
	entries, err := os.ReadDir(d.root)
	if err != nil {
		return fmt.Errorf("read the demo's directory: %w", err)
	}
	for _, entry := range entries {
		if entry.Name() != lockFile {
			err = errors.Join(err, os.RemoveAll(d.path(entry.Name())))
		}
	}
	return err
}

// empty says whether nothing but the lock is there.
func (d *directory) empty() bool {
	entries, err := os.ReadDir(d.root)
	return err == nil && len(entries) == 1
}

// close gives the lock back; an empty directory goes with it.
func (d *directory) close() error {
	if d.empty() {
		_ = os.Remove(d.path(lockFile)) // before the lock is given back: nobody else can hold it
		_ = os.Remove(d.root)
	}
	return d.lock.Close()
}

func (d *directory) path(name string) string { return filepath.Join(d.root, name) }
