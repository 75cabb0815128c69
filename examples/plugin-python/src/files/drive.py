"""Carries operations through their steps, each in a thread of its own, on behalf of one epoch. A step is written down
once it is done, and may be done twice: after a crash Recover makes a driver that goes on where the last one was."""

import errno
import logging
import threading
import time

from . import stamps
from .component import EMPTY, Component, Gone

STOP_EVERY = 0.2  # seconds between two looks whether a copy under way is still wanted

log = logging.getLogger(__name__)
never = threading.Event()


class Unwanted(Exception):
    """The operation has ended, or somebody else drives it."""


class Drivers:
    def __init__(self, platform):
        self.platform = platform
        self.turns = {}  # path → lock: operations of a component go one after the other
        self.lock = threading.Lock()

    def drive(self, component: Component, o: dict) -> None:
        """Has an operation go on until it has ended or waits for Promote. It outlives the call that began it."""
        with self.lock:
            turn = self.turns.setdefault(component.path, threading.Lock())

        def run():
            with turn:
                try:
                    Driver(self.platform, component, o["id"], o["epoch"]).run()
                except Unwanted:
                    pass
                except Exception:
                    log.exception("operation is not driven any more: Recover goes on with it")

        threading.Thread(target=run, name="drive " + o["id"], daemon=True).start()


class Driver:
    def __init__(self, platform, component, id, epoch):
        self.platform, self.component, self.id, self.epoch = platform, component, id, epoch

    def wanted(self) -> tuple[dict, dict]:
        state = self.component.load()
        o = stamps.operation(state, self.id)
        if not o or "outcome" in o or o["epoch"] != self.epoch or state["epoch"] != self.epoch:
            raise Unwanted
        return state, o

    def run(self) -> None:
        """Copies what is to be copied, and then does the rest under the component's lock. Its errors are those of
        writing steps down; what goes wrong with the work itself is an outcome."""
        _, o = self.wanted()
        problem = None
        if "goal" in o and not stamps.reached(o, stamps.COPIED):
            try:
                self.copy(o)
            except (OSError, Gone) as error:
                problem = error
        with self.component.lock(never):
            state, o = self.wanted()
            try:
                if problem:
                    raise problem
                self.advance(state, o)
            except (OSError, Gone) as error:
                stamps.end(o, "failed", str(error), **why(error))
            if "outcome" in o:
                log.info("operation ended", extra={"with": {"operation": self.id, "result": o["outcome"]["result"]}})
            self.platform.save(self.component, state)

    def copy(self, o: dict) -> None:
        """Copies the files of a release, with a line in the log for each."""
        looked = time.monotonic()
        with self.component.open_log(self.id) as out:

            def each(entry):
                nonlocal looked
                if time.monotonic() - looked > STOP_EVERY:
                    looked = time.monotonic()
                    self.platform.bell.ring()  # there are lines to read
                    self.wanted()
                line = f"{stamps.now()}\tcopied {entry.path}, {entry.size} bytes".replace("\n", "\\n")
                out.write(line.encode("utf-8", "replace") + b"\n")

            self.component.copy(o, never, each)

    def advance(self, state: dict, o: dict) -> None:
        """Takes the steps that can be taken now."""
        if "goal" in o and not stamps.reached(o, stamps.COPIED):
            self.component.place(o, never)
            stamps.reach(o, stamps.COPIED)
        live = self.component.look(never)
        if live.digest not in (o["before"], o["goal"]["digest"] if "goal" in o else EMPTY):
            by = self.component.changed_by()
            stamps.end(o, "superseded", f"{self.component.current} was changed meanwhile by {by}", by=by)
        elif not o["staged"] or o["promoted"]:
            self.settle(state, o)
        elif not stamps.reached(o, stamps.CANDIDATE):
            stamps.reach(o, stamps.CANDIDATE)

    def settle(self, state: dict, o: dict) -> None:
        """Makes the goal current. What is to be current is stamped first: after a crash between the two nobody else
        is taken for its author."""
        if "goal" not in o:
            self.component.remove()
            state.pop("serving", None)
            stamps.end(o, "succeeded", "removed")
            return
        state["serving"] = {
            "operation": o["id"],
            "deployment": o["deployment"],
            "rollback": o["rollback"],
            "version": o["version"],
            "digest": o["goal"]["digest"],
            "replaced": o["before"],
            "since": stamps.now(),
        }
        self.component.save(state)
        self.component.swap(o["goal"]["link"])
        stamps.end(o, "succeeded", f"{self.component.current} leads to {o['goal']['link']}")


def why(error: Exception) -> dict:
    """The code of a failure."""
    if isinstance(error, Gone):
        return {"code": "CONFIG_MISSING"}
    if isinstance(error, PermissionError):
        return {"code": "PERMISSION_DENIED"}
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return {"code": "QUOTA_EXCEEDED", "environment": True}
    return {"code": "OTHER"}
