// Package deployment is the domain of APM: what a deployment is, which states
// it passes through, when it is healthy, and what a rollback restores. Every
// decision here is a pure function of recorded facts.
//
// The packages of the host meet in the types of this package. It imports
// nothing but the standard library and must never know how anything is stored,
// shown, or carried out.
package deployment
