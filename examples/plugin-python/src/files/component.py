"""The directory of one component on disk. It knows files and nothing of the plugin contract, and must never change
anything but for its caller's asking."""

import contextlib
import datetime
import fcntl
import glob
import hashlib
import json
import os
import pwd
import shutil
import tempfile
import time

from wire.errors import Stopped

from . import stamps, tree

EMPTY, MISSING = "empty", "missing"  # observed where there is no link, and where it leads nowhere
NAME_LENGTH = 16
ABANDONED = 24 * 3600


class Gone(Exception):
    """Frozen files are not there any more."""


class NoLink(Exception):
    """Something else has the place of the link."""


class Newer(Exception):
    """The state was written by a newer plugin."""


class Live:
    """What is current at a moment."""

    def __init__(self, link="", entries=(), digest=EMPTY):
        self.link, self.entries, self.digest = link, entries, digest


def name(digest: str) -> str:
    return digest[:NAME_LENGTH]


def ours(link: str) -> bool:
    """Whether a link leads to a release that we may have made."""
    return os.path.dirname(link) == "releases"


def all_below(root: str) -> list["Component"]:
    """The components below root that carry our stamps."""
    files = glob.glob(os.path.join(glob.escape(root), "*", "*", "*", ".apm", "state.json"))
    return [Component(os.path.dirname(os.path.dirname(file))) for file in sorted(files)]


class Component:
    def __init__(self, path: str):
        self.path = path
        self.current = os.path.join(path, "current")
        self.releases = os.path.join(path, "releases")

    def own(self, *parts: str) -> str:
        return os.path.join(self.path, ".apm", *parts)

    # Stamps.

    @contextlib.contextmanager
    def lock(self, stop):
        """Takes the component for a change: nobody else changes it meanwhile, in this process or in another."""
        os.makedirs(self.own(), exist_ok=True)
        with open(self.own("lock"), "a") as file:  # closing it unlocks
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if stop.wait(0.005):
                        raise Stopped from None
            yield

    def load(self) -> dict:
        """Reads the stamps; where there are none, their format is 0."""
        try:
            with open(self.own("state.json")) as file:
                state = json.load(file)
        except FileNotFoundError:
            return stamps.fresh()
        if state["format"] > stamps.FORMAT:
            raise Newer(f"{self.own('state.json')} was written by a newer plugin: use that one")
        return state

    def save(self, state: dict) -> None:
        """Writes the stamps. The lock must be held."""
        state["format"] = stamps.FORMAT
        tree.replace(self.own("state.json"), json.dumps(state, indent=1).encode())

    # What is current.

    def link(self) -> str:
        try:
            return os.readlink(self.current)
        except FileNotFoundError:
            return ""
        except OSError as error:
            if os.path.lexists(self.current):
                raise NoLink(f"{self.current} is not a symlink, and cannot be swapped: move it away") from error
            raise

    def follow(self, link: str) -> str:
        return os.path.join(self.path, link)  # an absolute one stays as it is

    def look(self, stop) -> Live:
        """Reads what is current, its files included."""
        link = self.link()
        if not link:
            return Live()
        try:
            entries = tree.read(self.follow(link), stop)
        except FileNotFoundError:
            if os.path.exists(self.follow(link)):
                raise
            return Live(link, (), MISSING)
        return Live(link, entries, tree.digest(entries))

    def fingerprint(self, stop) -> str:
        link = self.link()
        try:
            return link and link + " " + tree.fingerprint(self.follow(link), stop)
        except FileNotFoundError:
            return link + " " + MISSING

    def swap(self, link: str) -> None:
        """Makes link what is current, in one step."""
        fresh = self.own("current")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
        os.symlink(link, fresh)
        os.rename(fresh, self.current)
        tree.sync(self.path)

    def remove(self) -> None:
        """Removes our releases, and the link if it leads to one of them."""
        if ours(self.link()):
            os.unlink(self.current)
            tree.sync(self.path)
        rmtree(self.releases)

    def changed_by(self) -> str:
        """Who made the link or changed its files, as far as a file system tells."""
        paths = [self.current]
        for directory, directories, files in os.walk(os.path.realpath(self.current)):
            paths += [directory, *(os.path.join(directory, one) for one in directories + files)]
        found = []
        for path in paths:
            with contextlib.suppress(OSError):
                found.append(os.lstat(path))
        if not found:
            return "unknown"
        newest = max(found, key=lambda info: info.st_mtime_ns)
        try:
            who = "user " + pwd.getpwuid(newest.st_uid).pw_name
        except KeyError:
            who = f"uid {newest.st_uid}"
        at = datetime.datetime.fromtimestamp(int(newest.st_mtime), datetime.UTC)
        return f"{who}, at {at:%Y-%m-%dT%H:%M:%SZ}"

    # Frozen files and releases.

    def source(self, digest: str) -> str:
        return self.own("frozen", name(digest))

    def frozen(self, digest: str) -> bool:
        return os.path.exists(self.source(digest))

    def available(self, goal: dict, stop) -> bool:
        """Whether the files of a goal can be had: frozen, or where they always were."""
        link = goal.get("link", "")
        return self.frozen(goal["digest"]) or (os.path.isabs(link) and intact(link, goal["digest"], stop))

    def files(self, goal: dict, stop) -> list[tree.Entry]:
        if not self.available(goal, stop):
            raise Gone("the files are not kept any more")
        return tree.read(self.source(goal["digest"]) if self.frozen(goal["digest"]) else goal["link"], stop)

    def freeze(self, source: str, extra: dict[str, str], stop) -> list[tree.Entry]:
        """Keeps a copy of what is below source, and of extra beside it, by name."""
        os.makedirs(self.own("incoming"), exist_ok=True)
        temporary = tempfile.mkdtemp(prefix="freeze-", dir=self.own("incoming"))
        try:
            copied = os.path.join(temporary, "files")
            entries = tree.copy(source, copied, stop)
            for one, text in extra.items():
                if os.path.lexists(os.path.join(copied, one)):
                    raise tree.Invalid(f"{one!r} is there already: it cannot be part of a release")
                tree.replace(os.path.join(copied, one), text.encode())  # mode 0600
            if extra:
                entries = tree.read(copied, stop)
            with self.lock(stop):
                self.keep(copied, tree.digest(entries), stop)
            return entries
        finally:
            rmtree(temporary)

    def keep(self, copied: str, digest: str, stop) -> None:
        """Moves a copy to where frozen files lie. One that lies there and is not intact gives way."""
        final = self.source(digest)
        if not intact(final, digest, stop):
            rmtree(final)
            os.makedirs(self.own("frozen"), exist_ok=True)
            os.rename(copied, final)
            tree.sync(self.own("frozen"))
        os.utime(final)  # the newest

    def incoming(self, o: dict) -> str:
        """Where an operation copies to, of one epoch: a driver that lost the component may still write to its own."""
        return self.own("incoming", f"{name(hashed(o['id']))}-{o['epoch']}")

    def copy(self, o: dict, stop, each) -> None:
        """Copies frozen files to a place of their own, in the name of an operation; place publishes them."""
        digest = o["goal"]["digest"]
        if self.spot(o["goal"], stop)[1]:
            return
        if not self.frozen(digest):
            raise Gone("the files are not kept any more")
        rmtree(self.incoming(o))
        if tree.digest(tree.copy(self.source(digest), self.incoming(o), stop, each)) != digest:
            raise Gone(f"the files are not kept any more: somebody changed {self.source(digest)}")

    def place(self, o: dict, stop) -> None:
        """Publishes the copy of an operation and sets its goal's link. The lock must be held."""
        link, there = self.spot(o["goal"], stop)
        if not there:
            os.makedirs(self.releases, exist_ok=True)
            os.rename(self.incoming(o), self.follow(link))
            tree.sync(self.releases)
        o["goal"]["link"] = link
        if self.frozen(o["goal"]["digest"]):
            os.utime(self.source(o["goal"]["digest"]))

    def spot(self, goal: dict, stop) -> tuple[str, bool]:
        """Where the files of a goal are, or else may be put. What lies in their place and is not intact may be
        current, and stays."""
        link = goal.get("link", "")
        if os.path.isabs(link) and intact(link, goal["digest"], stop):
            return link, True
        number = 1
        while True:
            link = os.path.join("releases", name(goal["digest"]) + (f".{number}" if number > 1 else ""))
            if not os.path.lexists(self.follow(link)):
                return link, False
            if intact(self.follow(link), goal["digest"], stop):
                return link, True
            number += 1

    def discard(self, o: dict) -> None:
        """Removes the copy that an operation has placed and not made current."""
        link = (o.get("goal") or {}).get("link", "")
        if ours(link) and link != self.link():
            rmtree(self.follow(link))

    def prune(self, state: dict, keep: int) -> None:
        """Removes the files of all but the newest releases, those in use and those that the host may want back, the
        logs of operations that are forgotten, and copies that nobody makes any more. The lock must be held."""
        kept = set(newest(self.own("frozen"))[:keep]) | {
            name(digest.removeprefix("sha256:")) for digest in state.get("retain", [])
        }
        links = {os.path.basename(self.link())}
        if "serving" in state:
            kept.add(name(state["serving"]["digest"]))
        under_way = stamps.active(state)
        if under_way and under_way.get("goal"):
            kept.add(name(under_way["goal"]["digest"]))
            links.add(os.path.basename(under_way["goal"].get("link", "")))
        logged = {os.path.basename(self.log_file(o["id"])) for o in state["operations"]}
        sweep(self.own("frozen"), kept.__contains__)
        sweep(self.releases, (kept | links).__contains__)
        sweep(self.own("logs"), logged.__contains__)

        def wanted(entry):
            young = time.time() - os.stat(self.own("incoming", entry)).st_mtime < ABANDONED
            mine = under_way and entry == os.path.basename(self.incoming(under_way))
            return mine or (young and entry.startswith("freeze-"))

        with contextlib.suppress(FileNotFoundError):  # a freeze that ends by itself
            sweep(self.own("incoming"), wanted)

    # What copying said.

    def log_file(self, operation: str) -> str:
        return self.own("logs", name(hashed(operation)))

    def open_log(self, operation: str):
        os.makedirs(self.own("logs"), exist_ok=True)
        handle = os.open(self.log_file(operation), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(handle, "wb", buffering=0)

    def read_log(self, operation: str, offset: int, limit: int) -> tuple[list[tuple[str, str]], int]:
        """Up to limit lines from an offset on, each a time and a text, and the offset after them."""
        lines = []
        try:
            with open(self.log_file(operation), "rb") as file:
                file.seek(offset)
                while len(lines) < limit and (line := file.readline()).endswith(b"\n"):
                    offset += len(line)
                    at, _, text = line.decode("utf-8", "replace").rstrip("\n").partition("\t")
                    lines.append((at, text))
        except FileNotFoundError:
            pass
        return lines, offset


def intact(path: str, digest: str, stop) -> bool:
    try:
        return tree.digest(tree.read(path, stop)) == digest
    except OSError:
        return False


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def rmtree(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)


def newest(directory: str) -> list[str]:
    """What is in a directory, by time."""
    try:
        entries = [(entry.stat(follow_symlinks=False).st_mtime_ns, entry.name) for entry in os.scandir(directory)]
    except FileNotFoundError:
        return []
    return [entry for _, entry in sorted(entries, reverse=True)]


def sweep(directory: str, wanted) -> None:
    for entry in newest(directory):
        if not wanted(entry):
            rmtree(os.path.join(directory, entry)) if os.path.isdir(os.path.join(directory, entry)) else os.unlink(
                os.path.join(directory, entry)
            )
