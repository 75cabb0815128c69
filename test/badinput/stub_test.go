package badinput_test

import "testing"

func commands(*testing.T, *world) {}
func prompts(*testing.T, *world)  {}
func requests(*testing.T, *world) {}
