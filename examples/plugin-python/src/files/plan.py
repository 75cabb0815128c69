"""What deploy or rollback would do now."""

import os
import shlex

from plugin.v1 import platform_pb2 as pb
from wire.errors import text

from .component import EMPTY, Component, name, ours
from .config import ENV_FILE
from .watch import drift_of


def plan(component: Component, request, goal: dict | None, stop) -> pb.PlanResponse:
    state, live = component.load(), component.look(stop)
    made = pb.PlanResponse(observed_digest=live.digest)
    if request.kind == pb.OPERATION_KIND_ROLLBACK:
        made.not_restored.append("what was written outside of the release: uploads, caches, databases")
    if drift := drift_of(component, state, live):
        made.diagnostics.add(severity=pb.Diagnostic.SEVERITY_WARNING, summary=drift.message)
    if not goal:
        if ours(live.link):
            made.steps.append(removal(component, live))
        return made
    entries = component.files(goal, stop)
    if goal["digest"] != live.digest:
        made.steps.extend(change(component, live, goal, entries))
    return made


def removal(component: Component, live) -> pb.Step:
    return pb.Step(
        resource=text(component.current),
        action="delete",
        diff=diff(live.entries, []),
        command=text("rm " + shlex.quote(component.current)),
        summary="remove the link and the releases; what is frozen for a way back stays",
    )


def change(component: Component, live, goal: dict, entries) -> list[pb.Step]:
    link = goal.get("link") or os.path.join("releases", name(goal["digest"]))
    source = component.source(goal["digest"])
    here = "cd " + shlex.quote(component.path)
    return [
        pb.Step(
            resource=text(link),
            action="create",
            diff=diff(live.entries, entries),
            summary=f"copy {goal['files']} files",
            command=text(f"{here} && cp -a {shlex.quote(source)} {shlex.quote(link)}"),
        ),
        pb.Step(
            resource=text(component.current),
            action="create" if live.digest == EMPTY else "update",
            summary=text(f"swap the link: {live.link or 'nothing'} → {link}"),
            command=text(f"{here} && ln -s {shlex.quote(link)} new && mv -T new current"),
        ),
    ]


def diff(before, after) -> str:
    """Files that differ, as their sums. Of the file with the variables not even that is shown: they may be short
    enough to be guessed."""
    old, fresh = {e.path: e for e in before}, {e.path: e for e in after}
    lines = []
    for path in sorted(old.keys() | fresh.keys()):
        if old.get(path) != fresh.get(path):
            lines += [sign + shown(e) for sign, e in (("-", old.get(path)), ("+", fresh.get(path))) if e]
    return text("".join(line + "\n" for line in lines))


def shown(entry) -> str:
    if entry.kind == "d":
        return entry.path + "/"
    if entry.path == ENV_FILE:
        return entry.path + " [redacted]"
    return f"{entry.path} {entry.size} bytes sha256:{entry.sum[:12]}"
