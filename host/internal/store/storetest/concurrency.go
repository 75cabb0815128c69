package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

var concurrencyChecks = map[string]func(*fixture){
	"many accept and commit":     concurrentWork,
	"one target, one owner":      concurrentClaims,
	"one key, one deployment":    concurrentKeys,
	"one of many is not refused": concurrentRefuse,
	"readers see whole changes":  concurrentReaders,
}

// workers is how many work at once.
const workers = 16

// together runs work in each worker and waits for all.
func together(work func(worker int) error) error {
	var all sync.WaitGroup
	errs := make([]error, workers)
	for worker := range workers {
		all.Go(func() { errs[worker] = work(worker) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func concurrentWork(f *fixture) {
	const deployments, commits = 3, 10
	f.ok(together(func(worker int) error {
		target := deployment.Target{Application: "shop", Environment: fmt.Sprint(worker)}
		for range deployments {
			d := f.build(target, "v1")
			if err := f.Accept(f.ctx(), f.acceptance(d)); err != nil {
				return err
			}
			// Whoever claims first takes the targets of all.
			if _, err := f.Claim(f.ctx(), host, time.Hour); err != nil {
				return err
			}
			leases, err := f.Renew(f.ctx(), host, time.Hour)
			if err != nil {
				return err
			}
			for _, lease := range leases {
				for i := 0; i < commits && lease.Target == target; i++ {
					change := deployment.Change{
						Target: target, Epoch: lease.Epoch, Deployment: d,
						Events: f.events(d, deployment.EventStatus, deployment.EventVerdict),
					}
					if err := f.Commit(f.ctx(), change); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}))
	all := f.list(deployment.Filter{})
	f.same("number of deployments", workers*deployments, len(all))
	for _, id := range all {
		events, err := f.Events(f.ctx(), id, 0, 500)
		f.ok(err)
		f.same("number of events", 1+2*commits, len(events))
		for i := range events {
			f.same("seq", uint64(i+1), events[i].Seq)
		}
	}
	feed, _ := f.feed("", 100)
	f.same("number of events in the feed", workers*deployments*(1+2*commits), len(feed))
}

func concurrentClaims(f *fixture) {
	const number = 20
	for i := range number {
		f.accept(deployment.Target{Application: "shop", Environment: fmt.Sprint(i)}, "v1")
	}
	var mu sync.Mutex
	owners := map[string]int{}
	f.ok(together(func(worker int) error {
		leases, err := f.Claim(f.ctx(), fmt.Sprintf("host-%d", worker), time.Hour)
		mu.Lock()
		defer mu.Unlock()
		for _, lease := range leases {
			owners[lease.Target.String()]++
		}
		return err
	}))
	f.same("targets with an owner", number, len(owners))
	for target, n := range owners {
		f.same("owners of "+target, 1, n)
	}
}

func concurrentKeys(f *fixture) {
	key := &deployment.IdempotencyKey{Principal: "alice", Key: "k", Digest: "x"}
	var mu sync.Mutex
	accepted, repeated := []string{}, []string{}
	f.ok(together(func(int) error {
		d := f.build(shop, "v1")
		a := f.acceptance(d)
		a.Key = key
		err := f.Accept(f.ctx(), a)
		mu.Lock()
		defer mu.Unlock()
		var again *deployment.RepeatedError
		switch {
		case err == nil:
			accepted = append(accepted, d.ID)
		case errors.As(err, &again):
			repeated = append(repeated, again.DeploymentID)
		default:
			return err
		}
		return nil
	}))
	f.same("number accepted", 1, len(accepted))
	f.same("number repeated", workers-1, len(repeated))
	for _, id := range repeated {
		f.same("first deployment", accepted[0], id)
	}
}

func concurrentRefuse(f *fixture) {
	var mu sync.Mutex
	accepted := 0
	f.ok(together(func(int) error {
		a := f.acceptance(f.build(shop, "v1"))
		a.Concurrent = deployment.ConcurrentRefuse
		err := f.Accept(f.ctx(), a)
		mu.Lock()
		defer mu.Unlock()
		var busy *deployment.BusyError
		if err == nil {
			accepted++
		} else if !errors.As(err, &busy) {
			return err
		}
		return nil
	}))
	f.same("number accepted", 1, accepted)
}

func concurrentReaders(f *fixture) {
	d := f.accept(shop, "v1")
	epoch := f.epoch(shop)
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			work, err := f.Work(f.ctx(), shop)
			if err != nil {
				done <- err
				return
			}
			// State and deployment are written together, with one version in both.
			if got := work.Open[0]; work.State.Version != "" && work.State.Version != got.PreviousVersion {
				done <- fmt.Errorf("state of change %s, deployment of change %s", work.State.Version, got.PreviousVersion)
				return
			}
		}
	}()
	for i := range 200 {
		d.PreviousVersion = fmt.Sprint(i)
		f.ok(f.Commit(f.ctx(), deployment.Change{
			Target: shop, Epoch: epoch, Deployment: d, State: &deployment.TargetState{Target: shop, Version: fmt.Sprint(i)},
		}))
	}
	close(stop)
	f.ok(<-done)
}
