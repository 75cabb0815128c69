// Package health asks the health questions that the host asks itself: http, tcp
// and grpc. It asks once per call, on a fresh connection, and says what it saw;
// schedule, thresholds and bake window belong to whoever calls.
//
// It must never call something unhealthy that it could not look at: what is
// wrong with the host itself (no descriptor left, no route, no address known,
// a check that cannot be asked as it is written) is unknown. And it must never
// put into a message what may be a secret: user and query of a URL, headers,
// bodies.
package health
