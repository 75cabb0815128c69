// Package demo_test runs `apm demo` as a new user does, and holds it to what is
// promised of it: its document, its ports, its neighbours, and that nothing of
// it is left however it ends. Its tests run one after the other, for they want
// the same ports.
package demo_test
