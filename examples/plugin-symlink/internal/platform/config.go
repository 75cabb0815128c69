package platform

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Config is the platform block in config.hcl.
type Config struct {
	_    struct{} `doc:"Directories of files, behind a symlink that is swapped in one step."`
	Root string   `apm:"root,required,path" doc:"Directory that components are deployed below; what a component serves is ROOT/APPLICATION/ENVIRONMENT/COMPONENT/current."`
	Keep int      `apm:"keep" default:"5" doc:"Releases kept per component, so that it can be rolled back; what is current, and what the host may go back to, is always kept."`
}

// Spec is the spec block of a component.
type Spec struct {
	_      struct{}          `doc:"A directory of files."`
	Source string            `apm:"source,required,path" doc:"Directory with the files of this version. They are copied when the deployment is accepted."`
	Env    map[string]string `apm:"env,sensitive" doc:"Written into the release as a file .env, a line NAME=value each, which only its owner may read."`
}

// envFile is where Spec.Env goes.
const envFile = ".env"

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Configure takes the platform block and tries whether it can be worked with.
func (p *Platform) Configure(_ context.Context, r sdk.ConfigureRequest) (diag.Diagnostics, error) {
	config, ds := schema.Read[Config](r.Config)
	if ds.HasErrors() {
		return ds, nil
	}
	p.config, p.installation = config, r.InstallationID
	if err := writable(p.config.Root); err != nil {
		ds.Errorf([]string{"root"}, "%v: name a directory that the host's user may write to", err)
	}
	p.log.Info("configured", "platform", r.Platform, "root", p.config.Root)
	return ds, nil
}

// Validate says what is wrong with a configuration or a spec, without a look at
// the disk.
func (p *Platform) Validate(_ context.Context, config, spec []byte) (diag.Diagnostics, error) {
	return schema.Check[Config, Spec](config, spec), nil
}

// Check says what is wrong with a platform block that fits the schema.
func (c Config) Check() (ds diag.Diagnostics) {
	if !filepath.IsAbs(c.Root) {
		ds.Errorf([]string{"root"}, "root %q is not absolute", c.Root)
	}
	if c.Keep < 1 {
		ds.Errorf([]string{"keep"}, "keep is %d: without 1 or more nothing can be rolled back", c.Keep)
	}
	return ds
}

// Check says what is wrong with a spec block that fits the schema.
func (s Spec) Check() (ds diag.Diagnostics) {
	if !filepath.IsAbs(s.Source) {
		ds.Errorf([]string{"source"}, "source %q is not absolute", s.Source)
	}
	for name, value := range s.Env {
		switch {
		case !variable.MatchString(name):
			ds.Errorf([]string{"env", name}, "%q is no name of a variable: use letters, digits and _", name)
		case strings.ContainsAny(value, "\n\x00"):
			ds.Errorf([]string{"env", name}, "the value of %s has more than one line", name)
		}
	}
	return ds
}

// writable tries to write below a directory, and makes it where it is not there.
func writable(root string) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(root, ".apm-")
	if err != nil {
		return fmt.Errorf("write below %q: %w", root, err)
	}
	_ = file.Close()
	return os.Remove(file.Name())
}
