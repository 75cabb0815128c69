// Package follow watches workloads on a cluster and makes a [picture.Picture] of each:
// workload, revisions, pods, containers, their events, the endpoints of its Service.
//
// There is one watch per kind and namespace, however many components are followed there,
// and what is kept of an object is only what a picture shows. Built-in kinds are read as
// protobuf. Watches go on by themselves after a restart of the API server and after 410:
// a picture is made of the state, so nothing is missed but what came and went between.
//
// A picture shows what the API server has told so far. Whoever has just changed an object
// must wait until the picture shows that generation; observedGeneration of an older one
// says nothing about it.
//
// It must never change anything on the cluster, and never judge: what a picture means is
// said by package judge.
package follow
