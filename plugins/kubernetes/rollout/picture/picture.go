// Package picture is what the rollout of one component looks like at one moment: its
// workload, revisions, pods and containers, with their events. It is plain data, made by
// package follow and judged by package judge, so that judgement is a pure function of
// recorded facts.
//
// It knows neither the API of Kubernetes nor APM's contract, and must never ask anybody
// anything.
package picture

import "time"

// Picture is one component. Objects that somebody else has removed are not in it.
type Picture struct {
	At        time.Time
	Workloads []Workload
	Services  []Service
	Routes    []Route // of a mesh, to Services of the component
	Nodes     []Node  // those that its pods are on, or could be
	// Missing are objects that ours refer to and that are not there: "ConfigMap shop/api".
	Missing []Missing
	// Blind is why something could not be looked at ("list pods in shop: forbidden");
	// what is missing then is not gone.
	Blind []string
}

// Ref names an object.
type Ref struct {
	APIVersion string
	Kind       string
	Namespace  string
	Name       string
	UID        string
}

// Missing is an object that is referred to and is not there.
type Missing struct {
	Object Ref
	By     Ref    // who refers to it
	Where  string // the path there: spec.template.spec.volumes[0]
}

// Workload is a Deployment, StatefulSet, DaemonSet, Job, CronJob, Argo Rollout, or
// something else, of which only Ref, Status and Objects' own words are known.
type Workload struct {
	Ref
	Generation         int64
	ObservedGeneration int64 // of its status; less than Generation: the controller has not looked yet
	Paused             bool  // or suspended
	Desired            int32
	Updated            int32 // of the newest revision
	Ready              int32
	Available          int32
	Revision           string // the newest, as its controller numbers it
	Partition          int32  // of a StatefulSet: pods below it stay old
	OnDelete           bool   // its pods are replaced by whoever deletes them
	ProgressDeadline   time.Duration
	Conditions         []Condition
	Revisions          []Revision // newest first
	Pods               []Pod
	Events             []Event // of it and its revisions, newest last
	// Generic is the status of kinds that we know nothing of, by kstatus.
	Generic *Generic
}

// Condition is one of a status.
type Condition struct {
	Type    string
	Status  string // True, False, Unknown
	Reason  string
	Message string
	Since   time.Time
}

// Generic is what kstatus says of an object.
type Generic struct {
	Status  string // InProgress, Current, Failed, Terminating, Unknown
	Message string
}

// Revision is a ReplicaSet, a ControllerRevision, or what stands for one.
type Revision struct {
	Ref
	Number  string // "7"
	Newest  bool   // the one that the workload's template asks for
	Desired int32
	Ready   int32
	// Failure is why its pods cannot be made (quota, admission), "" if they can.
	Failure string
}

// Pod is one pod.
type Pod struct {
	Ref
	Revision   string // name of its Revision
	Newest     bool   // of the newest revision
	Phase      string
	Reason     string // Evicted, NodeLost, …
	Message    string
	Node       string
	IP         string
	Ready      bool
	Created    time.Time
	Deleted    time.Time // it terminates; zero: it does not
	Conditions []Condition
	Containers []Container // init containers first
	Events     []Event     // newest last
}

// Container is one container of a pod.
type Container struct {
	Name      string
	Init      bool
	Sidecar   bool // an init container that goes on beside the others
	Image     string
	ImageID   string // what runs, by digest
	Ready     bool
	Started   bool
	Restarts  int32
	State     ContainerState
	Last      ContainerState // of the instance before
	Probes    Probes
	Requests  map[string]string // cpu, memory, as written
	Limits    map[string]string
	LastLines []Line // of the instance that ended, at most 100; only of those that failed
}

// ContainerState is what a container does.
type ContainerState struct {
	Kind     string // waiting, running, terminated, "" unknown
	Reason   string // ImagePullBackOff, CrashLoopBackOff, OOMKilled, Error, …
	Message  string
	ExitCode int32
	Signal   int32
	Since    time.Time
	Ended    time.Time
}

// Probes says which probes a container has.
type Probes struct{ Startup, Readiness, Liveness bool }

// Line is a line of output.
type Line struct {
	At   time.Time
	Text string
}

// Event is one of Kubernetes' own, of an object of the component.
type Event struct {
	At      time.Time // last seen
	Type    string    // Normal, Warning
	Reason  string    // FailedScheduling, Unhealthy, BackOff, …
	Message string
	Count   int32
	Object  Ref
	// Container of a pod that it is about, "" for the whole pod.
	Container string
}

// Service is a Service in front of the component.
type Service struct {
	Ref
	Endpoints []Endpoint
	// External: it has no selector, or is an ExternalName, so that its addresses are not
	// made from pods.
	External bool
}

// Endpoint is one address of a Service.
type Endpoint struct {
	IP    string
	Pod   string // name; "" where nobody says
	Ready bool
}

// Route is one destination of a mesh's rule, such as a VirtualService of Istio.
type Route struct {
	By     Ref    // the rule
	Where  string // the path there: spec.http[0].route[1]
	Host   string // as written
	Subset string // "" for all of the host
	Weight int32  // 0 where nothing is sent there
	// Service is what the host resolves to; without a name it resolves to nothing.
	Service Ref
	// Undefined: no DestinationRule of the host has the subset.
	Undefined bool
	// Pods are the names of those that the Service selects and the subset's labels match.
	Pods []string
}

// Node is a machine.
type Node struct {
	Name          string
	Ready         bool
	Unschedulable bool
	Reason        string // of the condition Ready
	Message       string
	Since         time.Time // it is ready, or is not
}
