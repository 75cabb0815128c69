package badinput_test

import "testing"

func prompts(*testing.T, *world)  {}
func requests(*testing.T, *world) {}
