package shim

import (
	"context"
	"fmt"
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
	lines, err := c.written(query)
	if err != nil {
		return err
	}
	newest := map[string]time.Time{} // by resource: the lines of one are in order
	for _, line := range lines {
		newest[line.Resource] = line.Time
	}
	for len(lines) > 0 {
		n := min(len(lines), batchSize)
		if err := send(control.Response{Lines: record.OfLines(lines[:n])}); err != nil {
			return err
		}
		lines = lines[n:]
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

// written reads the log files.
func (c *component) written(query control.LogQuery) ([]sdk.LogLine, error) {
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
	var all []sdk.LogLine
	for _, file := range files {
		id := strings.TrimSuffix(filepath.Base(file), ".log")
		resource := kindProcess + "-" + id
		run, alive := current[id]
		if !selects(query.Resource, resource) || !alive && !query.Previous && query.Resource == "" {
			continue
		}
		lines, err := logfile.Read(file, query.Tail, func(l logfile.Line) bool {
			return !l.Time.Before(query.Since) && (!query.Previous || !alive || l.Run < run)
		})
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			all = append(all, sdk.LogLine{Resource: resource, Line: l.Text, Time: l.Time, Stream: l.Stream, Previous: !alive || l.Run < run})
		}
	}
	slices.SortStableFunc(all, func(a, b sdk.LogLine) int { return a.Time.Compare(b.Time) })
	if query.Tail > 0 && len(all) > query.Tail {
		all = all[len(all)-query.Tail:]
	}
	return all, nil
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
