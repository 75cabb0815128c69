package follow

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// Picture is that of [Follower.Picture].
func (g *Following) Picture(ctx context.Context) (picture.Picture, error) {
	f := g.follower
	v := g.view()
	slow, err := f.settle(ctx, v)
	if err != nil {
		return picture.Picture{}, err
	}
	silent := f.silence(ctx)
	p := picture.Picture{At: f.options.Now()}
	var refers [][]reference
	for _, ref := range g.subject.Workloads {
		if w, needs, ok := v.workload(ref); ok {
			p.Workloads = append(p.Workloads, w)
			refers = append(refers, needs)
		}
	}
	for _, ref := range g.subject.Services {
		g.service(v, ref, &p)
	}
	if g.concerned(&p) {
		at := nodes.at("")
		f.mu.Lock()
		if !g.closed && f.life.Err() == nil {
			g.need(at, nodes)
		}
		f.mu.Unlock()
		v = g.view()
		late, err := f.settle(ctx, v)
		if err != nil {
			return picture.Picture{}, err
		}
		slow = append(slow, late...)
		p.Nodes = v.nodes(&p)
	}
	if silent == "" {
		p.Missing = append(p.Missing, f.missing(ctx, &p, refers)...)
		f.lastLines(ctx, &p)
	} else {
		p.Blind = append(p.Blind, silent)
	}
	if err := ctx.Err(); err != nil {
		return picture.Picture{}, err
	}
	for _, s := range v {
		if _, failure := s.state(); failure != "" {
			slow = append(slow, failure)
		}
	}
	slices.Sort(slow)
	p.Blind = append(p.Blind, slices.Compact(slow)...)
	return p, nil
}

// view is what a following reads, at one moment.
type view map[place]*source

func (g *Following) view() view {
	g.follower.mu.RLock()
	defer g.follower.mu.RUnlock()
	return maps.Clone(g.sources)
}

func (v view) shelf(k *kind, namespace string) *shelf {
	if s := v[k.at(namespace)]; s != nil {
		return s.shelf
	}
	return nil
}

// settle waits until all has been read once, and says what has not.
func (f *Follower) settle(ctx context.Context, v view) (slow []string, err error) {
	var over <-chan time.Time
	for _, s := range v {
		select {
		case <-s.settled:
			continue
		default:
		}
		if over == nil {
			timer := time.NewTimer(f.options.Patience)
			defer timer.Stop()
			over = timer.C
		}
		select {
		case <-s.settled:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.life.Done():
			return nil, ErrClosed
		case <-over:
			over = closed
			slow = append(slow, fmt.Sprintf("list %s: no answer within %s", s.where(), f.options.Patience))
		}
	}
	if f.life.Err() != nil {
		return nil, ErrClosed
	}
	return slow, ctx.Err()
}

var closed = func() <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}()

// workload with all that belongs to it, and what its pods refer to.
func (v view) workload(ref picture.Ref) (picture.Workload, []reference, bool) {
	k := known(ref.APIVersion, ref.Kind)
	at := place{ref.APIVersion, ref.Kind, ref.Namespace}
	if k != nil {
		at = k.at(ref.Namespace)
	}
	s := v[at]
	if s == nil {
		return picture.Workload{}, nil, false
	}
	switch r := s.shelf.get(ref.Name).(type) {
	case *workloadRecord:
		c := canvas{view: v, namespace: ref.Namespace, record: r, w: r.workload}
		c.paint(k)
		return c.w, r.refers, true
	case *revisionRecord: // a ReplicaSet by itself
		w := picture.Workload{
			Ref: r.revision.Ref, Generation: r.generation, ObservedGeneration: r.observed,
			Desired: r.revision.Desired, Updated: r.revision.Desired, Ready: r.revision.Ready, Available: r.available,
		}
		c := canvas{view: v, namespace: ref.Namespace, record: &workloadRecord{head: r.head}, w: w}
		c.revisions([]*revisionRecord{r}, r.name)
		c.events()
		return c.w, nil, true
	case *podRecord: // a pod by itself
		w := picture.Workload{Ref: r.pod.Ref, Desired: 1, Updated: 1, Ready: int32(ready(r.pod.Ready)), Available: int32(ready(r.pod.Ready))}
		c := canvas{view: v, namespace: ref.Namespace, record: &workloadRecord{head: r.head}, w: w}
		c.pod(r, "", true)
		return c.w, nil, true
	}
	return picture.Workload{}, nil, false
}

// service with its endpoints; one that is not there is missing.
func (g *Following) service(v view, ref picture.Ref, p *picture.Picture) {
	s := v[services.at(ref.Namespace)]
	if r, ok := s.shelf.get(ref.Name).(*serviceRecord); ok {
		service := r.service
		service.Endpoints = endpoints(v.shelf(endpointSlices, ref.Namespace).children("", "Service", ref.Name))
		p.Services = append(p.Services, service)
		return
	}
	if synced, _ := s.state(); synced {
		var by picture.Ref
		if len(g.subject.Workloads) > 0 {
			by = g.subject.Workloads[0]
		}
		p.Missing = append(p.Missing, picture.Missing{
			Object: picture.Ref{APIVersion: "v1", Kind: "Service", Namespace: ref.Namespace, Name: ref.Name}, By: by,
		})
	}
}

// The times after which a pod that is not ready makes its node interesting.
const (
	unready = 10 * time.Second
	leaving = time.Minute
)

// concerned says that a node may be why a pod is as it is.
func (g *Following) concerned(p *picture.Picture) bool {
	for i := range p.Workloads {
		for j := range p.Workloads[i].Pods {
			pod := &p.Workloads[i].Pods[j]
			age := p.At.Sub(pod.Created)
			switch {
			case pod.Phase == "Succeeded" || pod.Phase == "Failed" && pod.Reason == "":
			case unscheduled(pod), pod.Phase == "Unknown", pod.Phase == "Failed":
				return true
			case !pod.Deleted.IsZero():
				if p.At.Sub(pod.Deleted) > leaving {
					return true
				}
			case !pod.Ready && age > unready:
				return true
			}
		}
	}
	return false
}

func unscheduled(pod *picture.Pod) bool {
	return slices.ContainsFunc(pod.Conditions, func(c picture.Condition) bool {
		return c.Type == "PodScheduled" && c.Status == "False"
	})
}

// mostNodes is how many nodes a picture shows where a pod could be on any.
const mostNodes = 100

// nodes that the pods are on, or all if one of them has none.
func (v view) nodes(p *picture.Picture) []picture.Node {
	on, anywhere := map[string]bool{}, false
	for i := range p.Workloads {
		for j := range p.Workloads[i].Pods {
			pod := &p.Workloads[i].Pods[j]
			on[pod.Node] = true
			anywhere = anywhere || pod.Node == "" && unscheduled(pod)
		}
	}
	var found []picture.Node
	for _, r := range only[*nodeRecord](v.shelf(nodes, "").all()) {
		if node := r.node; anywhere || on[node.Name] {
			found = append(found, node)
		}
	}
	slices.SortFunc(found, func(a, b picture.Node) int {
		return cmp.Or(ready(on[b.Name])-ready(on[a.Name]), ready(a.Ready)-ready(b.Ready), cmp.Compare(a.Name, b.Name))
	})
	return found[:min(len(found), mostNodes)]
}
