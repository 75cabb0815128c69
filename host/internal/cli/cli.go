package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Streams are all that a command reads from and writes to.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	// Program is how this program was called, for commands that are shown.
	Program string
}

// System returns the streams of the process.
func System() Streams {
	return Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Program: os.Args[0]}
}

// Run runs one command line and returns the code to end the process with.
// SIGINT, SIGTERM and SIGHUP cancel it; a second one ends the process at once.
// `apm serve` reads the lock file anew on SIGHUP instead.
func Run(ctx context.Context, streams Streams, args []string) ExitCode {
	ctx, hangups, stop := signals(ctx)
	defer stop()

	s := newSession(streams)
	s.hangups = hangups
	root := newRoot(s)
	root.SetArgs(args)
	cmd, err := root, checkWords(args)
	if err == nil {
		cmd, err = root.ExecuteContextC(ctx)
	}
	if s.reached != "" && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = s.interrupted(err)
	}
	code := exitCode(err)
	if err != nil && err.Error() != "" {
		renderError(s.err, s.unreachable(err))
		if code == ExitUsage {
			fmt.Fprintf(s.err, "  %s --help shows how it is used\n", cmd.CommandPath())
		}
	}
	return code
}

// checkWords refuses what JSON could not carry as it is.
func checkWords(args []string) error {
	for _, word := range args {
		if !utf8.ValidString(word) {
			return usage(fmt.Errorf("the argument %q is no UTF-8 text: write it as UTF-8", word))
		}
	}
	return nil
}

// interrupted is the end of a command that Ctrl-C kept from its answer.
func (s *session) interrupted(err error) error {
	return &exitError{code: ExitDetached, err: &deployment.Error{
		Code: deployment.Unavailable, Err: err, Message: "interrupted before the host at " + s.reached + " had answered",
		Remedy: "what it accepted all the same is shown by: " + s.again("deploy", "list"),
	}}
}

// session is what the commands of one command line share.
type session struct {
	in       io.Reader
	inIs     output.Terminal
	out, err output.Writer
	getenv   func(string) string
	program  string

	flags  globals
	format output.Options
	// reached is the URL of the host that was connected to last.
	reached string
	hangups *hangups
}

// globals are the flags that every command has.
type globals struct {
	url, token, dataDir, configFile string
}

func newSession(streams Streams) *session {
	return &session{
		in:      streams.In,
		inIs:    output.Look(streams.In, streams.Getenv),
		out:     output.Writer{Writer: streams.Out, Terminal: output.Look(streams.Out, streams.Getenv)},
		err:     output.Writer{Writer: streams.Err, Terminal: output.Look(streams.Err, streams.Getenv)},
		getenv:  streams.Getenv,
		program: streams.Program,
		format:  output.Options{Format: output.Table},
	}
}

// print writes data in the format asked for.
func (s *session) print(data any, lines []any, table func(*output.Grid)) error {
	printer := output.Printer{Options: s.format, Out: s.out}
	return printer.Print(data, lines, table)
}

// say writes one line of progress.
func (s *session) say(format string, args ...any) {
	fmt.Fprintln(s.err, output.Clean(fmt.Sprintf(format, args...)))
}

// elements makes the lines of print from a list.
func elements[T any](list []T) []any {
	lines := make([]any, len(list))
	for i := range list {
		lines[i] = list[i]
	}
	return lines
}
