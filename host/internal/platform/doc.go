// Package platform owns the processes of plugins: which binary may run
// ([Catalog]), how one is started by the wire contract, and how each configured
// platform is kept running ([Supervisor]).
//
// It is the only package of the host that knows go-plugin. It must never run a
// binary that config.hcl does not name or whose checksum nobody pinned, never
// leave a process or a run directory behind, and never know what a deployment
// is doing: it hands out an sdk.Platform and says when it is gone.
package platform
