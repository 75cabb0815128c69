package conform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest"
	"github.com/apm-deploy/apm/sdk/schema"
)

// File is what a conform.hcl says, as far as that can be known without the plugin.
// [File.Config] reads the rest by the plugin's schema.
type File struct {
	// Path is the file, as the person named it.
	Path string
	// Environment is what the plugin's process gets beside the contract's,
	// "NAME=value".
	Environment []string
	// Timeout bounds one operation; 0 where the file does not say.
	Timeout time.Duration
	// Secrets are texts that nobody may see.
	Secrets []string

	dir, tmp string
	prepared bool
	scope    scope
	config   *hclsyntax.Block
	specs    map[string]*hclsyntax.Block
	secrets  hcl.Pos // where they stand

	prepare, changeFiles, changeLive, prune *hook
	serves                                  *serves
}

const maxFile = 1 << 20

// Read reads a file. What is wrong with it is a [*FileError]; any other error says
// that it could not be read. Close the file when the cases have run.
func Read(path string) (*File, error) {
	content, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w; write one (what the suite deploys stands in it), or name another with --config", path, err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find directory of %q: %w", path, err)
	}
	tmp, err := os.MkdirTemp("", "conform")
	if err != nil {
		return nil, fmt.Errorf("make a directory for ${tmp}: %w; set TMPDIR to a directory that can be written", err)
	}
	f := &File{Path: path, dir: filepath.Dir(abs), tmp: tmp, specs: map[string]*hclsyntax.Block{}}
	ps := &problems{file: path, lines: strings.Split(string(content), "\n")}
	f.scope = newScope(f.dir, tmp, ps)
	parsed, ds := hclsyntax.ParseConfig(content, path, hcl.InitialPos)
	ps.addHCL(ds)
	if body, ok := parsed.Body.(*hclsyntax.Body); ok && !ds.HasErrors() {
		f.top(body)
	}
	if err := ps.err(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Prepare runs what the file wants done before the first case. Close undoes it.
func (f *File) Prepare(ctx context.Context) error {
	if f.prepare == nil {
		return nil
	}
	f.prepared = true
	_, err := f.prepare.run(ctx, "command", f.prepare.command)
	return err
}

// Close undoes Prepare, and removes ${tmp}.
func (f *File) Close() error {
	var err error
	if f.prepared && len(f.prepare.undo) > 0 {
		_, err = f.prepare.run(context.Background(), "undo", f.prepare.undo)
	}
	if removed := removeAll(f.tmp); removed != nil {
		err = errors.Join(err, fmt.Errorf("remove ${tmp} of %q: %w", f.Path, removed))
	}
	return err
}

// removeAll removes a directory, also where what was put there took away the right
// to.
func removeAll(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		return err
	})
	return os.RemoveAll(dir)
}

// readFile reads a regular file of bounded size: a pipe would hang, a device never
// end.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, reasonOf(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, reasonOf(err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, reasonOf(err)
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("larger than %d MiB", maxFile>>20)
	}
	return content, nil
}

// reasonOf says why, without the path: the caller names it.
func reasonOf(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// Config is what the suite is given for a plugin, by the plugin's own schema. What
// does not fit it is a [*FileError].
func (f *File) Config(d sdk.Description) (plugintest.Config, error) {
	c := plugintest.Config{
		Env: f.Environment, Secrets: f.Secrets, Timeout: f.Timeout,
		Platform: f.platform(d),
		SpecV1:   f.spec(d, "v1"), SpecV2: f.spec(d, "v2"), SpecBad: f.spec(d, "bad"),
		SpecSlow: f.spec(d, "slow"), SpecChatty: f.spec(d, "chatty"), SpecFailing: f.spec(d, "failing"),
	}
	if f.changeFiles != nil {
		c.ChangeFiles = f.changeFiles.files
	}
	if f.changeLive != nil {
		c.ChangeLive = f.changeLive.live
	}
	if f.prune != nil {
		c.Prune = f.prune.live
	}
	if f.serves != nil {
		c.Serves = f.serves.content
	}
	if len(f.scope.ps.list) == 0 {
		f.compare(c)
	}
	return c, f.scope.ps.err()
}

func (f *File) platform(d sdk.Description) []byte {
	body, at := &hclsyntax.Body{}, hcl.InitialPos
	if f.config != nil {
		body, at = f.config.Body, f.config.TypeRange.Start
	}
	return f.decode("config", d.Config.Block, body, at, false)
}

func (f *File) spec(d sdk.Description, name string) []byte {
	block := f.specs[name]
	if block == nil {
		return nil
	}
	return f.decode(blockName(block), d.Spec.Block, block.Body, block.TypeRange.Start, name == "bad")
}

func (f *File) decode(what string, g schema.Block, body *hclsyntax.Body, at hcl.Pos, lenient bool) []byte {
	return marshal(decoder{scope: f.scope, dir: f.dir, lenient: lenient}.block(what, g, body, at))
}

// compare finds what would have the cases prove nothing.
func (f *File) compare(c plugintest.Config) {
	if c.SpecV1 != nil && string(c.SpecV1) == string(c.SpecV2) {
		f.scope.ps.add(f.specs["v2"].TypeRange.Start, "have them run something different", `spec "v1" and spec "v2" are the same`)
	}
	blocks, environment := string(c.Platform)+string(c.SpecV1)+string(c.SpecV2), strings.Join(f.Environment, "\n")
	for i, secret := range f.Secrets {
		text := string(marshal(secret))
		if !strings.Contains(blocks, text[1:len(text)-1]) && !strings.Contains(environment, secret) {
			f.scope.ps.add(f.secrets, "write it there, or leave it out",
				`secret %d of the list stands neither in config nor in spec "v1" or "v2", nor in environment`, i+1)
		}
	}
}
