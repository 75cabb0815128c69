package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

const (
	lockHeader = "# Written by `apm plugin lock`; one block per plugin of config.hcl.\n"
	lockRemedy = "run `apm plugin lock` (make build does)"
)

// locked is a block of the lock file.
type locked struct {
	Name    string `hcl:"name,label"`
	Version string `hcl:"version"`
	SHA256  string `hcl:"sha256"`
}

// readLock reads the lock file; one that is not there is empty.
func readLock(path string) (map[string]locked, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || path == "" {
		return map[string]locked{}, nil
	}
	if err != nil {
		return nil, unusable(err, "give the host's user the right to read it", "read lock file: %v", err)
	}
	file, diagnostics := hclparse.NewParser().ParseHCL(content, path)
	var body struct {
		Plugins []locked `hcl:"plugin,block"`
	}
	if !diagnostics.HasErrors() {
		diagnostics = append(diagnostics, gohcl.DecodeBody(file.Body, nil, &body)...)
	}
	if diagnostics.HasErrors() {
		return nil, lockError(path, content, diagnostics)
	}
	found := make(map[string]locked, len(body.Plugins))
	for _, block := range body.Plugins {
		if _, twice := found[block.Name]; twice {
			return nil, unusable(nil, "remove one of the two blocks, then "+lockRemedy, "%s: plugin %q stands twice", path, block.Name)
		}
		if !sumShape.MatchString(block.SHA256) {
			return nil, unusable(nil, lockRemedy, "%s: plugin %q: sha256 %q is not 64 lower-case hexadecimal digits", path, block.Name, block.SHA256)
		}
		found[block.Name] = block
	}
	return found, nil
}

func lockError(path string, content []byte, diagnostics hcl.Diagnostics) error {
	lines := strings.Split(string(content), "\n")
	e := unusable(diagnostics, "correct it, or remove it and "+lockRemedy, "read lock file %s", path)
	for _, d := range diagnostics {
		problem := deployment.Problem{Message: d.Summary, Remedy: d.Detail, File: path}
		if d.Subject != nil {
			problem.Line, problem.Column = d.Subject.Start.Line, d.Subject.Start.Column
			if i := problem.Line - 1; i >= 0 && i < len(lines) {
				problem.Snippet = lines[i]
			}
		}
		e.Problems = append(e.Problems, problem)
	}
	return e
}

// writeLock replaces the lock file as a whole, or leaves it as it was. Equal
// content gives equal bytes.
func writeLock(path string, blocks map[string]locked) (err error) {
	file := hclwrite.NewEmptyFile()
	for i, name := range slices.Sorted(maps.Keys(blocks)) {
		if i > 0 {
			file.Body().AppendNewline()
		}
		body := file.Body().AppendNewBlock("plugin", []string{name}).Body()
		body.SetAttributeValue("version", cty.StringVal(blocks[name].Version))
		body.SetAttributeValue("sha256", cty.StringVal(blocks[name].SHA256))
	}
	content := append([]byte(lockHeader), hclwrite.Format(file.Bytes())...)

	temporary, err := os.CreateTemp(filepath.Dir(path), ".apm.lock-*")
	if err != nil {
		return fmt.Errorf("write lock file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write lock file %q: %w", path, err), os.Remove(temporary.Name()))
		}
	}()
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}
