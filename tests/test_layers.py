"""The house keeps its rooms: a module imports only what stands to the right of it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import edgecascade

PACKAGE = Path(edgecascade.__file__).parent

VALUES = {"errors", "records", "labelled", "numerics", "profile", "pool"}
JUDGEMENT = {
    "signals", "calibrators", "guarantees", "privacy", "monitor", "grading", "metrics", "prompts",
    "identity", "fingerprint", "footprint",
}  # fmt: skip
ESTIMATES, DECISION = {"estimators"}, {"policies", "compound"}
"""Judgement too, which stands on the rest of it: what is believed of models, and which of them is asked."""
BORDERS = {"llama", "cloud", "store", "heads", "sensors", "encoders"}
JOBS = {
    "evidence", "local", "pull", "conversation", "diagnosis", "bench", "fitted", "watch", "judging", "calibrate",
    "cascade", "explaining", "page", "profiles", "measure", "simulate", "querying", "evaluate", "composing",
}  # fmt: skip
FACES = {"cli"}
ROOMS = (VALUES, JUDGEMENT, ESTIMATES, DECISION, BORDERS, JOBS, FACES)
"""From right to left."""
APART = {"testing", "__init__", "__main__"}
MAY_USE_DOUBLES = {"bench"}
"""Jobs that measure us against what takes no time."""

OWNERS = {
    "llama_cpp": {"llama"},
    "httpx": {"cloud"},
    "psutil": {"sensors"},
    "platformdirs": {"store"},
    "jinja2": {"llama"},
    "pydantic": {"store"},
    "onnxruntime": {"heads", "encoders"},
    "tokenizers": {"encoders"},
    "sklearn": {"calibrate"},
    "skl2onnx": {"calibrate"},
    "matplotlib": {"page"},
    "stamina": {"cloud"},
    "phonenumbers": {"privacy"},
    "stdnum": {"privacy"},
    "sqlite3": {"store"},
    "keyring": {"store"},
    "tomlkit": {"store"},
    "pyarrow": {"store"},
    "rich": {"cli"},
    "click": {"cli"},
}
"""Who alone may import what."""


def room_of(path: Path) -> str:
    """The folder or module directly below the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rank(room: str) -> int:
    """How far to the left a room stands."""
    return next(place for place, rooms in enumerate(ROOMS) if room in rooms)


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if room_of(path) not in APART)


def test_every_module_has_a_room() -> None:
    """A new file must say where it stands."""
    assert {room_of(path) for path in MODULES} == set().union(*ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_to_its_right(path: Path) -> None:
    """Borders do not know each other, values know nothing, jobs may use jobs, faces may use all."""
    own = room_of(path)
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] != "edgecascade" or len(parts) < 2 or parts[1] == "__version__":
            continue
        other = parts[1]
        if other == "testing":
            assert own in MAY_USE_DOUBLES, f"{path.name} imports {name}"
            continue
        beside = rank(other) == rank(own) and (other == own or own in VALUES | JOBS)
        assert rank(other) < rank(own) or beside, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_foreign_library_has_one_owner(path: Path) -> None:
    """Each heavy library is imported in one room only."""
    for name in imports_of(path):
        owners = OWNERS.get(name.split(".")[0])
        assert owners is None or room_of(path) in owners, f"{path.name} imports {name}"


@pytest.mark.parametrize("command", [["--help"], ["ask", "--help"], ["completion", "bash"], ["--version"]])
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    """Help, completion and the version load neither numpy nor llama_cpp, nor anything else that takes time."""
    code = (
        "import sys\nfrom edgecascade.cli import main\n"
        f"main({command!r}, prog_name='edgecascade', standalone_mode=False)\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    heavy = {"numpy", "llama_cpp", "httpx", "pydantic", "rich", "psutil", "onnxruntime", "jinja2", "platformdirs"}
    assert not heavy & set(done.stderr.split())


def test_importing_the_package_imports_nothing_else() -> None:
    """The public names are loaded when they are used."""
    code = "import sys, edgecascade; print(*[name for name in sys.modules if name.startswith('edgecascade')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["edgecascade"]


def test_public_names_are_there() -> None:
    """Every name of `__all__` can be had, has a docstring, and no other name pretends to be there."""
    for name in edgecascade.__all__:
        assert callable(getattr(edgecascade, name))
        assert getattr(edgecascade, name).__doc__

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = edgecascade.nothing
