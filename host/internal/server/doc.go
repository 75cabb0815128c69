// Package server is the host's face: REST, WebSocket, metrics and the page that
// documents them, on Fiber and huma.
//
// It translates between HTTP and the types of package deployment and must never
// decide anything about a deployment: rules live in deployment, effects in the
// engine, truth in the store.
package server
