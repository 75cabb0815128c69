package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// configuration reads what --config and --set say into the body's
// configuration. Over REST a relative path has no beginning: the schema says
// which keys are paths, and they are made absolute here.
func (s *session) configuration(ctx context.Context, c *client.Client, request apiv1.StartRequest, file string, set []string) (json.RawMessage, error) {
	paths, err := s.pathKeys(ctx, c, request.Platform)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	if file != "" {
		if values, err = readConfiguration(s.expandHome(file), request); err != nil {
			return nil, err
		}
		dir, err := filepath.Abs(filepath.Dir(s.expandHome(file)))
		if err != nil {
			return nil, fmt.Errorf("find the directory of %q: %w", file, err)
		}
		paths.resolve(values, dir, s.expandHome)
	}
	if len(set) > 0 {
		stated := map[string]any{}
		for _, one := range set {
			if err := assign(stated, one); err != nil {
				return nil, usage(err)
			}
		}
		dir, err := os.Getwd()
		if err != nil {
			return nil, fmt.Errorf("find the working directory: %w", err)
		}
		paths.resolve(stated, dir, s.expandHome)
		merge(values, stated)
	}
	data, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("encode the configuration: %w", err)
	}
	return data, nil
}

// assign sets "a.b.c=value" in values. The value is JSON where it parses as an
// object, a list, a number or a truth value, else a text.
func assign(values map[string]any, setting string) error {
	key, text, ok := strings.Cut(setting, "=")
	switch {
	case !ok:
		return fmt.Errorf("--set %q has no value: write KEY=VALUE", setting)
	case key == "":
		return fmt.Errorf("--set %q has no key: write KEY=VALUE", setting)
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil || value == nil {
		value = text
	}
	steps := strings.Split(key, ".")
	for i, step := range steps[:len(steps)-1] {
		below, ok := values[step].(map[string]any)
		if !ok {
			if _, taken := values[step]; taken {
				return fmt.Errorf("--set %q: %s has a value already; leave out one of the two", setting, strings.Join(steps[:i+1], "."))
			}
			below = map[string]any{}
			values[step] = below
		}
		values = below
	}
	values[steps[len(steps)-1]] = value
	return nil
}

// merge lays over on top of values; objects are merged, all else replaced.
func merge(values, over map[string]any) {
	for key, value := range over {
		below, isObject := value.(map[string]any)
		if existing, ok := values[key].(map[string]any); ok && isObject {
			merge(existing, below)
			continue
		}
		values[key] = value
	}
}

// pathSet are the keys whose values name files, "artifact", "port.NAME.root" or
// "mount.N.source".
type pathSet map[string]bool

// meant are the platforms that a request may be about: the one that it names,
// else config.hcl's default, else all.
func (s *session) meant(ctx context.Context, c *client.Client, platform string) ([]string, error) {
	if platform != "" {
		return []string{platform}, nil
	}
	list, err := c.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	platforms := make([]string, 0, len(list.Plugins))
	for _, p := range list.Plugins {
		platforms = append(platforms, p.Platform)
	}
	if config, err := s.config(); err == nil && config.DefaultPlatform != "" && len(platforms) > 1 {
		return []string{config.DefaultPlatform}, nil
	}
	return platforms, nil
}

// pathKeys asks which keys of a platform's spec are paths; without a platform
// those of the only one, or of config.hcl's default.
func (s *session) pathKeys(ctx context.Context, c *client.Client, platform string) (pathSet, error) {
	platforms, err := s.meant(ctx, c, platform)
	if err != nil {
		return nil, err
	}
	keys := pathSet{}
	for _, name := range platforms {
		var plugin apiv1.Plugin
		err := s.patiently(ctx, func() (err error) {
			if plugin, err = c.Plugin(ctx, name); err == nil && len(plugin.Spec) == 0 {
				err = notYet(plugin)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, key := range plugin.Spec {
			if key.Path {
				keys[key.Name] = true
			}
		}
	}
	return keys, nil
}

// notYet is the error of a platform whose keys are not known before its plugin has
// started; nil where that has told them, or will not by itself.
func notYet(p apiv1.Plugin) error {
	switch p.State {
	case "absent", "starting", "backoff", "draining":
		return &client.Problem{
			Problem: apiv1.Problem{
				Title: http.StatusText(http.StatusServiceUnavailable), Status: http.StatusServiceUnavailable,
				Code: string(deployment.Unavailable), Detail: fmt.Sprintf("platform %q is %s", p.Platform, p.State),
				Remedy: "apm plugin list",
			},
			RetryAfter: time.Second,
		}
	default:
		return nil
	}
}

// resolve makes the paths among values absolute. With several components the
// values are keyed by component, so that each key may stand one level deeper.
func (keys pathSet) resolve(values map[string]any, dir string, expand func(string) string) {
	keys.below(values, nil, dir, expand)
	for name, value := range values {
		if component, ok := value.(map[string]any); ok && !keys.has([]string{name}) {
			keys.below(component, nil, dir, expand)
		}
	}
}

func (keys pathSet) below(values map[string]any, at []string, dir string, expand func(string) string) {
	for name, value := range values {
		here := append(append([]string(nil), at...), name)
		if keys.has(here) {
			values[name] = absolute(value, dir, expand)
			continue
		}
		switch nested := value.(type) {
		case map[string]any:
			keys.below(nested, here, dir, expand)
		case []any: // blocks without a label
			for _, item := range nested {
				if block, ok := item.(map[string]any); ok {
					keys.below(block, append(here, anyNumber), dir, expand)
				}
			}
		}
	}
}

// anyLabel and anyNumber stand in the schema's keys for the label of a block, and
// for the place of one without.
const (
	anyLabel  = "NAME"
	anyNumber = "N"
)

// has says whether a key is a path.
func (keys pathSet) has(at []string) bool {
	if keys[strings.Join(at, ".")] {
		return true
	}
	for key := range keys {
		steps := strings.Split(key, ".")
		if len(steps) != len(at) {
			continue
		}
		matches := true
		for i := range steps {
			matches = matches && (steps[i] == at[i] || steps[i] == anyLabel)
		}
		if matches {
			return true
		}
	}
	return false
}

// absolute makes a path, or each in a list or a map, absolute.
func absolute(value any, dir string, expand func(string) string) any {
	switch value := value.(type) {
	case string:
		if value == "" {
			return value
		}
		path := expand(value)
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		return path
	case []any:
		for i := range value {
			value[i] = absolute(value[i], dir, expand)
		}
	case map[string]any:
		for key := range value {
			value[key] = absolute(value[key], dir, expand)
		}
	}
	return value
}
