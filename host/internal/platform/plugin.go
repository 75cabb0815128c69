package platform

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// Plugin is a plugin block of config.hcl.
type Plugin struct {
	Name        string   // the label; the binary must call itself the same
	Path        string   // of the binary; absolute
	SHA256      string   // pins the binary here instead of in the lock file; 64 hex digits or ""
	Environment []string // names of the host's variables that it may inherit
	Dev         bool     // may run without a pinned checksum; the lock file is not looked at
	LogLevel    string   // trace, debug, info, warn or error; default info
	MemoryLimit int64    // bytes; 0: none
	OpenFiles   int      // descriptors; 0: as many as the host may have
}

var (
	nameShape = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	sumShape  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func (p Plugin) validate() error {
	switch {
	case !nameShape.MatchString(p.Name):
		return fmt.Errorf("plugin %q: the name must be lower-case letters, digits, - and _", p.Name)
	case !filepath.IsAbs(p.Path):
		return fmt.Errorf("plugin %q: path %q is not absolute", p.Name, p.Path)
	case p.SHA256 != "" && !sumShape.MatchString(p.SHA256):
		return fmt.Errorf("plugin %q: sha256 %q is not 64 lower-case hexadecimal digits", p.Name, p.SHA256)
	}
	return nil
}

// unusable is the error of a plugin or platform that cannot be used, with what
// to do about it.
func unusable(cause error, remedy, format string, args ...any) *deployment.Error {
	return &deployment.Error{
		Code: deployment.Unavailable, Message: fmt.Sprintf(format, args...), Remedy: remedy, Err: cause,
	}
}

// mistake marks an error that stays until a person has changed something: to
// try again at once cannot help.
type mistake struct{ error }

// Unwrap returns the error that was marked.
func (m mistake) Unwrap() error { return m.error }

// platformDown says whether the plugin itself answered that its platform cannot
// be reached just now.
func platformDown(err error) bool {
	var answered *sdk.Error
	return errors.As(err, &answered) && answered.Retryable
}

func isMistake(err error) bool {
	var m mistake
	return errors.As(err, &m)
}
