package cli

import (
	"io"

	"github.com/spf13/cobra"

	apiv1 "github.com/apm-deploy/apm/api/v1"
)

// Root lays open the tree of commands.
func Root(streams Streams) *cobra.Command { return newRoot(newSession(streams)) }

// CodeOf lays open the exit code of an error.
func CodeOf(err error) ExitCode { return exitCode(err) }

// Usage lays open the error of a wrong command line.
func Usage(err error) error { return usage(err) }

// RenderError lays open how an error is shown.
func RenderError(w io.Writer, err error) { renderError(w, err) }

// RunExits lays open the codes of a watch by status.
func RunExits() map[string][2]ExitCode {
	codes := map[string][2]ExitCode{}
	for status, code := range runExit {
		codes[string(status)] = [2]ExitCode{code.forward, code.back}
	}
	return codes
}

// ReadConfiguration lays open how the file of --config is read.
func ReadConfiguration(path string, request apiv1.StartRequest) (map[string]any, error) {
	return readConfiguration(path, request)
}

// Assign lays open --set.
func Assign(values map[string]any, setting string) error { return assign(values, setting) }

// ResolvePaths lays open how paths are made absolute.
func ResolvePaths(values map[string]any, dir string, keys ...string) {
	set := pathSet{}
	for _, key := range keys {
		set[key] = true
	}
	set.resolve(values, dir, func(path string) string { return path })
}

// Quote lays open how a word is made safe for a shell.
func Quote(text string) string { return quote(text) }
