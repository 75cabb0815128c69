// Package plugin_test shows, with the built binaries, that a plugin of a stranger
// is as good as one of ours, and that no misbehaviour of a plugin harms the host,
// another plugin, or a deployment on another platform.
//
// What a fault does to the one call that it happens in is tested beside the code.
// Here is what is left of it for a user: a deployment that ends, a message that
// says what to do, and everything else as if nothing had been. Effects are counted
// outside of us: by the application, by the files of the platform, by the system.
package plugin_test
