package shim

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/instance"
	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/release"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

// How often drift is looked for. A look that takes long is made less often: at
// most one part in so many of the time goes into it.
const (
	filesEvery   = 2 * time.Second
	aroundEvery  = 2 * time.Second
	driftIdle    = 50
	driftsAtOnce = 20 // told of one kind
)

// The kinds of drift.
const (
	driftFiles  = "files"  // of the release that serves were changed
	driftAround = "around" // processes of the component that we did not start
	driftPlace  = "place"  // somebody listens in the place of the shim or of an instance
)

// pace says when a look is due again.
type pace struct {
	every time.Duration
	next  time.Time
}

// due calls look if it is time for it.
func (p *pace) due(look func()) {
	began := time.Now()
	if began.Before(p.next) {
		return
	}
	look()
	took := time.Since(began)
	p.next = time.Now().Add(max(p.every, driftIdle*took) - took)
}

// driftWatch looks for what somebody changed around us. It is maintain's alone.
type driftWatch struct {
	c             *component
	files, around pace
}

func newDriftWatch(c *component) *driftWatch {
	return &driftWatch{c: c, files: pace{every: filesEvery}, around: pace{every: aroundEvery}}
}

func (w *driftWatch) look() {
	w.files.due(w.c.checkFiles)
	w.around.due(w.c.checkAround)
	w.c.checkPlaces()
}

// tell makes the drifts of a kind those that stand, and tells those that are new.
// Those that are gone were undone by whoever made them: Probe shows that.
func (c *component) tell(kind string, generation int, found map[string]sdk.Drift) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation() != generation || generation == 0 {
		found = nil
	}
	before := c.drifts[kind]
	if c.drifts == nil {
		c.drifts = map[string]map[string]sdk.Drift{}
	}
	c.drifts[kind] = found
	for _, key := range slices.Sorted(maps.Keys(found)) {
		if drift := found[key]; before[key] != drift {
			c.hub.append("", sdk.Event{Drift: &drift})
		}
	}
}

// stand returns the drifts that stand, for those who may not have heard of them.
func (c *component) stand() []sdk.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	var events []sdk.Event
	for _, kind := range slices.Sorted(maps.Keys(c.drifts)) {
		for _, key := range slices.Sorted(maps.Keys(c.drifts[kind])) {
			drift := c.drifts[kind][key]
			events = append(events, sdk.Event{ObservedAt: time.Now(), Drift: &drift})
		}
	}
	return events
}

// checkFiles looks whether the files of what serves are what they were.
func (c *component) checkFiles() {
	now := c.look()
	if now.problem != nil {
		return
	}
	serving, _, _ := c.served()
	found := map[string]sdk.Drift{}
	if len(now.changed) > 0 {
		shown := now.changed[:min(5, len(now.changed))]
		found[now.files] = sdk.Drift{
			By:       "unknown",
			Message:  fmt.Sprintf("files of the release were changed: %s (%d in all)", strings.Join(shown, ", "), len(now.changed)),
			Revision: serving.Version,
			Undone:   serving.Replaced != nil && serving.Replaced.Files == now.files,
		}
	}
	c.tell(driftFiles, now.generation, found)
	if drift, changed := found[now.files]; changed {
		c.overtake(now, drift.Message)
	}
}

// overtake ends a deploy during which somebody else changed what serves: he did not
// know of it, and it not of him. A rollback goes on: what it brings back is not what
// was changed.
func (c *component) overtake(now live, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	op := c.st.Operation(c.st.Active)
	switch {
	case op == nil || op.Kind != sdk.OperationDeploy || op.Before == "" || op.Stopped():
	case op.Phase == state.PhaseSettling || op.Percent == 100:
	case c.generation() != now.generation || now.observed == op.Before:
	default:
		op.Changed = what
		_ = c.save()
		c.driver.wake()
	}
}

// served returns what serves and the artifacts that the component has.
func (c *component) served() (serving state.Deployed, t *track, artifacts []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.st.Serving != nil {
		serving = *c.st.Serving
	}
	return serving, c.serving, append(slices.Clone(c.st.Artifacts), serving.Release.Artifact, c.st.Tried)
}

// checkAround looks for processes that run what the component runs, or ran, and
// that no shim has started: somebody started the command by hand.
func (c *component) checkAround() {
	serving, t, artifacts := c.served()
	if t == nil {
		return
	}
	own := c.programs(t, artifacts)
	found := map[string]sdk.Drift{}
	for _, p := range procinfo.Programs(own.maybe) {
		if p.Hidden || p.Mark != "" || own.groups[procinfo.GroupOf(p.PID)] || len(found) == driftsAtOnce {
			continue
		}
		artifact, runs := own.artifactOf(p.Executable), own.same(p)
		if artifact == "" && !runs {
			continue
		}
		what, undone := "the command of version "+serving.Version, false
		switch {
		case artifact == "" || artifact == serving.Release.Artifact:
		case serving.Replaced != nil && serving.Replaced.Artifact == artifact:
			what, undone = fmt.Sprintf("a program of version %s, which was rolled back", serving.Replaced.Version), true
		default:
			what = "a program of artifact sha256:" + artifact
		}
		found[fmt.Sprintf("%d %s", p.PID, p.Start)] = sdk.Drift{
			By: "user " + p.User, Revision: serving.Version, Undone: undone,
			Message: fmt.Sprintf("%s runs %s and was not started by APM: %s", p, what, cut(release.CommandLine(p.Args), lastLine)),
		}
	}
	c.tell(driftAround, serving.Generation, found)
}

// programs tells the component's processes by what they run.
type programs struct {
	files  map[string]string  // directory of an artifact's files → its digest
	run    []procinfo.Program // what our instances are
	groups map[int]bool       // of our instances
}

func (c *component) programs(t *track, artifacts []string) programs {
	own := programs{files: map[string]string{}, groups: map[int]bool{}}
	for _, digest := range artifacts {
		if digest != "" {
			own.files[resolved("/", c.store.Files(digest))] = digest
		}
	}
	for _, m := range t.members {
		pid := m.Status().PID
		if program, ok := procinfo.ProgramOf(pid); ok && pid != 0 {
			own.run, own.groups[pid] = append(own.run, program), true
		}
	}
	return own
}

// resolved makes a path absolute and follows its links; what names no file stays
// as it is.
func resolved(dir, path string) string {
	whole := path
	if !filepath.IsAbs(path) {
		whole = filepath.Join(dir, path)
	}
	if file, err := filepath.EvalSymlinks(whole); err == nil {
		return file
	}
	return path
}

// maybe is a first look, at what is cheap to know.
func (own programs) maybe(executable string, args []string) bool {
	return own.artifactOf(executable) != "" || slices.ContainsFunc(own.run, func(instance procinfo.Program) bool {
		return executable == instance.Executable && len(args) == len(instance.Args)
	})
}

// same says whether a process is just what one of our instances is: the same
// program with the same arguments, where those that name files name the same.
func (own programs) same(p procinfo.Program) bool {
	return slices.ContainsFunc(own.run, func(instance procinfo.Program) bool {
		return p.Executable == instance.Executable && len(p.Args) > 0 && slices.EqualFunc(p.Args[1:], instance.Args[min(1, len(instance.Args)):],
			func(theirs, ours string) bool { return resolved(p.Dir, theirs) == resolved(instance.Dir, ours) })
	})
}

// artifactOf returns the artifact that a file lies in, "" for none.
func (own programs) artifactOf(file string) string {
	for dir, digest := range own.files {
		if strings.HasPrefix(file, dir+string(filepath.Separator)) {
			return digest
		}
	}
	return ""
}

// checkPlaces looks for strangers where the shim or an instance should listen.
func (c *component) checkPlaces() {
	serving, t, _ := c.served()
	if t == nil {
		return
	}
	found := map[string]sdk.Drift{}
	c.mu.Lock()
	for _, port := range serving.Release.Ports {
		if problem := c.frontErrors[port.Listen]; c.fronts[port.Listen] == nil && problem.by != "" {
			found["listener "+port.Name] = sdk.Drift{By: problem.by, Message: problem.message, Revision: serving.Version}
		}
	}
	c.mu.Unlock()
	for _, m := range t.members {
		if status := m.Status(); status.Usurper != "" && status.Phase != instance.Stopped {
			found["instance "+m.ID()] = sdk.Drift{
				By: status.Usurper, Revision: serving.Version,
				Message: fmt.Sprintf("%s listens in the place of instance %s, which gets no traffic until it has its port again", status.Usurper, m.ID()),
			}
		}
	}
	c.tell(driftPlace, serving.Generation, found)
}

// replaced is what a rollback takes away, for Drift.Undone; nil where it took
// nothing.
func replaced(op state.Operation, old *track) *state.Replaced {
	if op.Kind != sdk.OperationRollback || old == nil {
		return nil
	}
	r := old.deployed.Release
	return &state.Replaced{Version: cmp.Or(old.deployed.Version, "unknown"), Artifact: r.Artifact, Files: r.Files}
}
