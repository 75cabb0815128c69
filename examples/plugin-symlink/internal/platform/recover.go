package platform

import (
	"context"

	"github.com/apm-deploy/apm/sdk"
)

// Recover says what became of an operation, from nothing but the stamps. It raises
// the epoch under the lock: after that no earlier call can land.
func (p *Platform) Recover(ctx context.Context, r sdk.RecoverRequest) (sdk.Recovery, error) {
	dir, err := p.dir(r.Target)
	if err != nil {
		return sdk.Recovery{}, err
	}
	unlock, err := dir.Lock(ctx)
	if err != nil {
		return sdk.Recovery{}, answer("lock component", err)
	}
	defer unlock()
	s, err := dir.Load()
	if err != nil {
		return sdk.Recovery{Status: sdk.RecoverUnknown, Message: err.Error()}, nil
	}
	lost := s.Format == 0 && dir.HasReleases()
	known, err := p.admit(s, r.Operation, r.Target)
	switch {
	case err != nil:
		return sdk.Recovery{}, err
	case lost:
		return sdk.Recovery{
			Status: sdk.RecoverUnknown, Message: "there are releases, but their stamps are gone: look which one is current",
		}, nil
	}
	if err := p.save(dir, s); err != nil {
		return sdk.Recovery{}, err
	}
	switch {
	case known == nil:
		return sdk.Recovery{Status: sdk.RecoverNotStarted}, nil
	case known.Outcome != nil:
		outcome := outcomeOf(dir, known)
		return sdk.Recovery{Status: sdk.RecoverFinished, Handle: handleOf(known.ID), Outcome: &outcome}, nil
	default:
		p.drive(dir, known)
		return sdk.Recovery{Status: sdk.RecoverRunning, Handle: handleOf(known.ID)}, nil
	}
}
