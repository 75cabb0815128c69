package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// defaultDataDir holds the database, the sealing key and the first token.
const defaultDataDir = "~/.local/share/apm"

// literal escapes a directory in a pattern.
var literal = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// Load reads config.hcl at path; with "" the first of ./config.hcl,
// $XDG_CONFIG_HOME/apm/config.hcl (~/.config/apm/config.hcl) and
// /etc/apm/config.hcl. What is wrong with it is a *deployment.Error Invalid
// whose problems hold file, line and column.
func Load(path string) (*Config, error) { return LoadIn(path, "") }

// LoadIn is Load with another data directory, where it is not "", in the place of
// host.data_dir: what that says, or cannot say without HOME, does not matter then.
func LoadIn(path, dataDir string) (*Config, error) {
	if path == "" {
		var err error
		if path, err = search(); err != nil {
			return nil, err
		}
	}
	ps := &problems{}
	src, err := readSource(path, path)
	if err != nil {
		return nil, &deployment.Error{
			Code: deployment.Invalid, Message: fmt.Sprintf("%s cannot be read", path), Err: err,
			Remedy:   "name another file with --config-file, or make this one readable",
			Problems: []deployment.Problem{{File: path, Message: reasonOf(err)}},
		}
	}
	message := path + " is not valid"
	root := parse(src, ps)
	if ps.failed() {
		return nil, ps.err(message, "")
	}
	c := &Config{File: path, Dir: src.dir()}
	if dataDir != "" {
		if c.DataDir, err = filepath.Abs(dataDir); err != nil {
			return nil, fmt.Errorf("find data directory %q: %w", dataDir, err)
		}
	}
	c.read(root, ps)
	if err := ps.err(message, ""); err != nil {
		return nil, err
	}
	c.Warnings = ps.warnings()
	return c, nil
}

// search finds config.hcl where nobody named it.
func search() (string, error) {
	places := []string{"config.hcl"}
	if dir := os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		places = append(places, filepath.Join(dir, "apm", "config.hcl"))
	} else if home := os.Getenv("HOME"); home != "" {
		places = append(places, filepath.Join(home, ".config", "apm", "config.hcl"))
	}
	places = append(places, "/etc/apm/config.hcl")
	for _, one := range places {
		if _, err := os.Stat(one); !errors.Is(err, fs.ErrNotExist) {
			return one, nil
		}
	}
	return "", &deployment.Error{
		Code: deployment.Invalid, Message: "there is no config.hcl; looked at " + strings.Join(places, ", "),
		Remedy: "write one there, or name one with --config-file",
	}
}

// read takes the platforms out of the file and decodes the rest.
func (c *Config) read(root *body, ps *problems) {
	platforms := root.of("platform")
	root = root.without("platform")
	var ofDeployment []*block
	for _, one := range root.of("deployment") {
		one.body, ofDeployment = splitPlatforms(one.body, ofDeployment)
	}
	d := decoder{scope: scope{ps: ps}, ps: ps, later: laterConfig, also: []string{"platform"}}
	o := d.decode(&configGrammar, "", root)

	c.readDataDir(o, ps)
	c.readServer(o, ps)
	c.readPlugins(o, ps)
	c.readPlatforms(ofDeployment, platforms, ps)
	c.readDeployment(o, ps)
}

// splitPlatforms takes the blocks of deployment {} that are platforms: every one
// that is not the host's.
func splitPlatforms(b *body, found []*block) (*body, []*block) {
	var names []string
	for _, one := range b.blocks {
		if !isHostBlock(one.kind) {
			found, names = append(found, one), append(names, one.kind)
		}
	}
	rest := b.without(names...)
	// An attribute of such a name is a mistake that must not vanish with it.
	rest.attrs = b.attrs
	return rest, found
}

// isHostBlock says whether a block of deployment {} is the host's, of this
// version or of a later one.
func isHostBlock(kind string) bool {
	for _, later := range laterConfig["deployment"] {
		if kind == later {
			return true
		}
	}
	return kind == "history" || kind == "cache"
}

func (c *Config) readDataDir(o *object, ps *problems) {
	if c.DataDir != "" { // named elsewhere
		return
	}
	at, dir := o.at, defaultDataDir
	if host := o.first("host"); host != nil {
		at = host.at
		if host.has("data_dir") {
			at, dir = host.attrs["data_dir"].at, host.text("data_dir")
		}
	}
	expanded, err := expandHome(dir)
	switch {
	case err != nil:
		ps.add(at, `set HOME, or write host { data_dir = "/var/lib/apm" }, or name one with --data-dir`, "data_dir is %s, but %v", dir, err)
	case dir == "":
		ps.add(at, "name a directory, or remove it for "+defaultDataDir, "data_dir is empty")
	default:
		c.DataDir = absolute(c.Dir, expanded)
	}
}

func (c *Config) readDeployment(o *object, ps *problems) {
	c.Keep = Keep{Count: 50, Age: 90 * 24 * time.Hour}
	globs := []string{"applications/*.hcl"}
	d := o.first("deployment")
	if d != nil {
		if d.has("applications") {
			globs = d.texts("applications")
		}
		c.readDefaults(d, ps)
		if history := d.first("history"); history != nil {
			if keep := history.first("keep"); keep != nil {
				c.Keep.Count = keep.number(ps, "count", 1, 1_000_000, c.Keep.Count)
				c.Keep.Age = keep.duration(ps, "age", time.Hour, c.Keep.Age)
			}
		}
	}
	for i, glob := range globs {
		path := glob
		if expanded, err := expandHome(glob); err == nil {
			path = expanded
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(literal.Replace(c.Dir), path)
		}
		if _, err := filepath.Match(path, ""); err != nil || glob == "" {
			ps.add(d.locate([]string{"applications", strconv.Itoa(i)}), `write a file or a pattern such as "applications/*.hcl"`, "%s is no pattern for files", quote(glob))
			continue
		}
		c.ApplicationGlobs = append(c.ApplicationGlobs, path)
	}
}

func (c *Config) readDefaults(d *object, ps *problems) {
	if d.has("default_environment") {
		c.DefaultEnvironment = d.text("default_environment")
		ps.checkName(d.attrs["default_environment"].at, "default_environment", c.DefaultEnvironment)
	}
	if !d.has("default_platform") {
		return
	}
	c.DefaultPlatform = d.text("default_platform")
	if _, ok := c.Platform(c.DefaultPlatform); !ok {
		remedy := suggest(c.DefaultPlatform, c.platformNames())
		switch {
		case remedy != "":
		case slices.Contains(c.pluginNames(), c.DefaultPlatform):
			remedy = fmt.Sprintf("add %s { } to deployment", c.DefaultPlatform)
		default:
			remedy = "add the platform of a plugin; " + c.pluginsKnown("")
		}
		ps.add(d.attrs["default_platform"].at, remedy, "there is no platform %s", quote(c.DefaultPlatform))
	}
}
