package procinfo

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/user"
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

// Programs returns the processes that wanted says of, by executable and arguments.
// Those that we may not look at are left out.
func Programs(wanted func(executable string, args []string) bool) []Program {
	var found []Program
	for _, pid := range pids() {
		executable, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil {
			continue // a kernel thread, another user's, or gone
		}
		executable = strings.TrimSuffix(executable, " (deleted)")
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		args := strings.Split(strings.TrimSuffix(string(cmdline), "\x00"), "\x00")
		if err != nil || !wanted(executable, args) {
			continue
		}
		if program, ok := programOf(pid, executable, args); ok {
			found = append(found, program)
		}
	}
	return found
}

// ProgramOf returns what a process runs, as far as we may see.
func ProgramOf(pid int) (Program, bool) {
	executable, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)) // another user's is not shown
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return Program{}, false
	}
	args := strings.Split(strings.TrimSuffix(string(cmdline), "\x00"), "\x00")
	return programOf(pid, strings.TrimSuffix(executable, " (deleted)"), args)
}

func programOf(pid int, executable string, args []string) (Program, bool) {
	p := Program{Process: Process{PID: pid, Start: StartOf(pid)}, Executable: executable, Args: args, Hidden: true}
	info, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	if err != nil || p.Start == "" {
		return p, false
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		p.User = strconv.FormatUint(uint64(stat.Uid), 10)
		if account, err := user.LookupId(p.User); err == nil {
			p.User = account.Username
		}
	}
	p.Dir, _ = os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)) // "" where we may not see it
	if environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err == nil {
		p.Hidden = false
		for _, variable := range strings.Split(string(environ), "\x00") {
			if mark, ok := strings.CutPrefix(variable, InstanceVariable+"="); ok {
				p.Mark = mark
			}
		}
	}
	return p, true
}

// Holder says which process listens on a TCP address, as "pid 17 (nginx)", or
// "" if that cannot be seen.
func Holder(address string) string {
	socket, known := Listener(address)
	if !known {
		return ""
	}
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", socket.PID))
	return fmt.Sprintf("pid %d (%s)", socket.PID, strings.TrimSpace(string(name)))
}

// Listener returns who listens on a TCP address, if that can be seen. The likely
// ones are looked at first, which saves the look at all.
func Listener(address string, likely ...int) (Socket, bool) {
	want, err := netip.ParseAddrPort(address)
	if err != nil {
		return Socket{}, false
	}
	inodes := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listening(table, want, inodes)
	}
	if len(inodes) == 0 {
		return Socket{}, false
	}
	for _, pid := range likely {
		if socket, ok := socketOf(pid, inodes); ok {
			return socket, true
		}
	}
	for _, pid := range pids() {
		if socket, ok := socketOf(pid, inodes); ok {
			return socket, true
		}
	}
	return Socket{}, false
}

// socketOf returns the one of the sockets that a process has.
func socketOf(pid int, inodes map[string]bool) (Socket, bool) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	open, err := os.Open(dir)
	if err != nil {
		return Socket{}, false
	}
	defer open.Close()
	names, _ := open.Readdirnames(-1) // what is gone meanwhile is not there
	for _, name := range names {
		if inode := inodeOf(filepath.Join(dir, name)); inodes[inode] {
			return Socket{PID: pid, fd: filepath.Join(dir, name), inode: inode}, true
		}
	}
	return Socket{}, false
}

// inodeOf returns the socket that a descriptor is, "" for none.
func inodeOf(fd string) string {
	target, err := os.Readlink(fd)
	inode, isSocket := strings.CutPrefix(target, "socket:[")
	if err != nil || !isSocket {
		return ""
	}
	return strings.TrimSuffix(inode, "]")
}

// Held says whether the process has the socket still, under the same descriptor:
// then nobody else can have taken its address. That is cheap to know.
func (s Socket) Held() bool { return s.inode != "" && inodeOf(s.fd) == s.inode }

// GroupOf returns the process group of a process, 0 if it does not run.
func GroupOf(pid int) int {
	group, err := syscall.Getpgid(pid)
	if err != nil {
		return 0
	}
	return group
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

// Rename gives this process the name that ps and ss show; one started by the
// path of Self is called "exe" otherwise.
func Rename(name string) error { return os.WriteFile("/proc/self/comm", []byte(name), 0) }
