package main

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// machine says where and when the figures were taken, so that two reports can be
// told apart before they are compared.
type machine struct {
	CPUs       int     `json:"cpus"`
	Go         string  `json:"go"`
	System     string  `json:"system"`
	LoadBefore string  `json:"load_before"`
	LoadAfter  string  `json:"load_after"`
	Fsyncs     float64 `json:"fsyncs_per_second"`     // of 4 KiB
	Hashes     float64 `json:"sha256_mib_per_second"` // of one core
}

func calibrate(dir string) (machine, error) {
	m := machine{CPUs: runtime.NumCPU(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	var err error
	if m.LoadBefore, err = load(); err != nil {
		return m, err
	}
	if m.Fsyncs, err = fsyncs(filepath.Join(dir, "fsync"), time.Second); err != nil {
		return m, err
	}
	m.Hashes = hashes(500 * time.Millisecond)
	return m, nil
}

// load is the load average of the last one, five and fifteen minutes, "" where
// the system does not tell.
func load() (string, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if os.IsNotExist(err) {
		return "", nil
	}
	fields := strings.Fields(string(text))
	return strings.Join(fields[:min(3, len(fields))], " "), err
}

// fsyncs is how often a second a file can be appended to and synced.
func fsyncs(path string, span time.Duration) (float64, error) {
	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	page := make([]byte, 4<<10)
	start, n := time.Now(), 0
	for time.Since(start) < span {
		if _, err := file.Write(page); err != nil {
			return 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// hashes is how many MiB a second one core can hash.
func hashes(span time.Duration) float64 {
	mib := make([]byte, 1<<20)
	start, n := time.Now(), 0
	for time.Since(start) < span {
		sum := sha256.Sum256(mib)
		mib[0] = sum[0] // so that nothing is left out
		n++
	}
	return float64(n) / time.Since(start).Seconds()
}
