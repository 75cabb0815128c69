package storetest

import (
	"fmt"
	"slices"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

var listChecks = map[string]func(*fixture){
	"filters are combined":          listFilters,
	"pages have each of them once":  listPages,
	"a cursor that is none":         listBadCursor,
	"one time has an order too":     listSameTime,
	"columns follow the deployment": listFollows,
}

func (f *fixture) list(filter deployment.Filter) []string {
	f.Helper()
	page, err := f.List(f.ctx(), filter)
	f.ok(err)
	return ids(page.Deployments)
}

func listFilters(f *fixture) {
	on := func(target deployment.Target, version string, platforms ...string) *deployment.Deployment {
		d := f.build(target, version)
		a := f.acceptance(d)
		d.Components = nil
		for i, platform := range platforms {
			d.Components = append(d.Components, deployment.Component{Name: fmt.Sprint(i), Platform: platform})
		}
		f.ok(f.Accept(f.ctx(), a))
		return d
	}
	staging := deployment.Target{Application: "shop", Environment: "staging"}
	blog := deployment.Target{Application: "blog", Environment: "production"}
	on(shop, "v1", "process", "process")
	on(shop, "v2", "process", "kubernetes")
	on(staging, "v2", "kubernetes")
	on(blog, "v2", "docker")
	last := on(shop, "v2", "process")
	f.end(last, deployment.Failed)

	for name, test := range map[string]struct {
		filter deployment.Filter
		want   []string
	}{
		"none":               {deployment.Filter{}, []string{"d005", "d004", "d003", "d002", "d001"}},
		"application":        {deployment.Filter{Application: "shop"}, []string{"d005", "d003", "d002", "d001"}},
		"environment":        {deployment.Filter{Environment: "staging"}, []string{"d003"}},
		"version":            {deployment.Filter{Version: "v2"}, []string{"d005", "d004", "d003", "d002"}},
		"platform":           {deployment.Filter{Platform: "kubernetes"}, []string{"d003", "d002"}},
		"platform, twice":    {deployment.Filter{Platform: "process", Version: "v1"}, []string{"d001"}},
		"status":             {deployment.Filter{Status: []deployment.Status{deployment.Failed}}, []string{"d005"}},
		"several statuses":   {deployment.Filter{Status: []deployment.Status{deployment.Failed, deployment.Pending}, Application: "blog"}, []string{"d004"}},
		"all of them":        {deployment.Filter{Application: "shop", Environment: "production", Version: "v2", Platform: "process", Status: []deployment.Status{deployment.Pending}}, []string{"d002"}},
		"nothing fits":       {deployment.Filter{Application: "shop", Platform: "docker"}, []string{}},
		"no pattern":         {deployment.Filter{Application: "sh%"}, []string{}},
		"a quote is a quote": {deployment.Filter{Version: "v2' OR '1'='1"}, []string{}},
	} {
		f.same(name, test.want, f.list(test.filter))
	}
}

func listPages(f *fixture) {
	var want []string
	for i := range 25 {
		d := f.accept(shop, fmt.Sprintf("v%d", i%2))
		if i%2 == 0 {
			want = append(want, d.ID)
		}
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 4, 13, 500} {
		var got []string
		filter := deployment.Filter{Version: "v0", Limit: limit}
		for range 100 {
			page, err := f.List(f.ctx(), filter)
			f.ok(err)
			if len(page.Deployments) > limit || len(page.Deployments) == 0 {
				f.Fatalf("a page of %d, limit %d", len(page.Deployments), limit)
			}
			got = append(got, ids(page.Deployments)...)
			if filter.Cursor = page.Next; filter.Cursor == "" {
				break
			}
			f.accept(shop, "v0") // newer ones do not move the pages
		}
		f.same(fmt.Sprintf("pages of %d", limit), want, got[max(0, len(got)-len(want)):])
		want = f.list(deployment.Filter{Version: "v0"})
	}
}

func listBadCursor(f *fixture) {
	f.accept(shop, "v1")
	f.accept(shop, "v2")
	page, err := f.List(f.ctx(), deployment.Filter{Limit: 1})
	f.ok(err)
	_, next, err := f.Audit(f.ctx(), "", 1)
	f.ok(err)
	head, err := f.FeedHead(f.ctx())
	f.ok(err)
	for _, cursor := range []string{"x", "!", page.Next[1:], next, head, "' OR 1"} {
		_, err := f.List(f.ctx(), deployment.Filter{Cursor: cursor})
		f.invalidCursor(err)
	}
	for _, cursor := range []string{"x", page.Next, head} {
		_, _, err := f.Audit(f.ctx(), cursor, 1)
		f.invalidCursor(err)
	}
	for _, cursor := range []string{"x", page.Next, next} {
		_, err := f.Feed(f.ctx(), cursor, 1)
		f.invalidCursor(err)
	}
}

func listSameTime(f *fixture) {
	for range 5 {
		d := f.build(shop, "v1")
		d.AcceptedAt = noon
		f.ok(f.Accept(f.ctx(), f.acceptance(d)))
	}
	var got []string
	filter := deployment.Filter{Limit: 2}
	for range 100 {
		page, err := f.List(f.ctx(), filter)
		f.ok(err)
		got = append(got, ids(page.Deployments)...)
		if filter.Cursor = page.Next; filter.Cursor == "" {
			break
		}
	}
	f.same("all pages", []string{"d005", "d004", "d003", "d002", "d001"}, got)
}

func listFollows(f *fixture) {
	d := f.accept(shop, "v1")
	d.Components = append(d.Components, deployment.Component{Name: "db", Platform: "docker"})
	f.take(d)
	f.same("by the new platform", []string{d.ID}, f.list(deployment.Filter{Platform: "docker"}))
	f.same("by the new status", []string{d.ID}, f.list(deployment.Filter{Status: []deployment.Status{deployment.Preparing}}))
	f.same("by the old status", []string{}, f.list(deployment.Filter{Status: []deployment.Status{deployment.Pending}}))
	d.Components = d.Components[1:]
	f.commit(d)
	f.same("by the old platform", []string{}, f.list(deployment.Filter{Platform: "process"}))
}
