package shim

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/artifact"
	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/instance"
	"github.com/apm-deploy/apm/sdk"
)

// probe looks once: at the candidate of the operation that is asked about, or
// at what serves.
func (c *component) probe(ctx context.Context, request control.Request) sdk.ProbeResult {
	now := c.look()
	c.mu.Lock()
	t, isCandidate := c.serving, false
	if request.Operation != nil && c.candidate != nil && c.candidate.deployed.OperationID == request.Operation.ID {
		t, isCandidate = c.candidate, true
	}
	coming := t == nil && request.Operation != nil && c.st.Active == request.Operation.ID
	c.mu.Unlock()
	result := sdk.ProbeResult{ObservedDigest: now.observed}
	if t == nil {
		message := "gone: nothing of this component runs"
		if coming {
			message = "its instances do not run yet"
		}
		result.Checks = []sdk.Check{{Name: "gone", Type: kindProcess, Status: sdk.CheckUnhealthy, Message: message}}
		return result
	}
	result.Revision = t.deployed.Version
	for _, m := range t.members {
		result.Checks = append(result.Checks, c.probeMember(ctx, m))
	}
	if len(t.members) == 0 {
		result.Checks = append(result.Checks, sdk.Check{
			Name: c.identity.Load().Component, Type: kindProcess, Status: sdk.CheckHealthy, Message: "scaled to 0 instances", Resource: releaseID(t),
		})
	}
	if isCandidate {
		result.Addresses = candidateAddresses(t)
		return result
	}
	result.Addresses = publicAddresses(t)
	for _, port := range t.deployed.Release.Ports {
		result.Checks = append(result.Checks, c.probeFront(ctx, port.Name, port.Listen))
	}
	return result
}

func (c *component) probeMember(ctx context.Context, m *member) sdk.Check {
	status := m.Status()
	check := sdk.Check{Name: processID(m), Type: kindProcess, Status: sdk.CheckUnhealthy, Resource: processID(m)}
	switch status.Phase {
	case instance.Starting:
		check.Message = "is starting"
		if status.Usurper != "" {
			check.Message = "does not listen: " + status.Usurper + " has its port"
		}
	case instance.Waiting, instance.Stopped:
		check.Message = "does not run"
	case instance.Ready:
		began := time.Now()
		for name, address := range status.Addresses {
			if err := instance.Dial(ctx, address); err != nil {
				check.Message = fmt.Sprintf("port %q does not accept connections: %v", name, err)
				return lookedAt(check, err)
			}
		}
		check.Latency = time.Since(began)
		check.Status, check.Message = sdk.CheckHealthy, fmt.Sprintf("pid %d runs", status.PID)
		if len(status.Addresses) > 0 {
			check.Message += " and accepts connections"
		}
	}
	if n := len(status.Exits); n > 0 && status.Phase != instance.Ready {
		check.Message += ": it " + status.Exits[n-1].String()
	}
	if status.Restarts > 0 {
		check.Message += fmt.Sprintf(" (%d restarts)", status.Restarts)
	}
	return check
}

// lookedAt makes unknown of a check that could not be made for want of a descriptor
// or a local port, or because nobody waits for it any more: that says nothing about
// the instance.
func lookedAt(check sdk.Check, err error) sdk.Check {
	ours := artifact.CouldNotLook(err) && !errors.Is(err, syscall.ETIMEDOUT)
	for _, lack := range []error{syscall.EADDRNOTAVAIL, syscall.ENOBUFS, context.Canceled} {
		ours = ours || errors.Is(err, lack)
	}
	if ours {
		check.Status, check.Message = sdk.CheckUnknown, "could not look: "+err.Error()
	}
	return check
}

func (c *component) probeFront(ctx context.Context, name, listen string) sdk.Check {
	check := sdk.Check{Name: kindListener + "-" + name, Type: "endpoint", Status: sdk.CheckUnhealthy, Resource: kindListener + "-" + name}
	c.mu.Lock()
	open, problem := c.fronts[listen] != nil, c.frontErrors[listen].message
	c.mu.Unlock()
	if !open {
		check.Message = problem
		return check
	}
	began := time.Now()
	if err := instance.Dial(ctx, reachable(listen)); err != nil {
		check.Message = err.Error()
		return lookedAt(check, err)
	}
	check.Latency = time.Since(began)
	check.Status, check.Message = sdk.CheckHealthy, "listens on "+listen
	return check
}
