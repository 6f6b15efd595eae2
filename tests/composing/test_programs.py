"""A user's own program file: what is in it can be used, and what it raises is said in one line."""

from pathlib import Path

import pytest

from edgecascade.composing.programs import find_program
from edgecascade.errors import ConfigError

HEAD = "from edgecascade.compound.program import program\n"


def file_of(folder: Path, text: str) -> Path:
    """A program file of these lines."""
    path = folder / "own.py"
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def test_a_program_that_cannot_be_allocated_leaves_the_others(tmp_path: Path) -> None:
    """The one that names no module is refused where it is asked for, and there only."""
    each = "@program({})\ndef {}(question, call):\n    return call('one', question)\n"
    path = file_of(tmp_path, each.format("", "bad") + each.format("'one'", "good"))

    assert find_program(f"{path}:good").modules == ("one",)
    with pytest.raises(ConfigError, match=r"the program 'bad' cannot be allocated: found modules \[\]"):
        find_program(f"{path}:bad")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def x(:\n    pass\n", "SyntaxError: invalid syntax at {path}:2"),
        ("\n1/0\n", "ZeroDivisionError: division by zero at {path}:3"),
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module' at {path}:2"),
        ("import sys\nsys.exit()\n", "SystemExit at {path}:3"),
        ("import json\ndef read():\n    json.loads('')\nread()\n", "line 1 column 1 (char 0) at {path}:4"),
        ("raise ValueError('one\\ntwo')\n", "ValueError: one two at {path}:2"),
        ("import ast\nast.literal_eval('1 +')\n", "SyntaxError: invalid syntax (<unknown>, line 1) at {path}:3"),
        (
            "program('a')(lambda q, call: '')\nfrom edgecascade.errors import InputError\nraise InputError('x')\n",
            "InputError: x at {path}:4",
        ),
        ("\0", "source code string cannot contain null bytes"),
    ],
)
def test_a_file_that_cannot_be_imported_says_where(tmp_path: Path, text: str, said: str) -> None:
    """File, line, and what was raised, in one line; what it was raised by is its cause."""
    path = file_of(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        find_program(f"{path}:x")

    assert said.format(path=path) in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.__cause__
