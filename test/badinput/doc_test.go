// Package badinput_test gives the built programs everything that is wrong, and
// asks of each answer that it says where, what was wrong and what to do; that its
// exit code or status is the promised one; that nothing in it can drive a
// terminal; and that nothing happened: no deployment, no process, no file changed,
// the host as well as before.
//
// What the parts answer word by word is tested beside them. Here is what a user
// meets, through the real binaries.
package badinput_test
