package procinfo

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// StartOf returns when a process started, in the kernel's own count, or "" if
// it does not run. Zombies do not run.
func StartOf(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The name in parentheses may hold anything; the fields begin behind it.
	end := bytes.LastIndexByte(data, ')')
	if end < 0 {
		return ""
	}
	fields := strings.Fields(string(data[end+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[19]
}

// Marked returns the processes whose InstanceVariable begins with tag.
func Marked(tag string) []Process {
	mark := []byte(InstanceVariable + "=" + tag)
	var found []Process
	for _, pid := range pids() {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || !(bytes.HasPrefix(environ, mark) || bytes.Contains(environ, append([]byte{0}, mark...))) {
			continue
		}
		if start := StartOf(pid); start != "" {
			found = append(found, Process{PID: pid, Start: start})
		}
	}
	return found
}

// Shims returns the shims of this user whose directory lies below root.
func Shims(root string) []Shim {
	var found []Shim
	for _, pid := range pids() {
		info, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
		if err != nil {
			continue
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Geteuid() {
			continue
		}
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			continue
		}
		args := strings.Split(string(data), "\x00")
		if len(args) < 4 || args[1] != ShimCommand || args[2] != DirFlag {
			continue
		}
		rest, err := filepath.Rel(root, args[3])
		if err != nil || !filepath.IsLocal(rest) {
			continue
		}
		if start := StartOf(pid); start != "" {
			found = append(found, Shim{Process: Process{PID: pid, Start: start}, Dir: args[3]})
		}
	}
	return found
}

// Holder says which process listens on a TCP address, as "pid 17 (nginx)", or
// "" if that cannot be seen.
func Holder(address string) string {
	want, err := netip.ParseAddrPort(address)
	if err != nil {
		return ""
	}
	inodes := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listening(table, want, inodes)
	}
	if len(inodes) == 0 {
		return ""
	}
	for _, pid := range pids() {
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil {
			continue
		}
		for _, link := range links {
			target, err := os.Readlink(link)
			if err == nil && inodes[strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")] {
				name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
				return fmt.Sprintf("pid %d (%s)", pid, strings.TrimSpace(string(name)))
			}
		}
	}
	return ""
}

// listening adds the inodes of sockets that listen on the port of want and
// whose address is that of want or stands for all.
func listening(table string, want netip.AddrPort, inodes map[string]bool) {
	data, err := os.ReadFile(table)
	if err != nil {
		return
	}
	for _, line := range strings.Split(string(data), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[3] != "0A" {
			continue
		}
		host, port, ok := strings.Cut(fields[1], ":")
		number, err := strconv.ParseUint(port, 16, 16)
		if !ok || err != nil || uint16(number) != want.Port() {
			continue
		}
		addr := parseAddr(host)
		if addr == want.Addr() || addr.IsUnspecified() || want.Addr().IsUnspecified() {
			inodes[fields[9]] = true
		}
	}
}

// parseAddr reads an address of /proc/net/tcp: 32-bit words in host order.
func parseAddr(text string) netip.Addr {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw)%4 != 0 {
		return netip.Addr{}
	}
	for i := 0; i < len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.NativeEndian.Uint32(raw[i:]))
	}
	addr, _ := netip.AddrFromSlice(raw)
	return addr.Unmap()
}

func pids() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var found []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			found = append(found, pid)
		}
	}
	return found
}

// Self is the path by which this binary can be started again, also after its
// file was replaced or removed.
func Self() (string, error) { return "/proc/self/exe", nil }
