// Package release holds what a component runs, frozen: the command, its
// environment, how many instances, which ports, and the digest of its files.
// It never reads a file; what it says was true when Resolve looked.
package release

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Encoding is the version of the bytes that Encode makes. Decode reads it and
// the one before.
const Encoding = 1

// Protocols of a port.
const (
	HTTP = "http" // traffic is switched per request
	TCP  = "tcp"  // traffic is switched per connection
)

// Port is an address that the shim listens on for the component.
type Port struct {
	Name     string `json:"name"`
	Listen   string `json:"listen"`
	Protocol string `json:"protocol"`
}

// Release is everything that decides what runs.
type Release struct {
	Command      []string          `json:"command"`
	Executable   string            `json:"executable"` // absolute, or relative to the artifact's files
	Directory    string            `json:"directory"`  // absolute, or relative to the artifact's files
	Env          map[string]string `json:"env,omitempty"`
	Replicas     int               `json:"replicas"`
	Artifact     string            `json:"artifact,omitempty"` // its name in the store: sha256 of the archive or the tree; "" for none
	Ports        []Port            `json:"ports,omitempty"`    // see SortPorts: the first is $PORT
	StopTimeout  time.Duration     `json:"stop_timeout"`
	Drain        time.Duration     `json:"drain"`
	StartTimeout time.Duration     `json:"start_timeout"`
	User         string            `json:"user,omitempty"`

	// Files is the digest of the files as they were frozen: of the unpacked
	// artifact, or of the executable where there is no artifact.
	Files string `json:"files"`
}

// SortPorts orders ports so that the one named "http" comes first and the
// others follow by name: blocks have no order of their own.
func SortPorts(ports []Port) {
	sort.Slice(ports, func(i, j int) bool {
		if (ports[i].Name == "http") != (ports[j].Name == "http") {
			return ports[i].Name == "http"
		}
		return ports[i].Name < ports[j].Name
	})
}

// Encode returns the bytes that travel to the host and back.
func (r Release) Encode() ([]byte, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode release: %w", err)
	}
	return data, nil
}

// Decode reads what Encode made, of this encoding or the one before.
func Decode(version uint32, data []byte) (Release, error) {
	if version > Encoding {
		return Release{}, fmt.Errorf("decode release: encoding %d is newer than this plugin, which reads up to %d", version, Encoding)
	}
	var r Release
	if err := json.Unmarshal(data, &r); err != nil {
		return Release{}, fmt.Errorf("decode release: %w", err)
	}
	if len(r.Command) == 0 {
		return Release{}, fmt.Errorf("decode release: it has no command")
	}
	return r, nil
}

// Digest is equal for releases of equal content.
func (r Release) Digest() string { return r.ObservedDigest(r.Files) }

// ObservedDigest is the digest of the release with its files as they are found
// now. It equals Digest as long as nobody changed them.
func (r Release) ObservedDigest(files string) string {
	r.Files = files
	data, err := json.Marshal(r) // map keys are sorted; none of the types can fail
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// EmptyDigest is the observed digest of a component of which nothing runs.
const EmptyDigest = "empty"

// View is the release for people and diffs. Values of environment variables are
// shown as short digests only, because they may be secrets.
func (r Release) View() map[string]string {
	view := map[string]string{
		"command":  CommandLine(r.Command),
		"replicas": strconv.Itoa(r.Replicas),
	}
	if r.Directory != "" {
		view["directory"] = r.Directory
	}
	for key, value := range r.Env {
		view["env."+key] = Redacted(value)
	}
	for _, port := range r.Ports {
		view["port."+port.Name] = port.Listen + " " + port.Protocol
	}
	if r.Artifact != "" {
		digest, copied, more := strings.Cut(r.Artifact, "-")
		if view["artifact"] = "sha256:" + digest; more {
			view["artifact"] += " (copy " + copied + ")" // the files of those before it were changed
		}
	} else {
		view["executable"] = r.Executable + " " + r.Files
	}
	if r.User != "" {
		view["user"] = r.User
	}
	return view
}

// Redacted stands for a value that must not be shown, so that two can still be
// told apart.
func Redacted(value string) string {
	sum := sha256.Sum256([]byte(value))
	return "sha256:" + hex.EncodeToString(sum[:4])
}

// CommandLine renders a command as a person would type it.
func CommandLine(command []string) string {
	quoted := make([]string, len(command))
	for i, word := range command {
		quoted[i] = Quote(word)
	}
	return strings.Join(quoted, " ")
}

// Quote renders one word for a POSIX shell.
func Quote(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
