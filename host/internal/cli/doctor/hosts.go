package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/app"
	"github.com/apm-deploy/apm/host/internal/config"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// askTime is how long a host may take to say who it is.
const askTime = 3 * time.Second

// A host that starts or ends does not answer for a moment.
const (
	settleTime  = 5 * time.Second
	settleEvery = 200 * time.Millisecond
)

// liveHost is a host that has just answered.
type liveHost struct {
	url    string
	health apiv1.Health
}

// askHost asks the host that host.json of a data directory names who it is.
// fs.ErrNotExist: there is no such file.
func askHost(ctx context.Context, dataDir string) (*liveHost, error) {
	data, err := os.ReadFile(filepath.Join(dataDir, app.HostFile))
	if err != nil {
		return nil, err
	}
	var file app.Running
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("read %s: %w", app.HostFile, err)
	}
	c, err := client.New(client.Config{URL: file.URL})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	health, err := c.Health(ctx)
	if err != nil {
		return nil, fmt.Errorf("pid %d at %s", file.PID, file.URL)
	}
	// Another host may have taken the port since.
	if health.PID != file.PID {
		return nil, fmt.Errorf("pid %d at %s", file.PID, file.URL)
	}
	return &liveHost{url: file.URL, health: health}, nil
}

// liveInstallations returns the installations whose hosts run on this machine.
// A host that cannot be asked, for some seconds, is an error: what it owns must
// not be touched.
func (c Config) liveInstallations(ctx context.Context) (map[string]liveHost, error) {
	limit := time.NewTimer(settleTime)
	defer limit.Stop()
	again := time.NewTicker(settleEvery)
	defer again.Stop()
	for {
		alive, err := c.hostsNow(ctx)
		if err == nil {
			return alive, nil
		}
		select {
		case <-again.C:
		case <-limit.C:
			return nil, err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// hostsNow asks every host once.
func (c Config) hostsNow(ctx context.Context) (map[string]liveHost, error) {
	dirs := []string{c.DataDir}
	if c.DataHome != "" {
		found, err := filepath.Glob(filepath.Join(c.DataHome, "*", app.HostFile))
		if err == nil {
			for _, path := range found {
				dirs = append(dirs, filepath.Dir(path))
			}
		}
	}
	alive := map[string]liveHost{}
	var pids []int
	for _, dir := range dirs {
		if host, err := askHost(ctx, dir); err == nil {
			alive[host.health.Installation] = *host
			pids = append(pids, host.health.PID)
		}
	}
	for _, p := range hostProcesses() {
		if slices.Contains(pids, p.pid) {
			continue
		}
		host, err := askHost(ctx, p.dataDir)
		if p.dataDir == "" || err != nil {
			return nil, &deployment.Error{
				Code:    deployment.Conflict,
				Message: fmt.Sprintf("a host runs (pid %d) that does not say which installation it is", p.pid),
				Remedy:  "read its log, or end it; what it owns must not be touched",
			}
		}
		alive[host.health.Installation] = *host
	}
	return alive, nil
}

// process is a host by the look of its command line.
type process struct {
	pid     int
	dataDir string // "" where it does not say
}

// hostProcesses returns the processes of this program that run `apm serve`, as
// far as the system tells (Linux does).
func hostProcesses() []process {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return nil
	}
	var found []process
	for _, link := range links {
		exe, err := os.Readlink(link)
		if err != nil || filepath.Base(strings.TrimSuffix(exe, " (deleted)")) != filepath.Base(self) {
			continue
		}
		dir := filepath.Dir(link)
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		if words := fields(filepath.Join(dir, "cmdline")); serves(words) {
			found = append(found, process{pid: pid, dataDir: dataDirOf(dir, words)})
		}
	}
	return found
}

// serves says whether a command line is that of the daemon.
func serves(words []string) bool {
	for i, word := range words[min(1, len(words)):] {
		if word == "serve" && (i == 0 || !strings.HasPrefix(word, "-")) {
			return true
		}
	}
	return false
}

// dataDirOf returns the data directory of a process: by the database that it
// has open, by flag, by environment, or by the config.hcl that it was started
// on. "" where none of them says.
func dataDirOf(dir string, words []string) string {
	if found := openDatabase(dir); found != "" {
		return found
	}
	environ := fields(filepath.Join(dir, "environ"))
	if found := first(flagOf(words, "--data-dir"), variableOf(environ, "APM_DATA_DIR")); found != "" {
		return found
	}
	cwd, err := os.Readlink(filepath.Join(dir, "cwd"))
	if err != nil {
		return ""
	}
	path := first(flagOf(words, "--config-file"), variableOf(environ, "APM_CONFIG_FILE"), "config.hcl")
	if !filepath.IsAbs(path) {
		path = filepath.Join(cwd, path)
	}
	c, err := config.Load(path)
	if err != nil {
		return ""
	}
	// "~" there is the home of that process, not ours.
	ours, theirs := os.Getenv("HOME"), variableOf(environ, "HOME")
	if below, found := strings.CutPrefix(c.DataDir, ours+"/"); found && ours != "" && theirs != "" {
		return filepath.Join(theirs, below)
	}
	return c.DataDir
}

// openDatabase returns the directory of the database that a process has open.
// That is the truth where flags are relative, or HOME and config.hcl are not
// those of this process.
func openDatabase(dir string) string {
	links, err := filepath.Glob(filepath.Join(dir, "fd", "*"))
	if err != nil {
		return ""
	}
	for _, link := range links {
		if path, err := os.Readlink(link); err == nil && filepath.Base(path) == app.DatabaseFile {
			return filepath.Dir(path)
		}
	}
	return ""
}

func flagOf(words []string, name string) string {
	for i, word := range words {
		if value, found := strings.CutPrefix(word, name+"="); found {
			return value
		}
		if word == name && i+1 < len(words) {
			return words[i+1]
		}
	}
	return ""
}

func variableOf(environ []string, name string) string {
	for _, variable := range environ {
		if value, found := strings.CutPrefix(variable, name+"="); found {
			return value
		}
	}
	return ""
}

func first(candidates ...string) string {
	for _, candidate := range candidates {
		if candidate != "" {
			return candidate
		}
	}
	return ""
}

// fields reads a file of words that each end in a zero byte.
func fields(path string) []string {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var words []string
	for word := range bytes.SplitSeq(bytes.TrimRight(data, "\x00"), []byte{0}) {
		words = append(words, string(word))
	}
	return words
}
