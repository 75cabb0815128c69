package platform

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/apm-plugin-symlink/internal/component"
	"example.com/apm-plugin-symlink/internal/tree"
)

// stopEvery is how often a copy under way looks whether it is still wanted.
const stopEvery = 200 * time.Millisecond

var errUnwanted = errors.New("the operation has ended, or somebody else drives it")

// driver carries one operation through its steps, on behalf of one epoch. Each step
// is written down once it is done, and may be done twice: after a crash Recover
// makes a driver that goes on where the last one was.
type driver struct {
	*Platform
	dir   component.Dir
	id    string
	epoch uint64
}

// drive has an operation go on until it has ended or waits for Promote. It outlives
// the call that began it; operations of a component go one after the other.
func (p *Platform) drive(dir component.Dir, o *component.Operation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	turn := p.drivers[dir]
	if turn == nil {
		turn = &sync.Mutex{}
		p.drivers[dir] = turn
	}
	d := &driver{Platform: p, dir: dir, id: o.ID, epoch: o.Epoch}
	go func() {
		turn.Lock()
		defer turn.Unlock()
		if err := d.run(context.Background()); err != nil && !errors.Is(err, errUnwanted) {
			p.log.Error("operation is not driven any more: Recover goes on with it", "operation", d.id, "error", err)
		}
	}()
}

// run copies what is to be copied, and then does the rest under the component's
// lock. Its error is that of writing steps down; what goes wrong with the work
// itself is an outcome.
func (d *driver) run(ctx context.Context) error {
	_, o, err := d.wanted()
	if err != nil {
		return err
	}
	var problem error
	if o.Goal != nil && !o.Reached(component.Copied) {
		problem = d.copy(ctx, o)
	}
	unlock, err := d.dir.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	s, o, err := d.wanted()
	if err != nil {
		return err
	}
	if problem == nil {
		problem = d.advance(ctx, s, o)
	}
	if problem != nil {
		o.End(failure(problem))
	}
	if o.Outcome != nil {
		d.log.Info("operation ended", "operation", o.ID, "result", o.Outcome.Result, "message", o.Outcome.Message)
	}
	return d.save(d.dir, s)
}

// wanted returns the operation as it is written, or errUnwanted.
func (d *driver) wanted() (*component.State, *component.Operation, error) {
	s, err := d.dir.Load()
	if err != nil {
		return nil, nil, err
	}
	o := s.Operation(d.id)
	if o == nil || o.Outcome != nil || o.Epoch != d.epoch || s.Epoch != d.epoch {
		return nil, nil, errUnwanted
	}
	return s, o, nil
}

// copy copies the files of a release, with a line in the log for each.
func (d *driver) copy(ctx context.Context, o *component.Operation) (err error) {
	log, err := d.dir.OpenLog(o.ID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	looked := time.Now()
	return d.dir.Copy(ctx, o, func(e tree.Entry) error {
		if time.Since(looked) > stopEvery {
			looked = time.Now()
			d.announce() // there are lines to read
			if _, _, err := d.wanted(); err != nil {
				return err
			}
		}
		return log.Printf("copied %s, %d bytes", e.Path, e.Size)
	})
}

// advance takes the steps that can be taken now.
func (d *driver) advance(ctx context.Context, s *component.State, o *component.Operation) error {
	if o.Goal != nil && !o.Reached(component.Copied) {
		if err := d.dir.Place(ctx, o); err != nil {
			return err
		}
		o.Reach(component.Copied)
	}
	live, err := d.dir.Look(ctx)
	if err != nil {
		return err
	}
	if live.Digest != o.Before && live.Digest != goalDigest(o) {
		by := d.dir.ChangedBy()
		o.End(component.Outcome{Result: component.Superseded, By: by, Message: d.dir.Current() + " was changed meanwhile by " + by})
		return nil
	}
	if o.Staged && !o.Promoted {
		if !o.Reached(component.Candidate) {
			o.Reach(component.Candidate)
		}
		return nil
	}
	return d.settle(s, o)
}

func goalDigest(o *component.Operation) string {
	if o.Goal == nil {
		return component.Empty
	}
	return o.Goal.Digest
}

// settle makes the goal current. What is to be current is stamped first: after a
// crash between the two nobody else is taken for its author.
func (d *driver) settle(s *component.State, o *component.Operation) error {
	message := "removed"
	if o.Goal != nil {
		s.Serving = &component.Serving{
			Operation: o.ID, Deployment: o.Deployment, Rollback: o.Rollback, Version: o.Version,
			Digest: o.Goal.Digest, Replaced: o.Before, Since: time.Now().UTC(),
		}
		if err := d.dir.Save(s); err != nil {
			return err
		}
		if err := d.dir.Swap(o.Goal.Link); err != nil {
			return fmt.Errorf("swap link: %w", err)
		}
		message = fmt.Sprintf("%s leads to %s", d.dir.Current(), o.Goal.Link)
	} else {
		if err := d.dir.Remove(); err != nil {
			return fmt.Errorf("remove: %w", err)
		}
		s.Serving = nil
	}
	o.End(component.Outcome{Result: component.Succeeded, Message: message})
	return nil
}
