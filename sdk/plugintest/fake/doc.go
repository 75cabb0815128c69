// Package fake is a platform that really works and misbehaves on demand. A
// component is a file, and what runs is what the file says; everything that is
// known about it lies below one directory, root, so that a plugin that was
// killed, or another process of it, finds it again.
//
// It serves two ends. The conformance suite is proved by it: the fake keeps every
// rule, and for each case there is a way to have it break that rule alone. And it
// is the fault injector of tests of a host: a platform block of config.hcl says
// how it is to hang, crash, flood, lie and forget (see [Fault] and
// docs/fault-injection.md); its binary is sdk/cmd/apm-plugin-fake.
//
// It must never be used for anything that matters: it deploys nothing, keeps
// secrets in plain files, and does what no plugin may do.
package fake
