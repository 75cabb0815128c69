package plugintest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// chattyLines is what SpecChatty writes at the least.
const chattyLines = 10_000

// linesPatience is for lines that were written and are not told yet.
const linesPatience = 10 * time.Second

// slowReader: a reader that sleeps gets the outcome, and is told what it missed.
func slowReader(b *bench) {
	target := b.at("chatty", b.config.SpecChatty)
	r := b.startDeploy(target, b.resolve(target), b.operation(sdk.OperationDeploy))
	lines, dropped := uint64(0), uint64(0)
	pauses := 20
	var up *sdk.Event // with the candidate, which waits for the lines: those after the outcome are not told
	last := time.Now()
	b.follow(r, func(event sdk.Event) error {
		if event.Log != nil || event.DroppedLogLines > 0 {
			last = time.Now()
		}
		if event.Log != nil {
			lines++
		}
		dropped += event.DroppedLogLines
		if pauses > 0 {
			pauses--
			<-time.After(50 * time.Millisecond)
		}
		if event.Candidate != nil || event.State != nil && event.State.Candidate != nil {
			up = &event
		}
		if up == nil || lines+dropped < chattyLines && time.Since(last) < linesPatience {
			return nil
		}
		ready := *up
		up = nil
		return b.promoteWhenUp(r, ready, 100)
	})
	b.succeeded("a deploy that writes much, with a slow reader", r)
	if lines == 0 || lines+dropped < chattyLines {
		b.Errorf("%d log lines arrived and %d were dropped: the rest of %d got lost without being counted", lines, dropped, chattyLines)
	}
	b.Logf("%d lines arrived, %d were dropped", lines, dropped)
}

// tailLines is how many of the last lines are asked for.
const tailLines = 10

// readLogs reads what a component wrote: that of SpecChatty where there is one, which
// has surely written something.
func readLogs(b *bench) {
	target, wrote := b.v1(), b.config.SpecChatty != nil
	if wrote {
		target = b.at("chatty", b.config.SpecChatty)
	}
	r := b.deploy(target)
	last := b.settledTail(r)
	all := b.lines(sdk.LogsRequest{Target: r.target, Handle: r.handle})
	switch {
	case len(last) > tailLines:
		b.Errorf("Logs with a tail of %d: %d lines in all messages together", tailLines, len(last))
	case wrote && len(all) == 0:
		b.Errorf("Logs of a component that wrote %d lines: none", chattyLines)
	case wrote && len(last) < tailLines:
		b.Errorf("Logs with a tail of %d of a component that wrote %d lines: %d lines (without a tail: %d)", tailLines, chattyLines, len(last), len(all))
	}
	if wrote && len(last) > 0 && len(all) > 0 && last[len(last)-1].Line != all[len(all)-1].Line {
		b.Errorf("Logs with a tail of %d: the last line is %q, and that of all lines is %q", tailLines, last[len(last)-1].Line, all[len(all)-1].Line)
	}
	for _, line := range all {
		if strings.ContainsAny(line.Line, "\r\n") {
			b.Errorf("Logs: more than one line in a line: %q", oneLine(line.Line))
			break
		}
	}
	ctx, cancel := context.WithCancel(b.ctx())
	followed := make(chan error, 1)
	client := b.client
	go func() {
		followed <- client.Logs(ctx, sdk.LogsRequest{Target: r.target, Handle: r.handle, Follow: true},
			func(...sdk.LogLine) error { return nil })
	}()
	select {
	case err := <-followed:
		b.Errorf("Logs that follow ended by themselves: %v", err)
		followed <- err
	case <-time.After(2 * heartbeatForTests):
	}
	cancel()
	if err := ends(b, "Logs that follow, after their context", followed); !errors.Is(err, context.Canceled) {
		b.Errorf("Logs that follow, after their context: %v", err)
	}
}

// settledTail reads a tail until the same comes twice: what a component wrote while
// it came up may still be on its way.
func (b *bench) settledTail(r *run) []sdk.LogLine {
	b.Helper()
	const looks = 50
	var before []sdk.LogLine
	for range looks {
		tail := b.lines(sdk.LogsRequest{Target: r.target, Handle: r.handle, Tail: tailLines})
		if n := len(tail); n > 0 && len(before) == n && before[n-1].Line == tail[n-1].Line {
			return tail
		}
		before = tail
		<-time.After(heartbeatForTests)
	}
	return before
}

// lines reads logs to their end.
func (b *bench) lines(request sdk.LogsRequest) []sdk.LogLine {
	b.Helper()
	var all []sdk.LogLine
	err := b.client.Logs(b.ctx(), request, func(lines ...sdk.LogLine) error {
		all = append(all, lines...)
		return nil
	})
	if err != nil {
		b.Fatalf("Logs: %v", err)
	}
	return all
}

// badLine is in the lines of SpecChatty that are no UTF-8, beside a byte that is not.
const badLine = "no UTF-8"

// badLines looks for the lines of SpecChatty that are no UTF-8. gRPC refuses a whole
// message for one of them.
func badLines(b *bench) {
	target := b.at("chatty", b.config.SpecChatty)
	r := b.startDeploy(target, b.resolve(target), b.operation(sdk.OperationDeploy))
	arrived := false
	look := func(line string) { arrived = arrived || strings.Contains(line, badLine) }
	b.follow(r, func(event sdk.Event) error {
		if event.Log != nil {
			look(event.Log.Line)
		}
		return b.promoteWhenUp(r, event, 100)
	})
	b.succeeded("a deploy that writes bytes that are no UTF-8", r)
	if b.suite.description.Capabilities.Logs {
		for _, line := range b.lines(sdk.LogsRequest{Target: r.target, Handle: r.handle}) {
			look(line.Line)
		}
	}
	for _, what := range b.suite.tap.refused() {
		b.Error(what)
	}
	if !arrived && !b.Failed() {
		b.Skip("needs a line that is no UTF-8: have SpecChatty write at its end one with the words \"" + badLine + "\" and the byte 0xff")
	}
}
