//go:build !unix

package conform

import "os/exec"

func inGroup(*exec.Cmd) {}
