"""From the name of a program to the program: one that is shipped, or ``path/to/file.py:name``, which is imported."""

import difflib
import importlib.util
import sys
from pathlib import Path

from edgecascade.composing.faults import raised
from edgecascade.compound.program import Program, check_program
from edgecascade.compound.shipped import PROGRAMS
from edgecascade.errors import ConfigError


def find_program(spec: str) -> Program:
    """Return the program of a name, or of a file and a name in it; the file's own Python runs, with all its rights.

    Raises ConfigError where there is none, where its modules cannot be allocated, and for whatever the file raises.
    """
    if spec in PROGRAMS:
        return PROGRAMS[spec]
    path, colon, name = spec.rpartition(":")
    if not (colon and path.endswith(".py")):
        near = difflib.get_close_matches(spec, PROGRAMS, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"no program {spec!r}: wanted one of {', '.join(PROGRAMS)}, or path/to/file.py:name of your own{hint}"
        )
    return _imported(Path(path).expanduser(), name)


def _imported(path: Path, name: str) -> Program:
    if not path.is_file():
        raise ConfigError(f"{path} holds no program: found no such file, wanted one; name it as path/to/file.py:name")
    spec = importlib.util.spec_from_file_location(f"edgecascade_program_{path.stem}", path)
    assert spec and spec.loader  # there is one for every name that ends in .py
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look for theirs there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # their code may raise anything, and one that exits would end us unheard
        raise ConfigError(
            f"{path} cannot be imported: found {raised(error)}, wanted Python that runs; mend it there"
        ) from error
    found = getattr(module, name, None)
    if isinstance(found, Program):
        check_program(found)
        return found
    there = [own for own, value in vars(module).items() if isinstance(value, Program)]
    raise ConfigError(
        f"{path} has no program {name!r}: found {', '.join(there) or 'none'}, wanted one made with @program(...) of "
        "edgecascade.compound.program; name one of them"
    )
