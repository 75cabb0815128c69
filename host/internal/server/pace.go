package server

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// progressEvery is how often progress is computed and sent at most.
const progressEvery = 500 * time.Millisecond

// pace computes progress once for all who follow a deployment.
type pace struct {
	store Store
	now   func() time.Time

	mu      sync.Mutex
	entries map[string]*progress
}

// progress is what was computed last for a deployment.
type progress struct {
	mu      sync.Mutex
	at      time.Time
	payload deployment.ProgressPayload
	run     int
	open    bool
}

// maxPaced bounds the memory of what is followed.
const maxPaced = 1024

// newPace returns one that has computed nothing.
func newPace(store Store, now func() time.Time) *pace {
	return &pace{store: store, now: now, entries: map[string]*progress{}}
}

// of returns the progress of a deployment, not older than progressEvery, the
// number of the run it is about, and whether that run goes on.
func (p *pace) of(ctx context.Context, id string) (payload deployment.ProgressPayload, run int, open bool, err error) {
	p.mu.Lock()
	entry := p.entries[id]
	if entry == nil {
		if len(p.entries) >= maxPaced {
			clear(p.entries)
		}
		entry = &progress{}
		p.entries[id] = entry
	}
	p.mu.Unlock()

	entry.mu.Lock()
	defer entry.mu.Unlock()
	if now := p.now(); entry.at.IsZero() || now.Sub(entry.at) >= progressEvery {
		d, err := p.store.Deployment(ctx, id)
		if err != nil {
			return payload, 0, false, err
		}
		var past []deployment.PastRun
		if r := d.Run(); r != nil && r.Open() {
			if past, err = p.store.PastRuns(ctx, d.Target, r.Kind, pastRuns); err != nil {
				return payload, 0, false, err
			}
		}
		r := d.Run()
		entry.at, entry.run, entry.open = now, len(d.Runs), r != nil && r.Open()
		entry.payload = deployment.ProgressPayload{
			Progress: deployment.ProgressOf(d), ETA: deployment.EstimateETA(d, past, now),
		}
	}
	return entry.payload, entry.run, entry.open, nil
}

// shown is what one client was shown of progress, so that it is sent only when
// it changed and never falls within a run.
type shown struct {
	run        int
	percentage float64
	data       []byte
	pending    *deployment.ProgressPayload // came by the bus, not sent yet
}

// newRun forgets the percentage of the run before.
func (s *shown) newRun(run int) {
	if run > s.run {
		*s = shown{run: run}
	}
}

// next returns what is to be sent of a payload, nil when it says nothing new.
func (s *shown) next(payload deployment.ProgressPayload) json.RawMessage {
	if payload.Percentage < s.percentage {
		return nil
	}
	data, err := json.Marshal(payload)
	if err != nil || bytes.Equal(data, s.data) {
		return nil
	}
	s.percentage, s.data = payload.Percentage, data
	return data
}
