package platform

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// maxSecrets bounds what is remembered of a platform, beside what it is told now.
const maxSecrets = 1000

// secrets are what the plugin of a platform was told in confidence: what its
// schemas call sensitive, of its configuration and of the components that it runs.
// The host takes them out of whatever the plugin writes or says. Nil has none.
type secrets struct {
	mu     sync.Mutex
	values []string
	hide   atomic.Pointer[func(string) string]
}

// add remembers values.
func (s *secrets) add(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(s.values, v) })
	known := slices.DeleteFunc(s.values, func(v string) bool { return slices.Contains(values, v) })
	// Those that were told last are forgotten last.
	s.values = append(known[max(len(known)-maxSecrets, 0):], values...)
	if !fresh {
		return
	}
	if hide := deployment.Hider(s.values); hide != nil {
		s.hide.Store(&hide)
	}
}

// text returns a text without secrets.
func (s *secrets) text(text string) string {
	if s == nil {
		return text
	}
	if hide := s.hide.Load(); hide != nil {
		return (*hide)(text)
	}
	return text
}

// entry returns a line of a log without secrets.
func (s *secrets) entry(e entry) entry {
	if s == nil || s.hide.Load() == nil {
		return e
	}
	e.message = s.text(e.message)
	for i, attr := range e.attrs {
		if attr.Value.Kind() == slog.KindString {
			e.attrs[i] = slog.String(attr.Key, s.text(attr.Value.String()))
		}
	}
	return e
}

// secretsOf returns those of a platform; nil for a process that is of none.
func (c *Catalog) secretsOf(platform string) *secrets {
	if platform == "" {
		return nil
	}
	c.confiding.Lock()
	defer c.confiding.Unlock()
	if c.secrets == nil {
		c.secrets = map[string]*secrets{}
	}
	if c.secrets[platform] == nil {
		c.secrets[platform] = &secrets{}
	}
	return c.secrets[platform]
}

// Confide remembers what the plugin of a platform is told in confidence, so that
// none of it is in what the host says of the plugin, its lines among it.
func (s *Supervisor) Confide(platform string, values []string) {
	if _, known := s.keepers[platform]; known {
		s.config.Catalog.secretsOf(platform).add(values...)
	}
}
