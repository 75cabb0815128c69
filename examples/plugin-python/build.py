"""Builds the plugin into one file: a zipapp, started by the interpreter that runs this.

The stubs are generated from the contract. The same source and interpreter give the same checksum: what the host pins
must not change with the time of day.
"""

import pathlib
import sys
import tempfile
import zipfile

from grpc_tools import protoc

HERE = pathlib.Path(__file__).resolve().parent
CONTRACT = HERE.parent.parent / "api"
PROTO = "plugin/v1/platform.proto"
LONGEST_FIRST_LINE = 250  # what Linux reads of it
MTIME = (1980, 1, 1, 0, 0, 0)


def generate(into: str) -> None:
    """Generates the stubs of the contract."""
    well_known = pathlib.Path(protoc.__file__).parent / "_proto"
    arguments = [
        "protoc",
        f"-I{CONTRACT}",
        f"-I{well_known}",
        f"--python_out={into}",
        f"--grpc_python_out={into}",
        PROTO,
    ]
    if protoc.main(arguments) != 0:
        raise SystemExit(f"generate stubs of {CONTRACT / PROTO}: see above")


def main(target: str) -> None:
    # The interpreter of the virtual environment and not what it links to: its libraries are the plugin's. -I: nothing
    # of the user's own environment.
    first = f"#!{sys.executable} -I\n".encode()
    if len(first) > LONGEST_FIRST_LINE:
        raise SystemExit(f"the interpreter's path {sys.executable} is too long for a first line: build somewhere else")
    with tempfile.TemporaryDirectory() as stubs:
        generate(stubs)
        files = {
            path.relative_to(root): path.read_bytes()
            for root in (HERE / "src", pathlib.Path(stubs))
            for path in root.rglob("*.py")
        }
    for package in ("plugin", "plugin/v1"):  # protoc makes none, and an archive has no packages without
        files[pathlib.Path(package, "__init__.py")] = b""
    built = pathlib.Path(target)
    fresh = built.with_suffix(".new")
    with fresh.open("wb") as out:
        out.write(first)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(files):
                archive.writestr(zipfile.ZipInfo(path.as_posix(), MTIME), files[path])
    fresh.chmod(0o755)
    fresh.rename(built)  # in one step: a host that runs the old one keeps it


main(sys.argv[1])
