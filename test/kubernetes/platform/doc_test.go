// Package platform_test runs the kubernetes plugin as the host does, against a real
// cluster, as far as that is not changed: configuration, health, rights, and what a spec
// becomes or why it is refused.
package platform_test
