// Package record writes down on the cluster what operations of a component do, so that
// a fresh process goes on with everything from the cluster alone.
//
// There is one Secret per component, "apm-" and a hash of installation, application,
// environment and component, in the component's namespace. It holds the stamps of the
// contract (epoch, operations with their ids and digests), the steps that each operation
// has taken and how it ended. It is written by compare and set of its resourceVersion:
// what two processes do at once, one does. Most calls of [sdk.Platform] are one call of a
// [Journal]:
//
//	Deploy, Rollback   Accept       the operation is written down, and driven from then on
//	Promote, Cancel    Promote, Cancel
//	Recover            Recover      what became of it, from what is written
//	Watch              Watch        steps as written, and what the driver shows and says
//	Inventory          Book.Inventory
//	Close              Book.Close
//
// What is left is [Config.Drive], which takes the steps of one operation. Each is written
// down once it is done, and may be done twice: after a crash Drive is called again and
// goes on where the last one was.
//
// # What is kept, and where
//
// The goal of an operation (a release or a snapshot, up to 8 MiB) is compressed. Up to
// 128 KiB it lies in the Secret of the component; a larger one is split over Secrets of
// its own, named by its digest and immutable, since a Secret holds 1 MiB at most. They
// are written before the operation is, so that none is accepted whose goal is not there.
// Kept are the goals of the operation under way and of the one that runs; the host holds
// all others. They are not left to the host, because a driver goes on in a fresh process
// before, and whether or not, somebody hands the content over again. Secrets and not
// ConfigMaps, because manifests hold secrets.
//
// Steps and outcome are on the cluster. Lines that an operation says, and the picture of
// its resources, are in memory only: after a restart Watch begins with what is now. Of the
// lines the outcome keeps those that show why it failed.
//
// The Secret stays when the component is removed: the epoch outlives it.
//
// A Journal must never change anything but these Secrets.
package record
