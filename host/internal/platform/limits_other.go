//go:build !linux

package platform

// residentMemory is known on Linux only.
func residentMemory(string) int64 { return 0 }

// setOpenFiles has no effect: a process sets its own limits only, here.
func setOpenFiles(int, int) error { return nil }
