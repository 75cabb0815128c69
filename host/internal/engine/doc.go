// Package engine runs deployments: it accepts them, claims their targets,
// prepares, deploys, verifies and rolls back, and keeps watching what runs. It
// decides nothing by itself: the rules are pure functions of package
// deployment, and every step is recorded before it is taken, so that another
// process can go on from the record after a crash.
//
// It knows a platform only by the interface of the SDK and a store only by the
// interface of this package. It must never touch a platform without a lease on
// the target, nor undo anything before its evidence is stored.
package engine
