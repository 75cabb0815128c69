package storetest

import (
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

var leaseChecks = map[string]func(*fixture){
	"what needs an owner is claimed":        leaseClaims,
	"a target has one owner":                leaseIsExclusive,
	"an ended lease is anybody's":           leaseEnds,
	"renewal prolongs what is held":         leaseRenews,
	"release gives back":                    leaseReleases,
	"the epoch rises over removal":          leaseEpochRises,
	"a claim without host or time is wrong": leaseNeedsHost,
	"commands need an owner":                leaseForCommands,
}

func targets(leases []deployment.Lease) []string {
	names := []string{}
	for _, lease := range leases {
		names = append(names, lease.Target.String())
	}
	return names
}

func (f *fixture) claim(who string, ttl time.Duration) []deployment.Lease {
	f.Helper()
	leases, err := f.Claim(f.ctx(), who, ttl)
	f.ok(err)
	return leases
}

func leaseClaims(f *fixture) {
	f.same("leases of an empty store", []string{}, targets(f.claim(host, time.Hour)))
	d := f.accept(shop, "v1")
	leases := f.claim(host, time.Hour)
	f.same("leases", []string{shop.String()}, targets(leases))
	if l := leases[0]; l.Epoch == 0 || l.For != time.Hour || l.Until.IsZero() {
		f.Fatalf("lease %+v", l)
	}
	f.same("leases that are new", []string{}, targets(f.claim(host, time.Hour)))

	// One that ended badly before anything ran needs nobody.
	f.epochs[shop.String()] = leases[0].Epoch
	f.end(d, deployment.Failed)
	f.ok(f.Release(f.ctx(), host))
	f.same("leases while nothing is to be done", []string{}, targets(f.claim(host, time.Hour)))

	// One that runs is looked after.
	d = f.accept(shop, "v2")
	f.epochs[shop.String()] = 0
	f.end(d, deployment.Completed)
	f.ok(f.Release(f.ctx(), host))
	f.same("leases of what runs", []string{shop.String()}, targets(f.claim(host, time.Hour)))
}

func leaseForCommands(f *fixture) {
	d := f.accept(shop, "v1")
	f.end(d, deployment.Failed)
	f.ok(f.Release(f.ctx(), host))
	f.ok(f.Command(f.ctx(), f.command("c1", d), f.audit("deployment.rollback", d.ID)))
	f.same("leases", []string{shop.String()}, targets(f.claim(host, time.Hour)))
}

func leaseIsExclusive(f *fixture) {
	f.accept(shop, "v1")
	f.same("first", []string{shop.String()}, targets(f.claim("host-a", time.Hour)))
	f.same("second", []string{}, targets(f.claim("host-b", time.Hour)))
	renewed, err := f.Renew(f.ctx(), "host-b", time.Hour)
	f.ok(err)
	f.same("renewed by who has none", []string{}, targets(renewed))
	f.ok(f.Release(f.ctx(), "host-b", shop))
	f.same("second, after it gave back what it has not", []string{}, targets(f.claim("host-b", time.Hour)))
}

func leaseEnds(f *fixture) {
	d := f.accept(shop, "v1")
	old := f.claim("host-a", 100*time.Millisecond)[0]
	var taken []deployment.Lease
	f.eventually("the lease ends", func() bool {
		taken = f.claim("host-b", time.Hour)
		return len(taken) == 1
	})
	if taken[0].Epoch <= old.Epoch {
		f.Fatalf("epoch %d after %d", taken[0].Epoch, old.Epoch)
	}
	renewed, err := f.Renew(f.ctx(), "host-a", time.Hour)
	f.ok(err)
	f.same("renewed by the old owner", []string{}, targets(renewed))
	change := deployment.Change{Target: shop, Epoch: old.Epoch, Deployment: d}
	f.is(f.Commit(f.ctx(), change), deployment.ErrStaleEpoch)
	change.Epoch = taken[0].Epoch
	f.ok(f.Commit(f.ctx(), change))
}

func leaseRenews(f *fixture) {
	f.accept(shop, "v1")
	f.accept(deployment.Target{Application: "blog", Environment: "staging"}, "v1")
	const ttl = 400 * time.Millisecond
	leases := f.claim("host-a", ttl)
	f.same("claimed", 2, len(leases))
	// Held far beyond the first term, it is nobody else's for a moment.
	for end := time.Now().Add(3 * ttl); time.Now().Before(end); {
		renewed, err := f.Renew(f.ctx(), "host-a", ttl)
		f.ok(err)
		f.same("renewed", 2, len(renewed))
		for i := range renewed {
			f.same("epoch", leases[i].Epoch, renewed[i].Epoch)
			if renewed[i].For != ttl || renewed[i].Until.Before(leases[i].Until) {
				f.Fatalf("renewed %+v, before %+v", renewed[i], leases[i])
			}
		}
		f.same("stolen", []string{}, targets(f.claim("host-b", time.Hour)))
	}
	// Once ended it is not revived, though nobody took it.
	f.eventually("the leases end", func() bool {
		renewed, err := f.Renew(f.ctx(), "host-a", time.Millisecond)
		f.ok(err)
		return len(renewed) == 0
	})
	again := f.claim("host-a", time.Hour)
	f.same("claimed again", 2, len(again))
	if again[0].Epoch <= leases[0].Epoch {
		f.Fatalf("epoch %d after %d", again[0].Epoch, leases[0].Epoch)
	}
}

func leaseReleases(f *fixture) {
	f.accept(shop, "v1")
	blog := deployment.Target{Application: "blog", Environment: "staging"}
	f.accept(blog, "v1")
	f.claim("host-a", time.Hour)
	f.ok(f.Release(f.ctx(), "host-a", blog))
	f.same("taken", []string{blog.String()}, targets(f.claim("host-b", time.Hour)))
	f.ok(f.Release(f.ctx(), "host-a"))
	f.same("taken", []string{shop.String()}, targets(f.claim("host-b", time.Hour)))
}

func leaseEpochRises(f *fixture) {
	last := uint64(0)
	for range 5 {
		d := f.accept(shop, "v1")
		f.epochs[shop.String()] = 0
		if epoch := f.epoch(shop); epoch <= last {
			f.Fatalf("epoch %d after %d", epoch, last)
		}
		last = f.epoch(shop)
		f.end(d, deployment.Failed)
		_, err := f.Retain(f.ctx(), 0, time.Nanosecond)
		f.ok(err)
		_, err = f.Deployment(f.ctx(), d.ID)
		f.is(err, deployment.ErrNotFound)
		f.ok(f.Release(f.ctx(), host))
	}
}

func leaseNeedsHost(f *fixture) {
	f.accept(shop, "v1")
	if leases, err := f.Claim(f.ctx(), "", time.Hour); err == nil {
		f.Fatalf("nobody has %v", leases)
	}
	if leases, err := f.Claim(f.ctx(), host, 0); err == nil {
		f.Fatalf("for no time: %v", leases)
	}
}
