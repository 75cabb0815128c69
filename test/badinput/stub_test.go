package badinput_test

import "testing"

func applications(*testing.T, *world) {}
func artifacts(*testing.T, *world)    {}
func usageErrors(*testing.T, *world)  {}
func commands(*testing.T, *world)     {}
func prompts(*testing.T, *world)      {}
func requests(*testing.T, *world)     {}
