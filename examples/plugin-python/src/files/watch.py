"""What happens, told as it happens: of an operation until its outcome, of what is current without an end, and the
lines that copying wrote."""

import asyncio
import contextlib
import datetime
import threading

from plugin.v1 import platform_pb2 as pb
from wire.errors import Code, Reason, Refused, text

from . import stamps
from .component import EMPTY, MISSING, ours

# Seconds between two looks for what nobody announces: the changes of other people.
LOOK_EVERY = 1.0
LINES = 64
MAX_FAILURE_LINES = 100

RESULTS = {
    "succeeded": pb.Outcome.RESULT_SUCCEEDED,
    "failed": pb.Outcome.RESULT_FAILED,
    "cancelled": pb.Outcome.RESULT_CANCELLED,
    "superseded": pb.Outcome.RESULT_SUPERSEDED,
}


class Bell:
    """Wakes everybody who watches. It is rung from any thread; read count before you look, and nothing is missed."""

    def __init__(self):
        self.count = 0
        self.loop = asyncio.get_running_loop()
        self.rung = asyncio.Event()

    def ring(self) -> None:
        self.loop.call_soon_threadsafe(self.wake)

    def wake(self) -> None:
        self.count += 1
        self.rung.set()
        self.rung = asyncio.Event()

    async def wait(self, seen: int) -> bool:
        """Waits for more than was seen, for at most LOOK_EVERY; says whether it was rung."""
        if self.count == seen:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.rung.wait(), LOOK_EVERY)
        return self.count != seen


async def in_thread(function, *arguments):
    """Runs a function in a thread, which learns when nobody waits for it any more."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(function, *arguments, stop)
    except asyncio.CancelledError:
        stop.set()
        raise


async def watch(platform, component, request, push) -> None:
    """Sends what is written down of an operation, its lines and its steps, and waits for more until it has ended. A
    token is the operation, the steps and the bytes of the log that were sent; it begins anew wherever one says."""
    id, fresh = request.operation.id, not request.resume_token
    steps, offset = (0, 0) if fresh else parse_token(request.resume_token, id)
    seen = ""

    def token():
        return f"{id} {steps} {offset}".encode()

    while True:
        count = platform.bell.count
        o = stamps.operation(component.load(), id)
        if not o:
            raise Refused(
                Code.NOT_FOUND,
                Reason.REASON_NOT_FOUND,
                f'operation "{id}" was never accepted here, or is forgotten',
            )
        if steps > len(o["steps"]):
            raise not_of(id)
        if "outcome" in o:
            steps = min(steps, len(o["steps"]) - 1)  # the Outcome ends every watch, also one that has told it
        if fresh:
            fresh = False
            await push(pb.WatchEvent(state=state_of(o)), token())
        while True:  # lines first: when a step is written, so are the lines before it
            lines, offset = component.read_log(id, offset, LINES)
            for one in lines:
                await push(pb.WatchEvent(log=line_of(one)), token() if one is lines[-1] else b"")
            if not lines:
                break
        for step in o["steps"][steps:]:
            steps += 1
            await push(event_of(component, o, step), token())
        if "outcome" in o:
            return
        if not await platform.bell.wait(count) and stamps.waits(o):
            now = await in_thread(component.fingerprint)
            if now != seen:
                seen = now
                platform.drivers.drive(component, o)  # which looks whether what is current was changed


def parse_token(token: bytes, id: str) -> tuple[int, int]:
    with contextlib.suppress(ValueError):
        of, steps, offset = token.decode().split(" ")
        if of == id and int(steps) >= 0 and int(offset) >= 0:
            return int(steps), int(offset)
    raise not_of(id)


def not_of(operation: str) -> Refused:
    return expired(f'the resume token is not of operation "{operation}": watch again without one')


def expired(message: str) -> Refused:
    return Refused(Code.OUT_OF_RANGE, Reason.REASON_RESUME_EXPIRED, message)


def state_of(o: dict) -> pb.State:
    """The full picture of an operation."""
    s = pb.State(phase=pb.PHASE_PENDING, message="accepted", resources=[release_of(o)])
    if "outcome" in o:
        s.phase, s.fraction, s.message = pb.PHASE_STABILIZING, 1, text(o["outcome"]["message"])
    elif stamps.waits(o):
        s.phase, s.fraction, s.message = pb.PHASE_STABILIZING, 0.9, "the files are in place and wait for Promote"
        s.candidate.revision = o["goal"]["digest"][:12]
    elif stamps.reached(o, stamps.COPIED):
        s.phase, s.fraction, s.message = pb.PHASE_PROGRESSING, 0.8, "the files are in place"
    elif "goal" in o:
        s.phase, s.message = pb.PHASE_PROGRESSING, "files are copied"
    return s


def release_of(o: dict) -> pb.ResourceStatus:
    """The resource that an operation works on."""
    r = pb.ResourceStatus(id="release", kind="directory", name="nothing", health=pb.RESOURCE_HEALTH_PENDING)
    if "goal" not in o:
        if "outcome" in o:
            r.health = pb.RESOURCE_HEALTH_GONE
        return r
    r.name = r.revision = o["goal"]["digest"][:12]
    r.desired = o["goal"]["files"]
    if stamps.reached(o, stamps.COPIED):
        r.name, r.health, r.ready = text(o["goal"]["link"]), pb.RESOURCE_HEALTH_READY, r.desired
    return r


def event_of(component, o: dict, step: dict) -> pb.WatchEvent:
    """What a step of an operation says."""
    event = pb.WatchEvent()
    event.observed_at.FromJsonString(step["at"])
    if step["name"] == stamps.CANDIDATE:
        event.candidate.revision = o["goal"]["digest"][:12]
    elif step["name"] == stamps.ENDED:
        event.outcome.CopyFrom(outcome_of(component, o))
    else:
        event.resource.CopyFrom(release_of(o))
    return event


def outcome_of(component, o: dict) -> pb.Outcome:
    """How an operation ended."""
    ended = o["outcome"]
    out = pb.Outcome(
        result=RESULTS[ended["result"]],
        message=text(ended["message"]),
        superseded_by=ended.get("by", ""),
        revision=o["goal"]["digest"][:12] if "goal" in o else "",
    )
    if ended["result"] == "succeeded":
        out.outputs["path"] = text(component.current)
    elif ended["result"] == "failed":
        lines, _ = component.read_log(o["id"], 0, 1 << 30)
        out.failure.CopyFrom(
            pb.Failure(
                code=ended["code"],
                resource="release",
                message=text(ended["message"]),
                environment=ended.get("environment", False),
                suggestion="see that the directory can be written and has room, then deploy again",
                logs=[line_of(one) for one in lines[-MAX_FAILURE_LINES:]],
            )
        )
    return out


def line_of(line: tuple[str, str]) -> pb.LogLine:
    """A line of what copying said."""
    at, said = line
    made = pb.LogLine(resource="release", line=said)
    with contextlib.suppress(ValueError):  # torn by a crash
        made.time.FromJsonString(at)
    return made


async def watch_target(platform, component, request, push) -> None:
    """Tells, without an end, what is current and whether somebody else changed it. It has no tokens: whoever comes
    back begins with the full picture."""
    if request.resume_token:
        raise expired("there are no resume tokens here: watch again without one")
    seen = told = drifted = ""
    while True:
        count = platform.bell.count
        now = await in_thread(component.fingerprint)
        if now != seen or not told:
            seen = now
            state, live = component.load(), await in_thread(component.look)
            resources = resources_of(state, live)
            if not told:
                message = pb.State(phase=pb.PHASE_STABILIZING, fraction=1, message=live.digest, resources=resources)
                await push(pb.WatchEvent(state=message))
            elif told != live.digest:
                for resource in resources:
                    await push(pb.WatchEvent(resource=resource))
            told = live.digest
            drift = drift_of(component, state, live)
            if drift and drifted != live.digest:  # a digest is drift once
                await push(pb.WatchEvent(drift=drift))
            drifted = live.digest if drift else ""
        if await platform.bell.wait(count):
            seen = ""  # a stamp tells drift from what we did ourselves


def drift_of(component, state: dict, live) -> pb.Drift | None:
    """What somebody else did. While an operation is under way nothing is drift."""
    serving = state.get("serving")
    if live.digest == (serving["digest"] if serving else EMPTY) or stamps.active(state):
        return None
    if not serving and not ours(live.link):
        return None
    by = component.changed_by()
    return pb.Drift(
        by=by,
        revision=live.digest[:12],
        undone=bool(serving and serving["rollback"] and live.digest == serving["replaced"]),
        message=text(f"{component.current} is not what was deployed: changed by {by}"),
    )


def resources_of(state: dict, live) -> list[pb.ResourceStatus]:
    """What a component is made of."""
    link = pb.ResourceStatus(id="current", kind="symlink", name=text(live.link), health=pb.RESOURCE_HEALTH_READY)
    files = pb.ResourceStatus(
        id="release",
        parent_id="current",
        kind="directory",
        name=text(live.link),
        revision=live.digest[:12],
        health=pb.RESOURCE_HEALTH_READY,
    )
    if live.digest == EMPTY:
        link.health = files.health = pb.RESOURCE_HEALTH_GONE
    elif live.digest == MISSING:
        link.health, files.health = pb.RESOURCE_HEALTH_FAILED, pb.RESOURCE_HEALTH_GONE
    elif state.get("serving", {"digest": live.digest})["digest"] != live.digest:
        files.health, files.reason = pb.RESOURCE_HEALTH_DEGRADED, "Changed"
    return [link, files]


async def read_lines(platform, component, request, send) -> None:
    """Sends what the newest operation said while it copied, or with previous the one before. Files themselves say
    nothing."""
    operations = component.load()["operations"][: -1 if request.previous else None]
    id = operations[-1]["id"] if operations and request.resource in ("", "release") else ""
    since = request.since.ToDatetime(datetime.UTC) if request.HasField("since") else None
    lines, offset = component.read_log(id, 0, 1 << 30)
    made = [line_of(one) for one in lines]
    if since:
        made = [one for one in made if one.time.ToDatetime(datetime.UTC) >= since]
    made = made[-request.tail :] if request.tail else made
    for start in range(0, len(made), LINES):
        await send(made[start : start + LINES])
    while request.follow:
        count = platform.bell.count
        lines, offset = component.read_log(id, offset, LINES)
        if lines:
            await send([line_of(one) for one in lines])
        else:
            await platform.bell.wait(count)
