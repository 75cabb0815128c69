package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/artifact"
	"github.com/apm-deploy/apm/plugins/process/internal/instance"
	"github.com/apm-deploy/apm/plugins/process/internal/logfile"
	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/proxy"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

// logsDir lies in the component's directory.
const logsDir = "logs"

// track is a release that is kept running.
type track struct {
	deployed  state.Deployed
	group     *proxy.Group
	members   []*member
	startedAt time.Time
	poke      chan struct{} // something changed; holds one
}

// member is one instance of a track with what is known of its output.
type member struct {
	*instance.Instance
	mu   sync.Mutex
	tail []logfile.Line // the newest, at most sdk.MaxFailureLogs or so, cut to maxEvidenceLine
	last sdk.Resource   // as last reported
}

// startTrack begins to run a release. What cannot be run shows in the verdict;
// an error means that we could not even try.
func (c *component) startTrack(deployed state.Deployed) (*track, error) {
	r := deployed.Release
	ports := make([]proxy.Port, len(r.Ports))
	names := make([]string, len(r.Ports))
	for i, port := range r.Ports {
		ports[i] = proxy.Port{Name: port.Name, Listen: port.Listen, Protocol: port.Protocol}
		names[i] = port.Name
	}
	t := &track{deployed: deployed, group: proxy.NewGroup(ports), startedAt: time.Now(), poke: make(chan struct{}, 1)}
	if err := os.MkdirAll(filepath.Join(c.dir, logsDir), 0o700); err != nil {
		return nil, fmt.Errorf("make log directory: %w", err)
	}
	c.mu.Lock()
	logSize := c.st.Settings.LogSize
	c.mu.Unlock()
	for n := range r.Replicas {
		id := fmt.Sprintf("%d-%d", deployed.Generation, n+1)
		m := &member{}
		made, err := instance.New(instance.Config{
			ID:          id,
			Executable:  c.path(deployed, r.Executable),
			Args:        r.Command,
			Dir:         c.path(deployed, r.Directory),
			Env:         c.environment(deployed),
			Mark:        tag(c.dir) + id,
			Ports:       names,
			User:        r.User,
			StopTimeout: r.StopTimeout,
			LogPath:     filepath.Join(c.dir, logsDir, id+".log"),
			LogSize:     logSize,
			Started:     func(pid int) { c.recordProcess(id, pid) },
			Changed:     func() { c.memberChanged(t, m) },
			Output:      func(line logfile.Line) { c.memberOutput(m, line) },
		})
		if err != nil {
			return nil, err // nothing was started yet
		}
		m.Instance = made
		t.members = append(t.members, m)
	}
	for _, m := range t.members {
		m.Start()
	}
	return t, nil
}

// path makes a path of a release absolute. Without an artifact it is already.
func (c *component) path(deployed state.Deployed, name string) string {
	if deployed.Release.Artifact == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.store.Files(deployed.Release.Artifact), name)
}

// inherited is all that an instance gets of our own environment.
var inherited = []string{"PATH", "HOME", "TMPDIR", "LANG"}

// environment is what an instance gets beside its ports and its mark. Of two of one
// name the last wins.
func (c *component) environment(deployed state.Deployed) []string {
	var env []string
	for _, key := range inherited {
		if value, ok := os.LookupEnv(key); ok {
			env = append(env, key+"="+value)
		}
	}
	env = append(env,
		"APM_APPLICATION="+c.identity.Load().Application, "APM_ENVIRONMENT="+c.identity.Load().Environment,
		"APM_COMPONENT="+c.identity.Load().Component, "APM_VERSION="+deployed.Version,
	)
	for _, key := range slices.Sorted(maps.Keys(deployed.Release.Env)) {
		env = append(env, key+"="+deployed.Release.Env[key])
	}
	return env
}

func (c *component) memberChanged(t *track, m *member) {
	status := m.Status()
	if status.Phase == instance.Ready {
		t.group.Set(m.ID(), status.Addresses)
	} else {
		t.group.Set(m.ID(), nil)
	}
	c.report(t, m)
	select {
	case t.poke <- struct{}{}:
	default:
	}
}

func (c *component) memberOutput(m *member, line logfile.Line) {
	kept := line
	kept.Text = strings.Clone(cut(line.Text, maxEvidenceLine))
	m.mu.Lock()
	if m.tail = append(m.tail, kept); len(m.tail) >= 2*sdk.MaxFailureLogs {
		m.tail = append([]logfile.Line(nil), m.tail[len(m.tail)-sdk.MaxFailureLogs:]...)
	}
	m.mu.Unlock()
	c.hub.append("", sdk.Event{Log: &sdk.LogLine{
		Resource: processID(m), Line: line.Text, Time: line.Time, Stream: line.Stream,
	}, ObservedAt: line.Time})
}

// lines returns the newest output of the runs up to one, at most limit lines.
func (m *member) lines(run, limit int) []logfile.Line {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []logfile.Line
	for _, line := range m.tail {
		if line.Run <= run {
			found = append(found, line)
		}
	}
	if len(found) > limit {
		found = found[len(found)-limit:]
	}
	return found
}

// ready says whether every instance is.
func (t *track) ready() bool {
	for _, m := range t.members {
		if m.Status().Phase != instance.Ready {
			return false
		}
	}
	return true
}

// stop ends all instances at once, and what they started that left their groups,
// and reports them gone.
func (c *component) stop(t *track) {
	var wg sync.WaitGroup
	for _, m := range t.members {
		wg.Add(1)
		go func() {
			defer wg.Done()
			m.Stop()
		}()
	}
	wg.Wait()
	killAll(procinfo.Marked(fmt.Sprintf("%s%d-", tag(c.dir), t.deployed.Generation)))
	t.group.End()
	for _, m := range t.members {
		c.forgetProcess(m.ID())
		gone := c.processResource(t, m)
		c.hub.append("", sdk.Event{Resource: &gone})
	}
	if r := c.releaseResource(t); len(t.members) > 0 {
		r.Health, r.Message = sdk.ResourceGone, "stopped"
		c.hub.append("", sdk.Event{Resource: &r})
	}
}

// observe returns the digest of a release's files as they are now, and which of
// them were changed or are gone. An error means that it could not look.
func (c *component) observe(deployed state.Deployed) (files string, changed []string, err error) {
	r := deployed.Release
	if r.Artifact != "" {
		files, changed, err = c.store.Observe(r.Artifact, &c.observer)
		if errors.Is(err, artifact.ErrGone) {
			return artifact.Missing, []string{"all files of the artifact"}, nil
		}
		return files, changed, err
	}
	files, err = c.observer.File(r.Executable)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return artifact.Missing, []string{r.Executable}, nil
	case artifact.CouldNotLook(err):
		return "", nil, fmt.Errorf("look at the executable: %w", err)
	case err != nil:
		return "unreadable", []string{r.Executable}, nil //nolint:nilerr // that nobody may read it any more is the finding
	case files != r.Files:
		changed = []string{r.Executable}
	}
	return files, changed, nil
}
