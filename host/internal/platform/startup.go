package platform

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin"

	"github.com/apm-deploy/apm/sdk/wire"
)

// exitGrace is how long a start that failed is given to show an exit code of its
// own before it is killed.
const exitGrace = 500 * time.Millisecond

const ownerRemedy = "see its lines in the host's log, and the plugin's documentation"

var handshake = regexp.MustCompile(`^\d+\|`)

// explainStart says why a start failed, in the words of whoever has to mend it.
// go-plugin's own error is for the log.
func (p *process) explainStart(l launch, cause error, inTime bool) error {
	name := l.plugin.Name
	if err := p.child.started(); err != nil {
		return explainExec(l, err)
	}
	line := p.child.out.text()
	switch {
	case line != "" && !handshake.MatchString(line):
		return unusable(cause, "a plugin may write nothing but its handshake to standard output: remove the print, or write to standard error",
			"plugin %q: wrote to standard output before its handshake: %q", name, shorten(line))
	case line != "":
		if err := checkHandshake(name, line, cause); err != nil {
			return err
		}
	}
	if !inTime {
		return unusable(cause, ownerRemedy, "plugin %q: was not ready within %s of its start%s", name, l.times.Start, p.lastWords())
	}
	if p.endsWithin(exitGrace) && p.child.byItself() {
		return unusable(cause, ownerRemedy, "plugin %q: %s before it was ready%s", name, p.child.ending(), p.lastWords())
	}
	if line == "" {
		return unusable(cause, ownerRemedy, "plugin %q: closed its standard output without a handshake%s", name, p.lastWords())
	}
	return unusable(cause, ownerRemedy, "plugin %q: cannot be connected to: %v%s", name, cause, p.lastWords())
}

// checkHandshake says which side is too old, if one is.
func checkHandshake(name, line string, cause error) error {
	parts := strings.Split(line, "|")
	if len(parts) < 5 {
		return unusable(cause, "upgrade the plugin: it was built without gRPC", "plugin %q: its handshake %q is not complete", name, shorten(line))
	}
	for _, version := range []struct {
		what, got string
		want      int
	}{
		{"go-plugin's core protocol", parts[0], plugin.CoreProtocolVersion},
		{"the plugin protocol", parts[1], int(wire.Handshake.ProtocolVersion)},
	} {
		got, err := strconv.Atoi(version.got)
		if err == nil && got == version.want {
			continue
		}
		remedy := "upgrade the plugin: take a build that is made for this host"
		if err == nil && got > version.want {
			remedy = "upgrade the host (apm): the plugin is newer"
		}
		return unusable(cause, remedy, "plugin %q: speaks version %s of %s, this host speaks version %d", name, version.got, version.what, version.want)
	}
	if parts[2] != "unix" || parts[4] != "grpc" {
		return unusable(cause, "upgrade the plugin: it must serve gRPC on a Unix socket",
			"plugin %q: serves %s over %s", name, shorten(parts[4]), shorten(parts[2]))
	}
	if len(parts) < 6 || len(parts[5]) < 50 {
		return unusable(cause, "upgrade the plugin: mutual TLS is always on", "plugin %q: gave no certificate in its handshake", name)
	}
	return nil
}

// explainExec says why the system did not start the binary.
func explainExec(l launch, err error) error {
	name := l.plugin.Name
	switch {
	case errors.Is(err, syscall.ENOEXEC) && isText(l.path):
		return mistake{unusable(err, "name its interpreter there, as in #!/usr/bin/env python3",
			"plugin %q: %s begins with no #! line, so that the system does not know what runs it", name, l.plugin.Path)}
	case errors.Is(err, syscall.ENOEXEC):
		return unusable(err, "build it for this machine (make build)", "plugin %q: %s is no program of this system", name, l.plugin.Path)
	case errors.Is(err, fs.ErrNotExist):
		if _, gone := os.Stat(l.path); gone != nil {
			return unusable(err, "restart the platform: its private copy is made again", "plugin %q: its private copy %s is gone", name, l.path)
		}
		return unusable(err, "install the interpreter named in its first line, or the loader that it was linked for",
			"plugin %q: the interpreter of %s is not on this machine", name, l.plugin.Path)
	case errors.Is(err, fs.ErrPermission):
		return unusable(err, "put the data directory on a file system that is not mounted noexec, and let the host's user read the interpreter",
			"plugin %q: the system does not let %s be executed", name, l.path)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM):
		return unusable(err, "raise the host's limits (ulimit -n, ulimit -u, memory)", "plugin %q: the system has no room for another process: %v", name, err)
	default:
		return unusable(err, ownerRemedy, "plugin %q: start %s: %v", name, l.path, err)
	}
}

// isText says whether a file begins like one that a person wrote.
func isText(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	head := make([]byte, 512)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	return n > 0 && bytes.IndexByte(head[:n], 0) < 0
}

// runs says whether the process has not ended.
func (p *process) runs() bool {
	select {
	case <-p.child.exited:
		return false
	default:
		return true
	}
}

// endsWithin waits for the end of the process, and of its output.
func (p *process) endsWithin(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.child.exited:
		<-p.child.settled
		return true
	case <-timer.C:
		return false
	}
}

// lastWords are the plugin's last lines, as the end of a sentence.
func (p *process) lastWords() string {
	if words := p.tail.summary(); words != "" {
		return fmt.Sprintf("; its last lines: %s", shorten(words))
	}
	return ""
}

// shorten returns what of a plugin's words fits into a sentence.
func shorten(text string) string { return shortened(text, 300) }
