"""The stamps of a component, .apm/state.json, as plain dictionaries. They stay when the component is removed: the
epoch outlives it."""

import datetime

FORMAT = 1
MAX_OPERATIONS = 50

# The steps of an operation, in this order. Each is written down once it is done.
COPIED, CANDIDATE, ENDED = "copied", "candidate", "ended"


def now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def fresh() -> dict:
    return {"format": 0, "epoch": 0, "operations": []}


def operation(state: dict, id: str) -> dict | None:
    return next((o for o in state["operations"] if o["id"] == id), None)


def active(state: dict) -> dict | None:
    """The operation under way."""
    newest = state["operations"][-1:]
    return newest[0] if newest and "outcome" not in newest[0] else None


def add(state: dict, o: dict) -> dict:
    state["operations"] = [*state["operations"], o][-MAX_OPERATIONS:]
    return o


def reached(o: dict, name: str) -> bool:
    return any(step["name"] == name for step in o["steps"])


def reach(o: dict, name: str) -> None:
    o["steps"].append({"name": name, "at": now()})


def end(o: dict, result: str, message: str, **more) -> None:
    """Writes down how an operation ended: succeeded, failed, cancelled or superseded."""
    o["outcome"] = {"result": result, "message": message, **more}
    reach(o, ENDED)


def waits(o: dict) -> bool:
    """Whether the operation has a candidate that waits for Promote."""
    return "outcome" not in o and reached(o, CANDIDATE) and not o["promoted"]
