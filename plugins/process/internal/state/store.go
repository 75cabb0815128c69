package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// FileName of the state within a component's directory.
const FileName = "state.json"

// ErrNone is returned by Load where there is no state.
var ErrNone = errors.New("no state")

// Load reads the state of the component in dir. It returns ErrNone where there
// is none, and an error that names the file where it cannot be understood.
func Load(dir string) (*State, error) {
	path := filepath.Join(dir, FileName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	s, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("read state %q: %w", path, err)
	}
	return s, nil
}

// Save replaces the state of the component in dir, durably: after a power cut
// the file is either the old or the new one.
func Save(dir string, s *State) error {
	s.Version = Version
	s.trimEvidence()
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	return WriteFile(filepath.Join(dir, FileName), data)
}

// WriteFile writes data to path by way of a temporary file, with both the file
// and its directory synced.
func WriteFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, ".write-*") // mode 0600: the state may hold secrets
	if err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if _, err = file.Write(data); err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}

func syncDir(dir string) error {
	handle, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer handle.Close()
	return handle.Sync()
}
