package storetest

import (
	"fmt"
	"math"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

var feedChecks = map[string]func(*fixture){
	"events of one deployment":        feedEvents,
	"the feed is in commit order":     feedOrder,
	"the head stands after the last":  feedHead,
	"a cursor stands after its event": feedCursors,
	"retention does not move it":      feedAfterRetention,
}

func feedEvents(f *fixture) {
	d := f.accept(shop, "v1")
	for range 9 {
		f.commit(d)
	}
	for _, test := range []struct {
		after uint64
		limit int
		first uint64
		count int
	}{{0, 100, 1, 10}, {0, 3, 1, 3}, {7, 100, 8, 3}, {10, 100, 0, 0}, {11, 100, 0, 0}, {math.MaxUint64, 1, 0, 0}} {
		events, err := f.Events(f.ctx(), d.ID, test.after, test.limit)
		f.ok(err)
		f.same("number of events", test.count, len(events))
		for i, event := range events {
			f.same("seq", test.first+uint64(i), event.Seq)
			f.same("deployment", d.ID, event.DeploymentID)
		}
	}
}

// names returns "deployment seq" of events.
func names(events []deployment.Event) []string {
	var all []string
	for _, event := range events {
		all = append(all, fmt.Sprintf("%s %d", event.DeploymentID, event.Seq))
	}
	return all
}

// feed reads from the cursor to the end, in pages.
func (f *fixture) feed(cursor string, limit int) (all []string, end string) {
	f.Helper()
	for range 10_000 {
		page, err := f.Feed(f.ctx(), cursor, limit)
		f.ok(err)
		cursor = page.Cursor
		if len(page.Events) == 0 {
			return all, cursor
		}
		if len(page.Events) > limit {
			f.Fatalf("a page of %d, limit %d", len(page.Events), limit)
		}
		all = append(all, names(page.Events)...)
	}
	f.Fatal("the feed has no end")
	return nil, ""
}

func feedOrder(f *fixture) {
	first, second := f.accept(shop, "v1"), f.accept(deployment.Target{Application: "blog", Environment: "staging"}, "v1")
	f.commit(second)
	f.commit(first)
	f.commit(second)
	want := []string{"d001 1", "d002 1", "d002 2", "d001 2", "d002 3"}
	for _, limit := range []int{1, 2, 100} {
		got, _ := f.feed("", limit)
		f.same("feed", want, got)
	}
}

func feedHead(f *fixture) {
	head, err := f.FeedHead(f.ctx())
	f.ok(err)
	d := f.accept(shop, "v1")
	got, end := f.feed(head, 10)
	f.same("feed since it was empty", []string{"d001 1"}, got)
	head, err = f.FeedHead(f.ctx())
	f.ok(err)
	f.same("head", head, end)
	f.commit(d)
	got, _ = f.feed(head, 10)
	f.same("feed since the head", []string{"d001 2"}, got)
}

func feedCursors(f *fixture) {
	d := f.accept(shop, "v1")
	for range 4 {
		f.commit(d)
	}
	page, err := f.Feed(f.ctx(), "", 10)
	f.ok(err)
	f.same("number of cursors", len(page.Events), len(page.Cursors))
	f.same("cursor of the last", page.Cursor, page.Cursors[4])
	got, _ := f.feed(page.Cursors[2], 10)
	f.same("feed after the third", []string{"d001 4", "d001 5"}, got)
}

func feedAfterRetention(f *fixture) {
	d := f.accept(shop, "v1")
	f.end(d, deployment.Failed)
	_, before := f.feed("", 10)
	removed, err := f.Retain(f.ctx(), 0, 1)
	f.ok(err)
	f.same("removed", 1, removed)
	head, err := f.FeedHead(f.ctx())
	f.ok(err)
	f.same("head", before, head)
	f.accept(shop, "v2")
	got, _ := f.feed(before, 10)
	f.same("feed since", []string{"d002 1"}, got)
}
