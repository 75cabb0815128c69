"""Reads, compares and copies directories of files. It follows no link, and must never write outside of the directory
that it was given."""

import collections
import hashlib
import os
import stat
import tempfile

from wire.errors import Stopped

CHUNK = 1 << 20

# kind: f a file, x a program, l a link, d a directory, o anything else; sum: SHA-256 of the content or the target.
Entry = collections.namedtuple("Entry", "path kind size sum")


class Invalid(Exception):
    """Content that cannot be copied: a link that leads out of the tree, or something that is no file."""


def digest(entries) -> str:
    """Equal for trees of equal content. Times, owners and permissions other than "may be executed" are no content."""
    found = hashlib.sha256()
    for e in entries:
        found.update(f"{e.kind} {e.sum} ".encode() + os.fsencode(e.path) + b"\0")
    return found.hexdigest()


def measure(entries) -> tuple[int, int]:
    """The number of files and links, and their bytes."""
    files = [e for e in entries if e.kind != "d"]
    return len(files), sum(e.size for e in files)


def kind_of(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "x" if mode & 0o100 else "f"
    return "d" if stat.S_ISDIR(mode) else "l" if stat.S_ISLNK(mode) else "o"


def walk(root, stop, visit) -> list[Entry]:
    """Everything below root, sorted by path; visit gives each its size and sum."""
    root = os.path.realpath(root, strict=True)
    found = []

    def inside(directory):
        for name in os.listdir(os.path.join(root, directory)):
            if stop.is_set():
                raise Stopped
            path = os.path.join(directory, name)
            info = os.lstat(os.path.join(root, path))
            kind = kind_of(info.st_mode)
            found.append(Entry(path, kind, *visit(os.path.join(root, path), path, kind, info)))
            if kind == "d":
                inside(path)

    inside("")
    return sorted(found, key=lambda e: os.fsencode(e.path))


def read(root, stop) -> list[Entry]:
    """What is below a directory, which may be a link itself."""

    def visit(full, path, kind, info):
        if kind in "fx":
            return content(full, stop)
        if kind == "l":
            return info.st_size, text_sum(os.readlink(full))
        return (0 if kind == "d" else info.st_size), ""

    return walk(root, stop, visit)


def fingerprint(root, stop) -> str:
    """Changes with every change that leaves a trace in names, sizes or times, without reading content."""
    entries = walk(
        root, stop, lambda full, path, kind, info: (0 if kind == "d" else info.st_size, str(info.st_mtime_ns))
    )
    return digest(entries)


def content(path, stop, out=None) -> tuple[int, str]:
    """Reads a file's size and sum, on its way to out."""
    found, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            if stop.is_set():
                raise Stopped
            found.update(chunk)
            size += len(chunk)
            if out:
                out.write(chunk)
    return size, found.hexdigest()


def text_sum(text) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()


def copy(source, target, stop, each=lambda entry: None) -> list[Entry]:
    """Copies what is below source to the new directory target, tells each entry once it is there, and returns what was
    written. Everything is on disk when it returns: whoever renames target afterwards publishes all of it or nothing."""
    os.makedirs(target)
    written = [target]

    def visit(full, path, kind, info):
        to = os.path.join(target, path)
        size, found = 0, ""
        if kind in "fx":
            with open(to, "xb") as out:
                size, found = content(full, stop, out)
                os.fchmod(out.fileno(), info.st_mode & 0o777)  # whatever the umask is
        elif kind == "l":
            leads = os.readlink(full)
            inside = os.path.normpath(os.path.join(os.path.dirname(path), leads))
            if os.path.isabs(leads) or inside.split(os.sep)[0] == "..":
                raise Invalid(f"link {path!r} leads out of the directory, to {leads!r}: it cannot be part of a release")
            os.symlink(leads, to)
            size, found = info.st_size, text_sum(leads)
        elif kind == "d":
            os.mkdir(to, 0o755)
        else:
            raise Invalid(f"{path!r} is neither file, directory nor link: it cannot be part of a release")
        if kind != "l":
            written.append(to)
        each(Entry(path, kind, size, found))
        return size, found

    entries = walk(source, stop, visit)
    for path in reversed(written):  # many at once cost little more than one
        sync(path)
    return entries


def sync(path) -> None:
    """Has a file's content, or a directory's entries, written to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(path, text: bytes) -> None:
    """Writes a file by way of a temporary one beside it: after a crash there is the old content or the new."""
    directory = os.path.dirname(path)
    handle, temporary = tempfile.mkstemp(prefix=".new-", dir=directory)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync(directory)
