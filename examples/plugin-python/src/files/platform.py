"""The contract's calls about this platform. What lies on disk is the business of component; this decides when it
changes, and must never change it without the component's lock."""

import asyncio
import contextlib
import errno
import json
import logging
import os
import time

from plugin.v1 import platform_pb2 as pb
from wire.errors import Code, Reason, Refused, text

from . import config, stamps, tree
from .component import EMPTY, MISSING, Component, Gone, Newer, NoLink, all_below, ours
from .drive import Drivers
from .plan import plan
from .watch import Bell, outcome_of, read_lines, watch, watch_target

ENCODING = HANDLE_VERSION = 1
FULL = (errno.ENOSPC, errno.EDQUOT)
HEALTH_EVERY = 10.0

log = logging.getLogger(__name__)


def answered(function):
    """Gives the errors of the file system the form of the contract."""

    def call(self, request, stop):
        try:
            return function(self, request, stop)
        except Gone as error:
            raise Refused(Code.FAILED_PRECONDITION, Reason.REASON_SNAPSHOT_STALE, str(error)) from error
        except (NoLink, Newer) as error:
            raise Refused(Code.FAILED_PRECONDITION, Reason.REASON_CONFLICT, str(error)) from error
        except PermissionError as error:
            raise Refused(Code.PERMISSION_DENIED, Reason.REASON_AUTH, str(error)) from error
        except OSError as error:
            if error.errno in FULL:
                raise Refused(Code.FAILED_PRECONDITION, Reason.REASON_QUOTA, str(error)) from error
            raise Refused(Code.UNAVAILABLE, Reason.REASON_PLATFORM_UNAVAILABLE, str(error)) from error

    return call


class Platform:
    def __init__(self):
        self.bell = Bell()
        self.drivers = Drivers(self)
        self.root = self.installation = ""
        self.keep = 0

    def component(self, target: pb.Target) -> Component:
        for part in (target.application, target.environment, target.component):
            if part in ("", ".", "..") or "/" in part or "\\" in part or "\0" in part:
                raise invalid(f'"{part}" cannot be the name of a directory: rename it')
        return Component(os.path.join(self.root, target.application, target.environment, target.component))

    def save(self, component: Component, state: dict) -> None:
        """Writes the stamps and wakes those who watch. When nothing is under way, what is not needed any more goes."""
        component.save(state)
        if not stamps.active(state):
            try:
                component.prune(state, self.keep)
            except OSError as error:
                log.warning("old releases stay", extra={"with": {"error": str(error)}})
        self.bell.ring()

    # Before everything else.

    def validate(self, block: bytes | None, spec: bytes | None) -> list[pb.Diagnostic]:
        problems = [] if block is None else config.read_config(block)[1]
        return problems if spec is None else problems + config.read_spec(spec)[1]

    def configure(self, request, stop) -> list[pb.Diagnostic]:
        read, problems = config.read_config(request.config.json)
        if problems:
            return problems
        self.root, self.keep, self.installation = read["root"], int(read["keep"]), request.installation_id
        log.info("configured", extra={"with": {"platform": request.platform, "root": self.root}})
        try:
            config.writable(self.root)
        except OSError as error:
            return [config.wrong(["root"], f"{error}: name a directory that the host's user may write to")]
        return []

    async def health(self, request, send) -> None:
        """Reports whether the root directory can be written, at once and whenever that changes."""
        last = None
        while True:
            now = pb.HealthResponse(state=pb.HealthResponse.STATE_HEALTHY, attributes={"root": text(self.root)})
            try:
                await asyncio.to_thread(config.writable, self.root)
            except OSError as error:
                now.state = pb.HealthResponse.STATE_UNHEALTHY
                now.description = text(f"the root directory cannot be used: {error}")
            if now != last:
                await send(now)
                last = now
            await asyncio.sleep(HEALTH_EVERY)

    # Before an operation.

    @answered
    def resolve(self, request, stop) -> pb.ResolveResponse:
        """Copies the files of a version to a place of our own: what somebody does to the source afterwards changes
        nothing."""
        spec, problems = config.read_spec(request.target.spec.json)
        if problems:
            return pb.ResolveResponse(diagnostics=problems)
        lines = "".join(f"{name}={spec['env'][name]}\n" for name in sorted(spec["env"]))
        component = self.component(request.target)
        try:
            entries = component.freeze(spec["source"], {config.ENV_FILE: lines} if lines else {}, stop)
        except (tree.Invalid, FileNotFoundError, NotADirectoryError, PermissionError) as error:
            problem = config.wrong(["source"], text(f"the files cannot be copied: {error}"))
            return pb.ResolveResponse(diagnostics=[problem])
        digest, (count, size) = tree.digest(entries), tree.measure(entries)
        return pb.ResolveResponse(
            release=pb.Release(
                version=ENCODING,
                state=json.dumps({"digest": digest, "files": count, "version": request.target.version}).encode(),
                digest="sha256:" + digest,
                revision=short(digest),
                view={
                    "source": spec["source"],
                    "files": f"{count} files, {size} bytes",
                    "digest": "sha256:" + digest,
                    "env": " ".join(sorted(spec["env"])),  # names only
                },
            )
        )

    @answered
    def snapshot(self, request, stop) -> pb.SnapshotResponse:
        """Keeps what is current: its files are frozen too, if they are not those of a release that we know."""
        component = self.component(request.target)
        state, live = component.load(), component.look(stop)
        if live.digest == EMPTY:
            return pb.SnapshotResponse(snapshot=pb.Snapshot(version=ENCODING, empty=True), observed_digest=EMPTY)
        if live.digest != MISSING and not component.frozen(live.digest):
            with contextlib.suppress(tree.Invalid):  # not ours: it comes back by its path, if it is there
                component.freeze(component.current, {}, stop)
        serving, (count, size) = state.get("serving", {}), tree.measure(live.entries)
        version = serving["version"] if serving.get("digest") == live.digest else ""
        kept = {"digest": live.digest, "files": count, "version": version}
        if not ours(live.link):
            kept["link"] = live.link
        return pb.SnapshotResponse(
            observed_digest=live.digest,
            snapshot=pb.Snapshot(
                version=ENCODING,
                state=json.dumps(kept).encode(),
                digest=live.digest,
                revision=short(live.digest),
                view={
                    "link": text(live.link),
                    "version": version,
                    "digest": live.digest,
                    "files": f"{count} files, {size} bytes",
                },
            ),
        )

    @answered
    def plan(self, request, stop) -> pb.PlanResponse:
        if request.HasField("release"):
            goal = read_goal(request.release)[0]
        elif request.HasField("snapshot"):
            goal = None if request.snapshot.empty else read_goal(request.snapshot)[0]
        else:
            raise invalid("a plan needs a release or a snapshot")
        return plan(self.component(request.target), request, goal, stop)

    # An operation.

    @answered
    def deploy(self, request, stop) -> pb.DeployResponse:
        goal, _ = read_goal(request.release)
        self.accept(request, goal, request.target.version, stop)
        return pb.DeployResponse(handle=handle(request.operation.id))

    @answered
    def rollback(self, request, stop) -> pb.RollbackResponse:
        """A forward operation with the rules of deploy, but never staged. To an empty snapshot it removes what is
        ours."""
        goal, version = (None, "") if request.snapshot.empty else read_goal(request.snapshot)
        self.accept(request, goal, version, stop)
        return pb.RollbackResponse(handle=handle(request.operation.id))

    def accept(self, request, goal: dict | None, version: str, stop) -> None:
        """Writes an operation down: once it returns, the operation goes on, whatever happens to us."""
        component = self.component(request.target)
        with component.lock(stop):
            state, live = component.load(), component.look(stop)
            known = self.admit(state, request)
            if not known:
                known = self.enter(component, state, live, request, goal, version, stop)
            state["retain"] = list(request.retain)
            self.save(component, state)
            self.drivers.drive(component, known)

    def admit(self, state: dict, request) -> dict | None:
        """Refuses a host that lost the component, and an id that was used for something else. It raises the epoch,
        and returns the operation where it is known."""
        o, target = request.operation, request.target
        if o.epoch < state["epoch"]:
            raise Refused(
                Code.ABORTED,
                Reason.REASON_STALE_EPOCH,
                f'epoch {state["epoch"]} is stamped on component "{target.component}", yours is {o.epoch}: '
                "another host owns it",
            )
        known = stamps.operation(state, o.id)
        if known and known["digest"] != o.request_digest:
            raise Refused(
                Code.ALREADY_EXISTS,
                Reason.REASON_OPERATION_MISMATCH,
                f'operation "{o.id}" was accepted with other content: give what is new a new id',
            )
        state.update(
            epoch=o.epoch,
            installation=self.installation,
            application=target.application,
            environment=target.environment,
            component=target.component,
        )
        if known:
            known["epoch"] = o.epoch
        return known

    def enter(self, component, state, live, request, goal, version, stop) -> dict:
        """Adds an operation that is new."""
        o, rollback = request.operation, isinstance(request, pb.RollbackRequest)
        if request.expected_digest and request.expected_digest != live.digest:
            by, serving = component.changed_by(), state.get("serving", {})
            if serving.get("digest") == live.digest:
                by = f"operation {serving['operation']} of deployment {serving['deployment']}"
            raise Refused(
                Code.ABORTED,
                Reason.REASON_STATE_CHANGED,
                f"{component.current} was changed by {by}: it is {short(live.digest)}, not "
                f"{short(request.expected_digest)}",
                resource=component.current,
                by=by,
            )
        if goal and not component.available(goal, stop):
            raise Gone(
                f"the files of {short(goal['digest'])} are not kept any more: deploy that version again, and raise keep"
            )
        if under_way := stamps.active(state):
            if not rollback and o.epoch <= under_way["epoch"]:
                raise Refused(
                    Code.ABORTED,
                    Reason.REASON_CONFLICT,
                    f'operation "{under_way["id"]}" is under way: cancel it, or wait for its end',
                    resource=component.current,
                    by=f"operation {under_way['id']}",
                )
            stamps.end(under_way, "cancelled", f'operation "{o.id}" took its place')
        added = {
            "id": o.id,
            "deployment": o.deployment_id,
            "rollback": rollback,
            "digest": o.request_digest,
            "epoch": o.epoch,
            "staged": o.staged and not rollback,
            "version": version,
            "before": live.digest,
            "started": stamps.now(),
            "promoted": False,
            "steps": [],
        }
        if goal:
            added["goal"] = goal
        return stamps.add(state, added)

    def change(self, request, apply, stop) -> None:
        """Changes an operation under way and drives it on. One that has ended stays as it is, and Watch tells how."""
        component = self.component(request.target)
        with component.lock(stop):
            state = component.load()
            known = self.admit(state, request)
            if not known:
                raise Refused(
                    Code.NOT_FOUND,
                    Reason.REASON_NOT_FOUND,
                    f'operation "{request.operation.id}" was never accepted here',
                )
            if "outcome" not in known:
                apply(component, known)
            self.save(component, state)
            self.drivers.drive(component, known)

    @answered
    def promote(self, request, stop) -> pb.PromoteResponse:
        if request.percent != 100:
            raise invalid(f"percent is {request.percent}: this plugin moves all traffic at once, give 100")

        def apply(component, o):
            if not stamps.reached(o, stamps.CANDIDATE):
                raise Refused(
                    Code.FAILED_PRECONDITION,
                    Reason.REASON_CONFLICT,
                    f'operation "{o["id"]}" has no candidate yet: wait for it on Watch',
                )
            o["promoted"] = True

        self.change(request, apply, stop)
        return pb.PromoteResponse(handle=handle(request.operation.id))

    @answered
    def cancel(self, request, stop) -> pb.CancelResponse:
        """Ends an operation whose release is not current yet, and removes its copy."""

        def apply(component, o):
            component.discard(o)
            stamps.end(o, "cancelled", "cancelled: what was current is so still")

        self.change(request, apply, stop)
        return pb.CancelResponse()

    @answered
    def recover(self, request, stop) -> pb.RecoverResponse:
        """Says what became of an operation, from nothing but the stamps. It raises the epoch under the lock: after
        that no earlier call can land."""
        component = self.component(request.target)
        with component.lock(stop):
            try:
                state = component.load()
            except (ValueError, KeyError, Newer) as error:
                return pb.RecoverResponse(status=pb.RecoverResponse.STATUS_UNKNOWN, message=text(error))
            lost = state["format"] == 0 and os.path.exists(component.releases)
            known = self.admit(state, request)
            if lost:
                return pb.RecoverResponse(
                    status=pb.RecoverResponse.STATUS_UNKNOWN,
                    message="there are releases, but their stamps are gone: look which one is current",
                )
            self.save(component, state)
            if not known:
                return pb.RecoverResponse(status=pb.RecoverResponse.STATUS_NOT_STARTED)
            if "outcome" in known:
                return pb.RecoverResponse(
                    status=pb.RecoverResponse.STATUS_FINISHED,
                    handle=handle(known["id"]),
                    outcome=outcome_of(component, known),
                )
            self.drivers.drive(component, known)
            return pb.RecoverResponse(status=pb.RecoverResponse.STATUS_RUNNING, handle=handle(known["id"]))

    # Look.

    async def watch(self, request, push) -> None:
        await watch(self, self.component(request.target), request, push)

    async def watch_target(self, request, push) -> None:
        await watch_target(self, self.component(request.target), request, push)

    async def logs(self, request, send) -> None:
        await read_lines(self, self.component(request.target), request, send)

    @answered
    def probe(self, request, stop) -> pb.ProbeResponse:
        """Reads every file of what is current or, with the handle of an operation whose candidate waits, of the
        candidate."""
        id = operation_of(request.handle)
        component = self.component(request.target)
        began = time.monotonic()
        try:
            state, live = component.load(), component.look(stop)
        except NoLink as error:
            return pb.ProbeResponse(checks=[check("current", pb.Check.STATUS_UNHEALTHY, error, began)])
        except (OSError, ValueError, Newer) as error:
            unknown = check("current", pb.Check.STATUS_UNKNOWN, f"could not look: {error}", began)
            return pb.ProbeResponse(checks=[unknown])
        o = stamps.operation(state, id)
        if o and stamps.waits(o):
            checks = [self.check_candidate(component, o, began, stop)]
        else:
            checks = checks_of(state, live, began)
        return pb.ProbeResponse(checks=checks, revision=short(live.digest), observed_digest=live.digest)

    def check_candidate(self, component, o, began, stop) -> pb.Check:
        try:
            there = tree.digest(tree.read(component.follow(o["goal"]["link"]), stop)) == o["goal"]["digest"]
        except FileNotFoundError:
            there = False
        except OSError as error:
            return check("release", pb.Check.STATUS_UNKNOWN, f"could not look: {error}", began)
        if not there:
            message = "files of the candidate were changed or removed"
            return check("release", pb.Check.STATUS_UNHEALTHY, message, began)
        return check("release", pb.Check.STATUS_HEALTHY, "the candidate's files are complete", began)

    @answered
    def inventory(self, request, stop) -> pb.InventoryResponse:
        """Lists the components that we made current, or are about to."""
        found = pb.InventoryResponse()
        for component in all_below(self.root):
            state = component.load()
            serving, under_way = state.get("serving"), stamps.active(state)
            elsewhere = request.installation_id and request.installation_id != state.get("installation")
            if elsewhere or not (serving or under_way):
                continue
            item = found.items.add(
                installation_id=state["installation"],
                application=state["application"],
                environment=state["environment"],
                component=state["component"],
                epoch=state["epoch"],
                description=text("serves " + component.current),
            )
            if serving:
                item.version, item.operation_id = serving["version"], serving["operation"]
                item.since.FromJsonString(serving["since"])
            if under_way:
                item.operation_id = under_way["id"]
                item.description = text("an operation is under way in " + component.current)
        return found


def checks_of(state, live, began) -> list[pb.Check]:
    """The two questions about what is current: is there a link that leads to files, and are they those that were
    deployed?"""
    if live.digest == EMPTY:
        return [check("current", pb.Check.STATUS_UNHEALTHY, "gone: there is no current release", began)]
    if live.digest == MISSING:
        message = f"gone: the link leads to {live.link}, where nothing is"
        return [check("current", pb.Check.STATUS_UNHEALTHY, message, began)]
    files = check("release", pb.Check.STATUS_HEALTHY, "", began)
    if state.get("serving", {"digest": live.digest})["digest"] != live.digest:
        files = check("release", pb.Check.STATUS_DEGRADED, "the files are not those that were deployed", began)
    return [check("current", pb.Check.STATUS_HEALTHY, f"leads to {live.link}", began), files]


def check(resource, status, message, began) -> pb.Check:
    made = pb.Check(name=resource, type="files", status=status, message=text(message), resource=resource)
    made.latency.FromNanoseconds(int((time.monotonic() - began) * 1e9))
    return made


def read_goal(kept: pb.Release | pb.Snapshot) -> tuple[dict, str]:
    """Reads the state of a release or a snapshot: the goal and its version."""
    if kept.version > ENCODING:
        raise Refused(
            Code.FAILED_PRECONDITION,
            Reason.REASON_SNAPSHOT_STALE,
            f"it has encoding {kept.version}, from a newer plugin: use that one",
        )
    try:
        state = json.loads(kept.state)
        goal = {"digest": state["digest"], "files": state["files"]}
    except (ValueError, KeyError, TypeError) as error:
        raise invalid(f"it cannot be read: {error}") from error
    if state.get("link"):
        goal["link"] = state["link"]
    return goal, state.get("version", "")


def handle(operation: str) -> pb.Handle:
    """A handle is the operation's id: all else is stamped on the component."""
    return pb.Handle(version=HANDLE_VERSION, state=operation.encode())


def operation_of(given: pb.Handle) -> str:
    if given.version > HANDLE_VERSION:
        raise Refused(
            Code.FAILED_PRECONDITION,
            Reason.REASON_CONFLICT,
            f"the handle has version {given.version}, from a newer plugin: use that one",
        )
    return given.state.decode("utf-8", "replace")


def short(digest: str) -> str:
    return digest[:12]


def invalid(message: str) -> Refused:
    return Refused(Code.INVALID_ARGUMENT, Reason.REASON_INVALID_SPEC, message)
