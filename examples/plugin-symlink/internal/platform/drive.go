package platform

import (
	"context"
	"fmt"
	"time"

	"example.com/apm-plugin-symlink/internal/component"
	"example.com/apm-plugin-symlink/internal/tree"

	"github.com/apm-deploy/apm/sdk/journal"
)

const (
	// copied is the step after which the files are in place.
	copied = "copied"
	// stopEvery is how often a copy under way looks whether it is still wanted.
	stopEvery = 200 * time.Millisecond
)

// drive takes the steps of one operation: copy the files, wait for Promote if it is
// staged, swap the link. It goes on wherever a crash left it.
func (p *Platform) drive(ctx context.Context, w *journal.Work[component.Goal]) error {
	dir := component.OfJournal(w.Dir())
	if err := placeFiles(ctx, w, dir); err != nil {
		return err
	}
	seen, _ := dir.Fingerprint(ctx) // advance finds out what is wrong with it
	for {
		waits := false
		err := w.Do(ctx, func(s *component.Record, o *component.Operation) error {
			err := p.advance(ctx, dir, s, o)
			waits = o.Waits()
			return err
		})
		if err != nil || !waits {
			return err
		}
		for changed, now := false, seen; !changed && now == seen; {
			if changed, err = w.Pause(ctx, lookEvery); err != nil {
				return err
			}
			now, _ = dir.Fingerprint(ctx)
		}
		seen, _ = dir.Fingerprint(ctx)
	}
}

// placeFiles copies the files of a release, with a line for each, and publishes them.
func placeFiles(ctx context.Context, w *journal.Work[component.Goal], dir component.Dir) error {
	o, err := w.Operation()
	if err != nil || o.Goal == nil || o.Reached(copied) {
		return err
	}
	looked := time.Now()
	err = dir.Copy(ctx, o, func(e tree.Entry) error {
		if time.Since(looked) > stopEvery {
			looked = time.Now()
			w.Tell()
			if _, err := w.Operation(); err != nil {
				return err
			}
		}
		return w.Printf("copied %s, %d bytes", e.Path, e.Size)
	})
	if err != nil {
		return err
	}
	return w.Do(ctx, func(_ *component.Record, o *component.Operation) error {
		if err := dir.Place(ctx, o); err != nil {
			return err
		}
		o.Reach(copied)
		return nil
	})
}

// advance takes the step that can be taken now. Whoever changed what is current since
// the operation was accepted keeps it.
func (p *Platform) advance(ctx context.Context, dir component.Dir, s *component.Record, o *component.Operation) error {
	live, err := dir.Look(ctx)
	if err != nil {
		return err
	}
	goal := component.Empty
	if o.Goal != nil {
		goal = o.Goal.Digest
	}
	switch {
	case live.Digest != o.Before && live.Digest != goal:
		by := dir.ChangedBy()
		o.End(journal.Outcome{Result: journal.Superseded, By: by, Message: dir.Current() + " was changed meanwhile by " + by})
	case o.Staged && !o.Promoted:
		if !o.Reached(journal.Candidate) {
			o.Reach(journal.Candidate)
		}
		return nil
	default:
		if err := settle(dir, s, o); err != nil {
			return err
		}
	}
	if err := dir.Prune(s, p.config.Keep); err != nil {
		p.log.Warn("old releases stay", "error", err)
	}
	return nil
}

// settle makes the goal current. What is to be current is written first: after a crash
// between the two nobody else is taken for its author.
func settle(dir component.Dir, s *component.Record, o *component.Operation) error {
	if o.Goal == nil {
		if err := dir.Remove(); err != nil {
			return fmt.Errorf("remove: %w", err)
		}
		s.Serving = nil
		o.End(journal.Outcome{Result: journal.Succeeded, Message: "removed"})
		return nil
	}
	s.Serve(o, o.Goal.Digest)
	if err := s.Save(); err != nil {
		return err
	}
	if err := dir.Swap(o.Goal.Link); err != nil {
		return fmt.Errorf("swap link: %w", err)
	}
	o.End(journal.Outcome{
		Result: journal.Succeeded, Message: fmt.Sprintf("%s leads to %s", dir.Current(), o.Goal.Link),
		Outputs: map[string]string{"path": dir.Current()},
	})
	return nil
}
