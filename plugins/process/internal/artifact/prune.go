package artifact

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/state"
)

// claimAge is how long an artifact that was resolved waits for its deployment.
const claimAge = 7 * 24 * time.Hour

// staleIncoming is the age at which a half unpacked artifact was left behind by
// a process that died.
const staleIncoming = time.Hour

// Prune removes the artifacts that nothing in keep names and no fresh claim
// holds. keep is called under the lock that Add takes too, so that nothing can
// be resolved between the look and the removal.
func (s Store) Prune(now time.Time, keep func() (map[string]bool, error)) error {
	if _, err := os.Stat(s.Dir); err != nil {
		return nil // nothing was ever stored
	}
	lock, err := state.WaitLock(s.Dir)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	kept, err := keep()
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return fmt.Errorf("prune artifacts: %w", err)
	}
	for _, entry := range entries {
		path := filepath.Join(s.Dir, entry.Name())
		if strings.HasPrefix(entry.Name(), ".incoming-") {
			if info, err := entry.Info(); err == nil && now.Sub(info.ModTime()) > staleIncoming {
				_ = os.RemoveAll(path)
			}
			continue
		}
		if !entry.IsDir() || kept[entry.Name()] || s.claimed(path, now) {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("prune artifact: %w", err)
		}
	}
	return nil
}

func (s Store) claimed(path string, now time.Time) bool {
	claims, err := os.ReadDir(filepath.Join(path, claimsName))
	if err != nil {
		return false
	}
	for _, claim := range claims {
		if info, err := claim.Info(); err == nil && now.Sub(info.ModTime()) < claimAge {
			return true
		}
	}
	return false
}
