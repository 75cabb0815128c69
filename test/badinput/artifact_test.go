package badinput_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// packed returns a .tar.gz of entries.
func packed(t *testing.T, entries ...tar.Header) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, entry := range entries {
		const content = "#!/bin/sh\n"
		if entry.Typeflag == 0 {
			entry.Size, entry.Mode = int64(len(content)), 0o755
		}
		if err := w.WriteHeader(&entry); err != nil {
			t.Fatal(err)
		}
		if entry.Size > 0 {
			if _, err := w.Write([]byte(content)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// artifacts deploys from artifacts that lead out of themselves, are damaged, or
// are none.
func artifacts(t *testing.T, w *world) {
	file := func(name string) tar.Header { return tar.Header{Name: name} }
	link := func(kind byte, name, target string) tar.Header {
		return tar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: 0o777}
	}
	good := packed(t, file("server"))
	var zipped bytes.Buffer
	z := zip.NewWriter(&zipped)
	if _, err := z.Create("../evil"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	archive := func(name, content string) func(*testing.T) string {
		return func(*testing.T) string {
			w.Write("artifacts/"+name, content)
			return name
		}
	}
	directory := func(fill func(dir string) error) func(*testing.T) string {
		return func(t *testing.T) string {
			w.Write("artifacts/bad/server", "#!/bin/sh\n")
			if err := fill(w.Path("artifacts/bad")); err != nil {
				t.Fatal(err)
			}
			return "bad"
		}
	}
	for name, c := range map[string]struct {
		artifact     func(t *testing.T) string
		entry, wrong string
	}{
		"not there":              {func(*testing.T) string { return "nothing" }, "", "does not exist"},
		"another kind":           {archive("bad.rar", "Rar!"), "", "is neither a directory nor a .tar, .tar.gz, .tgz or .zip file"},
		"no archive":             {archive("bad.tar.gz", "a letter to a friend"), "", "is corrupt"},
		"empty":                  {archive("bad.tgz", ""), "", "is corrupt"},
		"cut off":                {archive("bad.tar.gz", good[:len(good)-20]), "", "is corrupt"},
		"a flipped bit":          {archive("bad.tar.gz", good[:30]+string(good[30]^1)+good[31:]), "", "is corrupt"},
		"zip cut off":            {archive("bad.zip", zipped.String()[:30]), "", "is corrupt"},
		"zip leads out":          {archive("bad.zip", zipped.String()), "../evil", "lies outside of the artifact"},
		"leads out":              {archive("bad.tar.gz", packed(t, file("server"), file("../../evil"))), "../../evil", "lies outside of the artifact"},
		"leads out in between":   {archive("bad.tar.gz", packed(t, file("server"), file("a/../../evil"))), "a/../../evil", "lies outside of the artifact"},
		"absolute":               {archive("bad.tar.gz", packed(t, file("server"), file("/tmp/evil"))), "/tmp/evil", "has an absolute name"},
		"twice":                  {archive("bad.tar.gz", packed(t, file("server"), file("server"))), "server", "is there twice"},
		"link to the machine":    {archive("bad.tar.gz", packed(t, file("server"), link(tar.TypeSymlink, "evil", "/etc/passwd"))), "evil", `is a link to the absolute path "/etc/passwd"`},
		"link that leads out":    {archive("bad.tar.gz", packed(t, file("server"), link(tar.TypeSymlink, "evil", "../../../config.hcl"))), "evil", `is a link to "../../../config.hcl", outside of the artifact`},
		"through a link":         {archive("bad.tar.gz", packed(t, link(tar.TypeSymlink, "out", ".."), file("out/evil"))), "out", "outside of the artifact"},
		"hard link that does":    {archive("bad.tar.gz", packed(t, file("server"), link(tar.TypeLink, "evil", "../../evil"))), "evil", "is a hard link to"},
		"a device":               {archive("bad.tar.gz", packed(t, tar.Header{Typeflag: tar.TypeChar, Name: "null", Devmajor: 1, Devminor: 3})), "null", "is a device, socket or pipe"},
		"escape in a name":       {archive("bad.tar.gz", packed(t, file("../\x1b[2Jevil"))), `../\x1b[2Jevil`, "lies outside of the artifact"},
		"directory with a pipe":  {directory(func(dir string) error { return syscall.Mkfifo(dir+"/pipe", 0o600) }), "pipe", "is a device, socket or pipe"},
		"directory, link out":    {directory(func(dir string) error { return os.Symlink("../../config.hcl", dir+"/evil") }), "evil", "outside of the artifact"},
		"directory, absolute":    {directory(func(dir string) error { return os.Symlink("/etc/passwd", dir+"/evil") }), "evil", "is a link to the absolute path"},
		"a pipe":                 {func(t *testing.T) string { return special(t, w, "bad.tar") }, "", "is not a regular file"},
		"a link that ends at it": {func(t *testing.T) string { return loop(t, w, "bad.tar") }, "", "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			artifact := c.artifact(t)
			path := w.Path("artifacts/" + artifact)
			defer gone(t, path)
			const app = "applications/bad.hcl"
			w.Write(app, "application \"bad\" {\n  component \"web\" {\n    spec {\n      artifact = \"../artifacts/"+artifact+"\"\n      command  = [\"./server\"]\n    }\n  }\n}\n")
			defer gone(t, w.Path(app))
			changed := w.nothing(t)
			r := w.CLI("deploy", "start", "--name", "bad", "--version", "v1")
			refused(t, r, 1, told{app + ":4:18: artifact: artifact \"" + path + "\"", c.wrong, `build version "v1" again, or correct artifact`})
			if c.entry != "" {
				told{`entry "` + c.entry + `"`, c.wrong, "build"}.in(t, r.Stderr)
			}
			changed()
		})
	}
}

// special makes a pipe that nobody writes to: to read it would never end.
func special(t *testing.T, w *world, name string) string {
	t.Helper()
	if err := syscall.Mkfifo(w.Path("artifacts/"+name), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// loop makes a link to itself.
func loop(t *testing.T, w *world, name string) string {
	t.Helper()
	if err := os.Symlink(name, filepath.Join(w.Path("artifacts"), name)); err != nil {
		t.Fatal(err)
	}
	return name
}
