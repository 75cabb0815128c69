// Package client speaks to a host: REST, and a WebSocket that resumes by itself
// after every break.
//
// Answers are the types of package v1, refusals are *Problem. The package must
// never hide a refusal, and never repeat a request that is not safe to repeat.
package client
