// Package authoring_test writes a plugin as a stranger does: from an empty directory
// outside of the tree, with nothing of ours but bin/apm, to a deployment that was
// watched and rolled back.
//
// Every module that go asks for goes through a proxy which keeps a record, into a
// module cache that begins empty: nothing of APM may be asked for.
package authoring_test
