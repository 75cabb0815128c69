package server

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// portHolder returns "pid N (command)" of the process that listens on the TCP port,
// "" where /proc does not tell. It is this one only where no other does: for one
// family of addresses it may just have got the port.
func portHolder(port string) string {
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return ""
	}
	inodes := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listeningInodes(table, number, inodes)
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil || len(inodes) == 0 {
		return ""
	}
	own, holder := strconv.Itoa(os.Getpid()), ""
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !inodes[target] {
			continue
		}
		holder = strings.Split(link, "/")[2]
		if holder != own {
			break
		}
	}
	if holder == "" {
		return ""
	}
	command, err := os.ReadFile(filepath.Join("/proc", holder, "cmdline"))
	if err != nil {
		return "pid " + holder
	}
	words := strings.TrimSpace(string(bytes.ReplaceAll(command, []byte{0}, []byte(" "))))
	if hasControl(words) {
		words = strconv.Quote(words)
	}
	return fmt.Sprintf("pid %s (%s)", holder, strings.ToValidUTF8(words[:min(len(words), 120)], ""))
}

// listeningInodes adds the sockets of a table that listen on the port, as fd
// links name them.
func listeningInodes(table string, port uint64, inodes map[string]bool) {
	const listening = "0A"
	content, err := os.ReadFile(table)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[3] != listening {
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		if n, err := strconv.ParseUint(hex, 16, 16); err == nil && n == port {
			inodes["socket:["+fields[9]+"]"] = true
		}
	}
}
