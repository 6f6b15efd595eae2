"""What somebody's own Python raised, and where, in one line."""

import os
import traceback
from pathlib import Path

from edgecascade.compound import program

_BETWEEN = ("<frozen importlib", f"{Path(__file__).parent}{os.sep}", program.__file__)
"""Where the code begins that stands between us and theirs."""


def raised(error: BaseException) -> str:
    """Return what was raised and, where one of their lines ran, the deepest of the file that we ran: its path and line.

    A file that cannot be read as Python ran none, and says itself where; nor does a function that takes no ``call``.
    """
    said = " ".join(str(error).split())
    steps = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    theirs = [step for step in steps if not step[0].startswith(_BETWEEN)]
    places = [f"{file}:{line}" for file, line in theirs if file == theirs[0][0]]
    if isinstance(error, SyntaxError) and error.filename and not places:
        said, places = error.msg, [f"{error.filename}:{error.lineno}"]
    return type(error).__name__ + (f": {said}" if said else "") + (f" at {places[-1]}" if places else "")
