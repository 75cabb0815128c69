"""Schemas: what a block of configuration may contain, as it is told to the host and checked here."""

import json

from plugin.v1 import platform_pb2 as pb

# Of the types of HCL those that this plugin needs. A number is no bool, though Python says so.
TYPES = {
    "string": lambda v: isinstance(v, str),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "bool": lambda v: isinstance(v, bool),
    "map(string)": lambda v: isinstance(v, dict) and all(isinstance(one, str) for one in v.values()),
}


def attribute(name, kind, description, *, default=None, **flags) -> pb.Attribute:
    """An attribute; flags are required, sensitive, deprecated and path."""
    encoded = "" if default is None else json.dumps(default)
    return pb.Attribute(name=name, type=kind, description=description, default_json=encoded, **flags)


def block(description, *attributes) -> pb.Schema:
    return pb.Schema(version=1, block=pb.Block(description=description, attributes=attributes))


def wrong(path, summary) -> pb.Diagnostic:
    return pb.Diagnostic(severity=pb.Diagnostic.SEVERITY_ERROR, summary=summary, path=path)


def decode(schema: pb.Schema, value: bytes) -> tuple[dict, list[pb.Diagnostic]]:
    """Reads a value, strictly. What is absent or null gets its default, or is None."""
    try:
        given = json.loads(value or b"{}")
    except ValueError as error:
        return {}, [wrong([], f"read value: {error}")]
    if not isinstance(given, dict):
        return {}, [wrong([], f"expected an object, got {value[:40]!r}")]
    found, problems = {}, []
    for a in schema.block.attributes:
        one = given.pop(a.name, None)
        if one is None and a.default_json:
            one = json.loads(a.default_json)
        if one is None and a.required:
            problems.append(wrong([a.name], f'"{a.name}" is required'))
        elif one is not None and not TYPES[a.type](one):
            problems.append(wrong([a.name], f"not of type {a.type}"))
        found[a.name] = one
    known = ", ".join(a.name for a in schema.block.attributes)
    problems += [wrong([name], f'unknown name "{name}": known are {known}') for name in given]
    return found, problems
