package platform

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
)

// machines are the ELF machines of the architectures that Go builds for here.
var machines = map[elf.Machine]string{
	elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_386: "386", elf.EM_ARM: "arm",
	elf.EM_RISCV: "riscv64", elf.EM_S390: "s390x", elf.EM_PPC64: "ppc64le", elf.EM_LOONGARCH: "loong64",
}

// checkBinary finds what makes a file no plugin of this machine, in the order in
// which a person would look.
func checkBinary(p Plugin) error {
	info, err := os.Stat(p.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return unusable(err, "build it (make build), or correct path in the plugin block of config.hcl",
			"plugin %q: there is no file %s", p.Name, p.Path)
	case err != nil:
		return unusable(err, "give the host's user the right to read it", "plugin %q: %v", p.Name, err)
	case info.IsDir():
		return unusable(nil, "correct path in the plugin block of config.hcl: it must name the binary itself",
			"plugin %q: %s is a directory", p.Name, p.Path)
	case !info.Mode().IsRegular():
		return unusable(nil, "correct path in the plugin block of config.hcl", "plugin %q: %s is no regular file", p.Name, p.Path)
	case info.Mode().Perm()&0o111 == 0:
		return unusable(nil, "chmod +x "+p.Path, "plugin %q: %s is not executable", p.Name, p.Path)
	}
	return checkArchitecture(p)
}

func checkArchitecture(p Plugin) error {
	file, err := os.Open(p.Path)
	if err != nil {
		return unusable(err, "give the host's user the right to read it", "plugin %q: %v", p.Name, err)
	}
	defer func() { _ = file.Close() }()
	magic := make([]byte, 4)
	if _, err := io.ReadFull(file, magic); err != nil {
		return unusable(err, "build it again (make build)", "plugin %q: %s is empty or cut off", p.Name, p.Path)
	}
	built := ""
	switch {
	case bytes.Equal(magic, []byte(elf.ELFMAG)):
		header, err := elf.NewFile(file)
		if err != nil {
			return unusable(err, "build it again (make build)", "plugin %q: %s is a damaged binary", p.Name, p.Path)
		}
		if name := machines[header.Machine]; name != "" && name != runtime.GOARCH {
			built = "linux/" + name
		}
		if runtime.GOOS == "darwin" {
			built = "linux"
		}
	case bytes.Equal(magic[:2], []byte("MZ")):
		built = "windows"
	case bytes.Equal(magic, []byte{0xcf, 0xfa, 0xed, 0xfe}) && runtime.GOOS != "darwin":
		built = "darwin"
	}
	if built != "" {
		return unusable(nil, "build it for this machine, or take the binary that is", "plugin %q: %s is built for %s, this machine is %s/%s",
			p.Name, p.Path, built, runtime.GOOS, runtime.GOARCH)
	}
	return nil
}

// sumFile returns the SHA-256 of a file.
func sumFile(ctx context.Context, path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, contextReader{ctx, file}); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// contextReader ends when its context does.
type contextReader struct {
	ctx context.Context
	io.Reader
}

// Read reads unless the context has ended.
func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
