// Package crash_test kills the host, the plugin, and both of them, at every
// point of a deployment and of a rollback, and wants the end that the
// undisturbed run has: the same statuses in the same order, the same version
// served, each instance started once, and no request that failed.
//
// The points are found in the stream of events, never by the clock.
package crash_test
