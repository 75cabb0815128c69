package component

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/apm-plugin-symlink/internal/tree"

	"github.com/apm-deploy/apm/sdk/journal"
)

const (
	frozen   = "frozen"
	incoming = "incoming"
	// nameLength is how much of a digest is a directory's name; the whole of it is
	// compared all the same.
	nameLength = 16
	// abandoned is the age of a copy that nobody makes any more.
	abandoned = 24 * time.Hour
)

// ReleasePrefix is before the digest of a release, and not before that of a snapshot.
const ReleasePrefix = "sha256:"

// ErrGone is matched where frozen files are not there any more.
var ErrGone = errors.New("the files are not kept any more")

func name(digest string) string { return digest[:min(nameLength, len(digest))] }

// Frozen says whether the files of that digest are kept.
func (d Dir) Frozen(digest string) bool { return exists(d.own(frozen, name(digest))) }

// Available says whether the files of a goal can be had: frozen, or where they
// always were.
func (d Dir) Available(ctx context.Context, goal *Goal) bool {
	return d.Frozen(goal.Digest) || filepath.IsAbs(goal.Link) && d.intact(ctx, goal.Link, goal.Digest)
}

// Files returns the files of a goal, or ErrGone.
func (d Dir) Files(ctx context.Context, goal *Goal) (tree.Tree, error) {
	switch {
	case d.Frozen(goal.Digest):
		return tree.Read(ctx, d.Source(goal))
	case d.Available(ctx, goal):
		return tree.Read(ctx, goal.Link)
	default:
		return nil, ErrGone
	}
}

// Discard removes the copy that was placed for a goal and not made current.
func (d Dir) Discard(goal *Goal) error {
	link, err := d.link()
	if err != nil || goal == nil || !Ours(goal.Link) || goal.Link == link {
		return err
	}
	return os.RemoveAll(d.path(goal.Link))
}

// Freeze keeps a copy of what is below source, and of extra beside it, by name.
func (d Dir) Freeze(ctx context.Context, source string, extra map[string]string) (tree.Tree, error) {
	if err := os.MkdirAll(d.own(incoming), 0o755); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(d.own(incoming), "freeze-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	files := filepath.Join(temp, "files")
	t, err := tree.Copy(ctx, source, files, nil)
	if err != nil {
		return nil, err
	}
	for name, content := range extra {
		if exists(filepath.Join(files, name)) {
			return nil, fmt.Errorf("%q is there already: it %w", name, tree.ErrInvalid)
		}
		if err := journal.WriteFile(filepath.Join(files, name), []byte(content)); err != nil { // mode 0600
			return nil, err
		}
	}
	if len(extra) > 0 {
		if t, err = tree.Read(ctx, files); err != nil {
			return nil, err
		}
	}
	unlock, err := journal.Lock(ctx, d.Journal())
	if err != nil {
		return nil, err
	}
	defer unlock()
	return t, d.keep(ctx, files, t.Digest())
}

// keep moves a copy to where frozen files lie. One that lies there and is not
// intact gives way.
func (d Dir) keep(ctx context.Context, files, digest string) error {
	final := d.own(frozen, name(digest))
	if d.intact(ctx, final, digest) {
		return d.touch(digest)
	}
	if err := os.RemoveAll(final); err != nil {
		return err
	}
	if err := os.MkdirAll(d.own(frozen), 0o755); err != nil {
		return err
	}
	if err := os.Rename(files, final); err != nil {
		return err
	}
	return errors.Join(d.touch(digest), tree.Sync(d.own(frozen)))
}

// touch makes frozen files the newest.
func (d Dir) touch(digest string) error {
	now := time.Now()
	return os.Chtimes(d.own(frozen, name(digest)), now, now)
}

func (d Dir) intact(ctx context.Context, dir, digest string) bool {
	t, err := tree.Read(ctx, dir)
	return err == nil && t.Digest() == digest
}

// Copy copies frozen files to a place of their own, in the name of an operation,
// and tells each entry. Place publishes them. Where they are already it does
// nothing.
func (d Dir) Copy(ctx context.Context, o *Operation, each func(tree.Entry) error) error {
	if _, there := d.place(ctx, o.Goal); there {
		return nil
	}
	if !d.Frozen(o.Goal.Digest) {
		return ErrGone
	}
	temp := d.incoming(o)
	if err := os.RemoveAll(temp); err != nil {
		return err
	}
	t, err := tree.Copy(ctx, d.own(frozen, name(o.Goal.Digest)), temp, each)
	if err == nil && t.Digest() != o.Goal.Digest {
		err = fmt.Errorf("%w: somebody changed %q", ErrGone, d.own(frozen, name(o.Goal.Digest)))
	}
	return err
}

// Place publishes the copy of an operation and sets its goal's link. The lock must
// be held.
func (d Dir) Place(ctx context.Context, o *Operation) error {
	link, there := d.place(ctx, o.Goal)
	if !there {
		if err := os.MkdirAll(d.path(releases), 0o755); err != nil {
			return err
		}
		if err := os.Rename(d.incoming(o), d.path(link)); err != nil {
			return err
		}
		if err := tree.Sync(d.path(releases)); err != nil {
			return err
		}
	}
	o.Goal.Link = link
	if d.Frozen(o.Goal.Digest) {
		return d.touch(o.Goal.Digest)
	}
	return nil
}

// Placed says whether the files of a goal are where its link says, and intact.
func (d Dir) Placed(ctx context.Context, goal *Goal) (bool, error) {
	t, err := tree.Read(ctx, d.follow(goal.Link))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return t.Digest() == goal.Digest, err
}

// Target is what current leads to when a goal is reached.
func (d Dir) Target(goal *Goal) string {
	if goal.Link != "" {
		return goal.Link
	}
	return filepath.Join(releases, name(goal.Digest))
}

// Source is the path that the files of a goal are copied from.
func (d Dir) Source(goal *Goal) string { return d.own(frozen, name(goal.Digest)) }

// place returns where the files of a goal are, or else may be put. What lies in
// their place and is not intact may be current, and stays.
func (d Dir) place(ctx context.Context, goal *Goal) (link string, there bool) {
	if filepath.IsAbs(goal.Link) && d.intact(ctx, goal.Link, goal.Digest) {
		return goal.Link, true
	}
	for n := 1; ; n++ {
		link = filepath.Join(releases, name(goal.Digest))
		if n > 1 {
			link += "." + strconv.Itoa(n)
		}
		if !exists(d.path(link)) {
			return link, false
		}
		if d.intact(ctx, d.path(link), goal.Digest) {
			return link, true
		}
	}
}

// incoming is where an operation copies to, of one epoch: a driver that lost the
// component may still write to its own.
func (d Dir) incoming(o *Operation) string {
	sum := sha256.Sum256([]byte(o.ID))
	return d.own(incoming, name(hex.EncodeToString(sum[:]))+"-"+strconv.FormatUint(o.Epoch, 10))
}

// Prune removes the files of all but the newest keep releases, those in use and those
// that the host may want back, and copies that nobody makes any more. The lock must be
// held.
func (d Dir) Prune(s *Record, keep int) error {
	link, err := d.link()
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, digest := range s.Retain {
		kept[name(strings.TrimPrefix(digest, ReleasePrefix))] = true
	}
	if s.Serving != nil {
		kept[name(s.Serving.Digest)] = true
	}
	active, target := "", ""
	if o := s.Active(); o != nil && o.Goal != nil {
		kept[name(o.Goal.Digest)], active, target = true, filepath.Base(d.incoming(o)), o.Goal.Link
	}
	for _, entry := range newest(d.own(frozen)) {
		if keep--; keep >= 0 {
			kept[entry] = true
		}
	}
	return errors.Join(
		sweep(d.own(frozen), func(entry string) bool { return kept[entry] }),
		sweep(d.path(releases), func(entry string) bool {
			path := filepath.Join(releases, entry)
			return path == link || path == target || kept[entry]
		}),
		sweep(d.own(incoming), func(entry string) bool {
			info, err := os.Stat(d.own(incoming, entry))
			return entry == active || err != nil || time.Since(info.ModTime()) < abandoned && strings.HasPrefix(entry, "freeze-")
		}),
	)
}

// newest lists a directory by time.
func newest(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	times := map[string]time.Time{}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			times[entry.Name()] = info.ModTime()
			names = append(names, entry.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(times[b].Compare(times[a]), cmp.Compare(a, b))
	})
	return names
}

// sweep removes what is not to be kept.
func sweep(dir string, keep func(entry string) bool) error {
	var errs []error
	for _, entry := range newest(dir) {
		if !keep(entry) {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, entry)))
		}
	}
	return errors.Join(errs...)
}
