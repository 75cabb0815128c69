// Package live shows a deployment while it runs: as a picture that renews
// itself on a terminal, as one plain line per change elsewhere, as JSON lines
// for programs.
//
// What it shows is a pure function of the events received. It must never judge
// a deployment, and never write a control byte but through the terminal view.
package live
