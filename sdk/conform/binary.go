package conform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest"
)

// command makes the command line of a binary, which is a path and never looked up
// anywhere.
func command(binary string) ([]string, error) {
	info, err := os.Stat(binary)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("there is no binary %q: build it, or name where it is", binary)
	case err != nil:
		return nil, fmt.Errorf("look at binary %q: %w", binary, reasonOf(err))
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%q is no binary but a %s: name the plugin's one file", binary, kindOf(info.Mode()))
	case info.Mode().Perm()&0o111 == 0:
		return nil, fmt.Errorf("%q is not executable: chmod +x %s", binary, binary)
	}
	abs, err := filepath.Abs(binary)
	if err != nil {
		return nil, fmt.Errorf("find directory of %q: %w", binary, err)
	}
	return []string{abs}, nil
}

func kindOf(mode os.FileMode) string {
	if mode.IsDir() {
		return "directory"
	}
	return "special file"
}

// describe asks the plugin about itself. A plugin that starts and then answers
// wrongly is a failed case, and no error here.
func describe(ctx context.Context, binary string, words, env []string) (sdk.Description, error) {
	description, err := plugintest.Describe(ctx, words, env...)
	switch {
	case ctx.Err() != nil:
		return description, fmt.Errorf("start %q: %w", binary, context.Cause(ctx))
	case !errors.Is(err, plugintest.ErrNotStarted):
		return description, nil // the suite says what is wrong, as the failure of a case
	}
	remedy := "is it a plugin? It must say on standard output where it serves, as the wire contract asks for"
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		remedy = fmt.Sprintf("it is built for another system or architecture than this one, %s/%s, or a script without #! in its first line",
			runtime.GOOS, runtime.GOARCH)
	case errors.Is(err, os.ErrNotExist):
		remedy = "the interpreter that its first line names, or the loader that it was linked for, is not on this machine"
	case errors.Is(err, os.ErrPermission):
		remedy = "this user may not execute it, or the file system is mounted noexec"
	}
	return description, fmt.Errorf("%q cannot be tested: %w\n%s", binary, err, remedy)
}
