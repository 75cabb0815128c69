package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// HostFile is the name of the file in the data directory that says where the
// running host answers.
const HostFile = "host.json"

// Running is what HostFile holds.
type Running struct {
	PID int    `json:"pid"`
	URL string `json:"url"`
}

// announce writes HostFile, so that the command line on this machine finds the
// host. It goes away with the host; after a kill -9 it names a pid that is gone.
func (h *host) announce() (url string, err error) {
	url = urlOf(h.server.Addr())
	data, err := json.Marshal(Running{PID: os.Getpid(), URL: url})
	if err != nil {
		return "", err
	}
	path := filepath.Join(h.settings.DataDir, HostFile)
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o600); err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	h.hostFile = path
	return url, nil
}
