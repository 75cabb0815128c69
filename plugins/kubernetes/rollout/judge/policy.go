package judge

import (
	"cmp"
	"time"
)

// Policy says how much has to be seen before it is a verdict. The zero value means the
// defaults; so does each field that is zero.
type Policy struct {
	// Exits is how often a container must have ended before that is a crash loop (or an
	// OOM kill, or a failing probe), so that one unlucky start is none; default 2.
	Exits int
	// Missing is how long a ConfigMap, Secret, volume claim or account that is not there is
	// waited for, since whoever makes it may be late; default 10 s from the pod's creation.
	Missing time.Duration
	// Unschedulable is how long a pod may find no node; default 15 s.
	Unschedulable time.Duration
	// ScaleUp is the same once an autoscaler has said that it adds a node; default 10 min.
	ScaleUp time.Duration
	// Create is how long pods that may not be made (quota, admission) are waited for once
	// nothing else moves; default 15 s.
	Create time.Duration
	// Pull is how long a pull may fail for a reason that we cannot read; default 30 s.
	Pull time.Duration
	// Paused is how long a paused Deployment with a change is waited for; default 10 s.
	Paused time.Duration
	// Endpoints is how long a Service may take to reach pods that are ready; default 30 s.
	Endpoints time.Duration
	// Settle is how long a container must run again after a probe failed or ended it;
	// default 15 s.
	Settle time.Duration
	// Unprobed is how long a container without a readiness and a startup probe must run
	// before it is believed to be ready; default 3 s.
	Unprobed time.Duration
	// Deadline is how long a pod may take to be ready where its workload has no progress
	// deadline of its own (StatefulSet, DaemonSet); default 10 min, as a Deployment's.
	Deadline time.Duration
}

// withDefaults fills in what is zero.
func (p Policy) withDefaults() Policy {
	return Policy{
		Exits:         cmp.Or(p.Exits, 2),
		Missing:       cmp.Or(p.Missing, 10*time.Second),
		Unschedulable: cmp.Or(p.Unschedulable, 15*time.Second),
		ScaleUp:       cmp.Or(p.ScaleUp, 10*time.Minute),
		Create:        cmp.Or(p.Create, 15*time.Second),
		Pull:          cmp.Or(p.Pull, 30*time.Second),
		Paused:        cmp.Or(p.Paused, 10*time.Second),
		Endpoints:     cmp.Or(p.Endpoints, 30*time.Second),
		Settle:        cmp.Or(p.Settle, 15*time.Second),
		Unprobed:      cmp.Or(p.Unprobed, 3*time.Second),
		Deadline:      cmp.Or(p.Deadline, 10*time.Minute),
	}
}
