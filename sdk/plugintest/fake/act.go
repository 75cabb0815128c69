package fake

import (
	"context"
	"os"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// process says that this process is the plugin and nothing else, so that it may
// die of a fault. Main sets it.
var process bool

// flushTime is what the transport is given to send what Watch has sent, before
// the process dies of a fault that is to strike after it.
const flushTime = 30 * time.Millisecond

// befall has what strikes now happen: what hangs, waits, dies. It returns an
// error only where dying would take more than the plugin along.
func (f *faults) befall(ctx context.Context, m moment) error {
	for one := range f.strikes(m, kindHang, kindSlow, kindCrash, kindFreeze) {
		if m.sent > 0 {
			f.pause(ctx, flushTime)
		}
		switch one.kind() {
		case kindHang:
			<-f.gone // and not the end of ctx: that is what makes it a hang
		case kindSlow:
			f.pause(ctx, one.Delay)
		case kindCrash:
			if !process {
				return notAlone(one)
			}
			die(one)
		case kindFreeze:
			if !process {
				return notAlone(one)
			}
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) // it cannot fail for oneself
			f.pause(ctx, flushTime)                        // until the signal has reached every thread
		}
	}
	return nil
}

func notAlone(one Fault) error {
	return sdk.Errorf(sdk.Internal, sdk.ReasonPluginBug, "the fault %q would end what is not only a plugin: run the fake as a process", one.Label)
}

// die ends the process at once.
func die(one Fault) {
	if one.ExitCode != nil {
		os.Exit(*one.ExitCode) //nolint:forbidigo // what it is for
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // it cannot fail for oneself
	select {}
}

func (f *faults) pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-f.gone:
	}
}
