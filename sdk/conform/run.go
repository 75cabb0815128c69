package conform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest"
)

// Conform runs the suite on a binary, writes a table to s.Out as it goes, and the
// reports that are asked for. An error says that nothing could be tested, or a
// report not be written; cases that failed are no error. When ctx ends, what was
// deployed is removed, and what did not run counts as failed.
func Conform(ctx context.Context, s Streams, o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	files, err := openReports(s, o)
	if err != nil {
		return nil, err
	}
	if o.JSON == Stdout || o.JUnit == Stdout {
		s = Streams{Out: s.Err, Err: s.Err}
	}
	report, err := test(ctx, s, o)
	if err != nil {
		return nil, errors.Join(err, files.discard())
	}
	return report, files.write(report)
}

// test is everything but the files of reports.
func test(ctx context.Context, s Streams, o Options) (report *Report, err error) {
	words, err := command(o.Binary)
	if err != nil {
		return nil, err
	}
	path, err := o.find()
	if err != nil {
		return nil, err
	}
	file := &File{}
	if path != "" {
		if file, err = Read(path); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
	}
	description, err := describe(ctx, o.Binary, words, file.Environment)
	if err != nil {
		return nil, err
	}
	config := plugintest.Config{}
	if path != "" && sound(description) {
		if config, err = file.Config(description); err != nil {
			return nil, err
		}
		if err = file.Prepare(ctx); err != nil {
			return nil, err
		}
	}
	config.Command, config.Env = words, file.Environment
	if o.Timeout > 0 {
		config.Timeout = o.Timeout
	}
	return o.check(ctx, s, path, description, config)
}

// sound says whether a description is one that a file can be read by. Of any other
// the suite says what is wrong with it.
func sound(d sdk.Description) bool {
	return d.Name != "" && d.Config.Validate() == nil && d.Spec.Validate() == nil
}

func (o Options) check(ctx context.Context, s Streams, path string, d sdk.Description, config plugintest.Config) (*Report, error) {
	names, err := o.Cases()
	if err != nil {
		return nil, err
	}
	config.Only = func(name string) bool { return slices.Contains(names, name) }
	report := &Report{Binary: o.Binary, File: path, Plugin: pluginOf(d), StartedAt: time.Now().UTC(), Cases: []Case{}}
	table := s.newTable(append(plugintest.Cases()[:1], names...), o.Verbose) // the first one runs always
	table.head(report)
	plugintest.Check(ctx, config, func(result plugintest.Result) {
		c := report.add(result)
		if ctx.Err() != nil && result.Duration == 0 {
			table.unseen++
			return
		}
		table.row(c)
	})
	report.Seconds = seconds(time.Since(report.StartedAt))
	table.end(report)
	return report, nil
}

// Stdout is the name of standard output among the files of reports.
const Stdout = "-"

// reports are the files to write to, opened before the cases run: a path that
// cannot be written is known at once.
type reports struct {
	json, junit io.Writer
	opened      []*os.File
}

func openReports(s Streams, o Options) (*reports, error) {
	r := &reports{}
	for _, one := range []struct {
		flag, path string
		to         *io.Writer
	}{{"--json", o.JSON, &r.json}, {"--junit", o.JUnit, &r.junit}} {
		switch one.path {
		case "":
		case Stdout:
			*one.to = s.Out
		default:
			file, err := os.OpenFile(one.path, os.O_CREATE|os.O_WRONLY, 0o644)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("%s %q cannot be written: %w", one.flag, one.path, reasonOf(err)), r.discard())
			}
			*one.to = file
			r.opened = append(r.opened, file)
		}
	}
	return r, nil
}

// write writes the reports and closes their files.
func (r *reports) write(report *Report) error {
	var errs []error
	for _, file := range r.opened {
		errs = append(errs, file.Truncate(0))
	}
	if r.json != nil {
		errs = append(errs, report.WriteJSON(r.json))
	}
	if r.junit != nil {
		errs = append(errs, report.WriteJUnit(r.junit))
	}
	return errors.Join(append(errs, r.discard())...)
}

// discard closes the files and leaves what an earlier run wrote. One that is empty has
// no report, and is not for anybody to read.
func (r *reports) discard() error {
	var errs []error
	for _, file := range r.opened {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && info.Size() == 0 {
			errs = append(errs, os.Remove(file.Name()))
		}
		errs = append(errs, file.Close())
	}
	r.opened = nil
	return errors.Join(errs...)
}

// WriteCases writes the names of the cases that the options ask for, one a line.
func WriteCases(w io.Writer, o Options) error {
	o.List = true
	if err := o.Validate(); err != nil {
		return err
	}
	names, err := o.Cases()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, strings.Join(names, "\n"))
	return err
}
