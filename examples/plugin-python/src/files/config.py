"""The blocks of configuration, and what may stand in them."""

import os
import re
import tempfile

from plugin.v1 import platform_pb2 as pb
from wire.schema import attribute, block, decode, wrong

NAME, VERSION = "symlink-python", "0.1.0"
ENV_FILE = ".env"
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

CONFIG = block(
    "Directories of files, behind a symlink that is swapped in one step.",
    attribute(
        "root",
        "string",
        "Directory that components are deployed below; what a component serves is "
        "ROOT/APPLICATION/ENVIRONMENT/COMPONENT/current.",
        required=True,
        path=True,
    ),
    attribute(
        "keep",
        "number",
        "Releases kept per component, so that it can be rolled back; what is current is always kept.",
        default=5,
    ),
)

SPEC = block(
    "A directory of files.",
    attribute(
        "source",
        "string",
        "Directory with the files of this version. They are copied when the deployment is accepted.",
        required=True,
        path=True,
    ),
    attribute(
        "env",
        "map(string)",
        "Written into the release as a file .env, a line NAME=value each, which only its owner may read.",
        sensitive=True,
    ),
)

DESCRIPTION = pb.DescribeResponse(
    name=NAME,
    version=VERSION,
    protocol_minor=1,
    # There are no steps of traffic (percent): a link leads to one release or to another.
    capabilities=pb.Capabilities(plan=True, staged=True, cancel=True, watch_target=True, logs=True, inventory=True),
    config=CONFIG,
    spec=SPEC,
)


def read_config(value: bytes) -> tuple[dict, list[pb.Diagnostic]]:
    config, problems = decode(CONFIG, value)
    if not problems:
        if not os.path.isabs(config["root"]):
            problems.append(wrong(["root"], f'root "{config["root"]}" is not absolute'))
        if not 1 <= config["keep"] == int(config["keep"]):
            problems.append(wrong(["keep"], f"keep is {config['keep']}: give a whole number of 1 or more"))
    return config, problems


def read_spec(value: bytes) -> tuple[dict, list[pb.Diagnostic]]:
    spec, problems = decode(SPEC, value)
    if problems:
        return spec, problems
    spec["env"] = spec["env"] or {}
    if not os.path.isabs(spec["source"]):
        problems.append(wrong(["source"], f'source "{spec["source"]}" is not absolute'))
    for name, text in spec["env"].items():
        if not VARIABLE.fullmatch(name):
            problems.append(wrong(["env", name], f'"{name}" is no name of a variable: use letters, digits and _'))
        if "\n" in text or "\0" in text:
            problems.append(wrong(["env", name], f"the value of {name} has more than one line"))
    return spec, problems


def writable(root: str) -> None:
    """Tries to write below a directory, and makes it where it is not there."""
    os.makedirs(root, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix=".apm-", dir=root):
        pass
