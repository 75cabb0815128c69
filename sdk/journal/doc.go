// Package journal writes down, in a directory per component, what a plugin does, for
// platforms that have no place of their own for stamps: files, devices, machines. Most
// platforms have one (labels, annotations, tags), and need nothing of this.
//
// A journal holds the stamps of the contract (installation, epoch, operations with
// their ids and digests), the steps that each operation has taken, and the lines that
// it said. It is written in one piece and under a lock that ends with its process. From
// it alone a fresh process goes on with everything, so that most calls of
// [sdk.Platform] are one call of a [Journal]:
//
//	Deploy, Rollback   Accept       the operation is written down, and driven from then on
//	Promote, Cancel    Promote, Cancel
//	Recover            Recover      what became of it, from what is written
//	Watch              Watch        what is written is sent, steps and lines, with resume tokens
//	Logs, Inventory    Logs, Book.Inventory
//	Close              Book.Close
//
// What is left to the plugin is what happens to the platform: [Config.Drive] takes the
// steps of one operation. Each is written down once it is done, and may be done twice:
// after a crash Drive is called again and goes on where the last one was.
//
// A Book knows nothing of the platform, and must never change anything but its own
// directories.
package journal
