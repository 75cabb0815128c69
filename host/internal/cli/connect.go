package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/apm-deploy/apm/api/client"
	"github.com/apm-deploy/apm/host/internal/access"
	"github.com/apm-deploy/apm/host/internal/app"
	"github.com/apm-deploy/apm/host/internal/config"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// defaultURL is where a host listens that nobody configured.
const defaultURL = client.DefaultURL

// first returns the first that is not empty.
func first(candidates ...string) string {
	for _, candidate := range candidates {
		if candidate != "" {
			return candidate
		}
	}
	return ""
}

// configPath is the config.hcl that was named, "" for the one that is found.
func (s *session) configPath() string {
	return first(s.flags.configFile, s.getenv("APM_CONFIG_FILE"))
}

// config reads config.hcl, with the data directory that was named elsewhere.
func (s *session) config() (*config.Config, error) {
	return config.LoadIn(s.configPath(), s.expandHome(s.namedDataDir()))
}

// namedDataDir is the data directory that was named, "" for that of config.hcl.
func (s *session) namedDataDir() string { return first(s.flags.dataDir, s.getenv("APM_DATA_DIR")) }

// userDir returns a directory of the XDG base directory specification, "" when
// neither it nor HOME is set.
func (s *session) userDir(variable, below string) string {
	if dir := s.getenv(variable); filepath.IsAbs(dir) {
		return dir
	}
	if home := s.getenv("HOME"); home != "" {
		return filepath.Join(home, below)
	}
	return ""
}

// dataDir returns the data directory of the host on this machine.
func (s *session) dataDir() (string, error) {
	if dir := s.namedDataDir(); dir != "" {
		return filepath.Abs(s.expandHome(dir))
	}
	c, err := s.config()
	if err == nil {
		return c.DataDir, nil
	}
	if s.configPath() != "" {
		return "", err
	}
	if dir := s.userDir("XDG_DATA_HOME", filepath.Join(".local", "share")); dir != "" {
		return filepath.Join(dir, "apm"), nil
	}
	return "", &deployment.Error{
		Code:    deployment.Invalid,
		Message: "there is no data directory: HOME is not set",
		Remedy:  "name one with --data-dir or APM_DATA_DIR, or the host with --url and --token",
	}
}

// expandHome replaces a leading "~".
func (s *session) expandHome(path string) string {
	if home := s.getenv("HOME"); home != "" && (path == "~" || strings.HasPrefix(path, "~/")) {
		return filepath.Join(home, strings.TrimPrefix(path, "~"))
	}
	return path
}

// door is where the host is and how it is entered.
type door struct {
	url   string
	token string
}

// door finds the host: what flags and environment say, else the host that
// runs on the data directory.
func (s *session) door() (door, error) {
	a := door{
		url:   first(s.flags.url, s.getenv("APM_URL")),
		token: first(s.flags.token, s.getenv("APM_TOKEN")),
	}
	if a.url != "" && a.token != "" {
		return a, checkURL(a.url)
	}
	dir, err := s.dataDir()
	if err != nil {
		if a.url != "" {
			return a, checkURL(a.url)
		}
		return a, err
	}
	if a.url == "" {
		a.url = defaultURL
		running, err := readHostFile(dir)
		switch {
		case err == nil && running.URL != "":
			a.url = running.URL
		case errors.Is(err, fs.ErrNotExist) && s.namedDataDir() != "":
			// What listens where config.hcl says is the host of another one.
			return a, &deployment.Error{
				Code:    deployment.Unavailable,
				Message: "no host runs on the data directory " + dir,
				Remedy:  "start one with: " + s.again("serve") + "; or name another directory, or the host with --url or APM_URL",
			}
		default:
			if c, err := s.config(); err == nil {
				a.url = "http://" + c.Server.Listen
			}
		}
	}
	if err := checkURL(a.url); err != nil {
		return a, err
	}
	// The admin token of this machine is nobody else's business.
	if a.token == "" && loopback(a.url) {
		a.token, err = access.ReadFile(dir)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil // the host says what needs a token
		}
	}
	return a, err
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return usage(fmt.Errorf("%q is not the URL of a host: write http://HOST:PORT", text))
	}
	return nil
}

func loopback(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil {
		return ip.IsLoopback()
	}
	return u.Hostname() == "localhost"
}

// readHostFile returns the host that runs, or ran last, on a data directory.
func readHostFile(dir string) (app.Running, error) {
	var running app.Running
	path := filepath.Join(dir, app.HostFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return running, err
	}
	if err := json.Unmarshal(data, &running); err != nil {
		return running, fmt.Errorf("read %q: %w", path, err)
	}
	return running, nil
}

// connect finds the host. Whether it answers is seen at the first call.
func (s *session) connect() (*client.Client, error) {
	door, err := s.door()
	if err != nil {
		return nil, err
	}
	s.reached = door.url
	return client.New(client.Config{URL: door.url, Token: door.token, UserAgent: "apm/" + Version})
}
