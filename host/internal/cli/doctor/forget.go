package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// Kept is a directory in which a platform keeps what belongs to an installation
// also when nothing of it runs: state, logs, and the artifacts for rollbacks.
type Kept struct {
	Platform     string `json:"platform"`
	Installation string `json:"installation_id"`
	Dir          string `json:"dir"`
}

// String renders it as one line.
func (k Kept) String() string {
	return fmt.Sprintf("%s: %s, kept for rollbacks of installation %s", k.Platform, k.Dir, k.Installation)
}

// installationID is what may stand in a path.
var installationID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// Kept lists what platforms keep of these installations. A platform that tells a
// state_dir with its health has a directory for each in it.
func (c Config) Kept(ctx context.Context, installations ...string) ([]Kept, error) {
	var kept []Kept
	for _, p := range c.Config.Platforms() {
		var root string
		err := c.with(ctx, p.Name, p.Plugin, inspector, func(p sdk.Platform) (err error) {
			root, err = stateDir(ctx, p)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("ask platform %q where it keeps its state: %w", p.Name, err)
		}
		for _, installation := range installations {
			if root == "" || !installationID.MatchString(installation) {
				continue
			}
			k := Kept{Platform: p.Name, Installation: installation, Dir: filepath.Join(root, installation)}
			shared := slices.ContainsFunc(kept, func(other Kept) bool { return other.Dir == k.Dir })
			if info, err := os.Lstat(k.Dir); err == nil && info.IsDir() && !shared {
				kept = append(kept, k)
			}
		}
	}
	return kept, nil
}

// healthTime is how long a platform may take to tell of itself.
const healthTime = 10 * time.Second

var errTold = errors.New("told")

// stateDir asks a platform where it keeps its state, "" where it does not say.
func stateDir(ctx context.Context, p sdk.Platform) (dir string, err error) {
	reporter, reports := p.(sdk.HealthReporter)
	if !reports {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	err = reporter.Health(ctx, func(h sdk.Health) error {
		dir = h.Attributes["state_dir"]
		return errTold
	})
	if errors.Is(err, errTold) || dir != "" {
		return dir, nil
	}
	return "", err
}

// What looks after a component ends a moment after the component, and until then
// writes its state again when somebody takes that away.
const (
	forgetTime = 20 * time.Second
	calm       = 3 * time.Second
	lookEvery  = 100 * time.Millisecond
)

// Forget removes a directory, once nothing of its installation runs any more.
func (c Config) Forget(ctx context.Context, k Kept) error {
	left, err := c.Find(ctx, k.Installation)
	switch {
	case err != nil:
		return err
	case len(left) > 0:
		return fmt.Errorf("something of installation %s still runs: %s", k.Installation, left[0])
	}
	return forget(ctx, k.Dir, calm)
}

// forget removes a directory until it stays away for so long.
func forget(ctx context.Context, dir string, quiet time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, forgetTime)
	defer cancel()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	gone := time.Time{}
	for {
		_, err := os.Lstat(dir)
		switch {
		case err == nil:
			gone = time.Time{}
			if err := os.RemoveAll(dir); err != nil {
				return fmt.Errorf("remove %s: %w", dir, err)
			}
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("remove %s: %w", dir, err)
		case gone.IsZero():
			gone = time.Now()
		case time.Since(gone) >= quiet:
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("remove %s: something makes it again", dir)
		}
	}
}
