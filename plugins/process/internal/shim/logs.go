package shim

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/instance"
	"github.com/apm-deploy/apm/plugins/process/internal/logfile"
	"github.com/apm-deploy/apm/plugins/process/internal/record"
	"github.com/apm-deploy/apm/sdk"
)

// logs sends what instances wrote, oldest first, and goes on with what they
// write if asked to. Without previous that is all of the instances that run;
// with it, the runs and instances that ended.
func (c *component) logs(ctx context.Context, query control.LogQuery, send func(control.Response) error) error {
	seq, count := c.hub.position() // before the files are read: nothing is lost in between
	sources, err := c.sources(query)
	defer func() {
		for _, source := range sources {
			source.log.Close()
		}
	}()
	if err != nil {
		return err
	}
	skip := 0
	if query.Tail > 0 {
		total := 0
		err := merge(ctx, sources, func(sdk.LogLine) error { total++; return nil })
		if err != nil {
			return err
		}
		skip = max(0, total-query.Tail)
	}
	newest := map[string]time.Time{} // by resource: the lines of one are in order
	var batch []sdk.LogLine
	flush := func() error {
		sent := control.Response{Lines: record.OfLines(batch)}
		if batch = batch[:0]; len(sent.Lines) == 0 {
			return nil
		}
		return send(sent)
	}
	err = merge(ctx, sources, func(line sdk.LogLine) error {
		if skip > 0 {
			skip--
			return nil
		}
		newest[line.Resource] = line.Time
		if batch = append(batch, line); len(batch) == batchSize {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	for query.Follow && !query.Previous {
		entries, _, missed, wait := c.hub.after(seq, count)
		if len(entries) == 0 {
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		seq, count = entries[len(entries)-1].seq, entries[len(entries)-1].logs
		var batch []sdk.LogLine
		if missed > 0 {
			batch = append(batch, sdk.LogLine{Line: fmt.Sprintf("[%d lines dropped: the reader was too slow]", missed), Time: time.Now()})
		}
		for _, e := range entries {
			if l := e.event.Log; l != nil && l.Time.After(newest[l.Resource]) && selects(query.Resource, l.Resource) {
				batch = append(batch, *l)
			}
		}
		if len(batch) > 0 {
			if err := send(control.Response{Lines: record.OfLines(batch)}); err != nil {
				return err
			}
		}
	}
	return send(control.Response{End: true})
}

// selects says whether a resource is the one asked for, or part of it.
func selects(asked, resource string) bool {
	generation, isRelease := strings.CutPrefix(asked, kindRelease+"-")
	return asked == "" || asked == resource || isRelease && strings.HasPrefix(resource, kindProcess+"-"+generation+"-")
}

// source is the log of one instance.
type source struct {
	resource string
	log      *logfile.Log
	wanted   func(logfile.Line) bool
	previous func(logfile.Line) bool
}

// sources opens the logs that a query asks for. They are to be closed, also where
// there is an error.
func (c *component) sources(query control.LogQuery) (sources []source, err error) {
	current := map[string]int{} // instance id → its run
	c.mu.Lock()
	for _, t := range []*track{c.serving, c.candidate} {
		if t != nil {
			for _, m := range t.members {
				status := m.Status()
				current[m.ID()] = status.Run
				if status.Phase == instance.Waiting {
					current[m.ID()]++ // its last run ended
				}
			}
		}
	}
	c.mu.Unlock()
	files, err := filepath.Glob(filepath.Join(c.dir, logsDir, "*.log"))
	if err != nil {
		return nil, fmt.Errorf("list log files: %w", err)
	}
	slices.SortFunc(files, byNumber)
	for _, file := range files {
		id := strings.TrimSuffix(filepath.Base(file), ".log")
		run, alive := current[id]
		one := source{
			resource: kindProcess + "-" + id,
			wanted: func(l logfile.Line) bool {
				return !l.Time.Before(query.Since) && (!query.Previous || !alive || l.Run < run)
			},
			previous: func(l logfile.Line) bool { return !alive || l.Run < run },
		}
		if !selects(query.Resource, one.resource) || !alive && !query.Previous && query.Resource == "" {
			continue
		}
		if one.log, err = logfile.Open(file); err != nil {
			return sources, err
		}
		sources = append(sources, one)
	}
	return sources, nil
}

// merge hands the lines of the logs to each in order of their times. Of each log it
// holds one line at a time.
func merge(ctx context.Context, sources []source, each func(sdk.LogLine) error) error {
	var heads []head
	for _, s := range sources {
		next, stop := iter.Pull2(s.log.All())
		defer stop()
		one := head{source: s, next: next}
		if more, err := one.advance(); err != nil {
			return err
		} else if more {
			heads = append(heads, one)
		}
	}
	for len(heads) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		first := 0
		for i := range heads {
			if heads[i].line.Time.Before(heads[first].line.Time) {
				first = i
			}
		}
		h := &heads[first]
		line := sdk.LogLine{Resource: h.resource, Line: h.line.Text, Time: h.line.Time, Stream: h.line.Stream, Previous: h.previous(h.line)}
		if err := each(line); err != nil {
			return err
		}
		if more, err := h.advance(); err != nil {
			return err
		} else if !more {
			heads = slices.Delete(heads, first, first+1)
		}
	}
	return nil
}

// head is where merge stands in a log.
type head struct {
	source

	next func() (logfile.Line, error, bool)
	line logfile.Line
}

// advance goes to the next line that is wanted.
func (h *head) advance() (more bool, err error) {
	for {
		line, err, more := h.next()
		if err != nil || !more || h.wanted(line) {
			h.line = line
			return more, err
		}
	}
}

// byNumber orders "9-1.log" before "10-1.log".
func byNumber(a, b string) int {
	number := func(file string) int {
		n, _, _ := strings.Cut(filepath.Base(file), "-")
		value, _ := strconv.Atoi(n) // what is no number comes first
		return value
	}
	return number(a) - number(b)
}
