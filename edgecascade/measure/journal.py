"""What a measurement has found so far, so that one that was broken off goes on where it stopped.

A line of JSON a step. A line that a kill left half-written does not count, nor what stands behind it, and neither does
a file that is a day old: the device has changed since.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

from edgecascade.store.files import write_whole

SCHEMA = 1
OLDEST_SECONDS = 24 * 3600.0

WORTHLESS = "worthless"
"""How the remark begins on figures that others disturbed."""

Finding = dict[str, Any]


def counted(number: int, what: str) -> str:
    """Return so many of something.

    >>> counted(1, "thread"), counted(3, "thread")
    ('1 thread', '3 threads')
    """
    return f"{number} {what}{'s' * (number != 1)}"


def disturbed(*findings: Finding) -> str | None:
    """Return the first remark that says why figures mean nothing; None where none does.

    >>> disturbed({"seconds": 1.0}, {"seconds": 2.0, "remarks": ["at 80 °C", "worthless: 1.3 cores busy"]})
    'worthless: 1.3 cores busy'
    """
    remarks = (remark for finding in findings for remark in finding.get("remarks", ()))
    return next((remark for remark in remarks if remark.startswith(WORTHLESS)), None)


class Journal:
    """The steps that are done, and where they are written down.

    key   what is measured, and with what; another key is another file
    now   seconds since 1970
    """

    def __init__(self, folder: Path, key: Mapping[str, object], *, now: float) -> None:
        """Look for one that can be gone on with; nothing is written yet."""
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
        self.path, self._key, self._now = folder / f"{digest}.jsonl", dict(key), now
        self.found: dict[str, Finding] = {}
        self.remark = self._resume()

    def append(self, step: str, finding: Finding) -> None:
        """Write a step down; where nothing can be written it is only not remembered."""
        self.found[step] = finding
        with suppress(OSError):
            if not self.path.exists():
                write_whole(self.path, self._line({"schema": SCHEMA, "key": self._key, "begun": self._now}))
            with self.path.open("a", encoding="utf-8") as file:
                file.write(self._line({"step": step, "found": finding}))

    def remove(self) -> None:
        """Forget it all: the profile is written."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _resume(self) -> str | None:
        """Take what an earlier run found; return what there is to say of it."""
        head, *steps = self._lines() or [{}]
        if not head and self.path.exists():
            self.remove()
            return "begun anew: the unfinished one is damaged"
        if head.get("schema") != SCHEMA or head.get("key") != self._key:
            others = [path for path in self.path.parent.glob("*.jsonl") if path != self.path]
            self.remove()
            return "begun anew: the unfinished one is of another model, library, processor or mode" if others else None
        age = self._now - float(head.get("begun", 0.0))
        if not 0 <= age <= OLDEST_SECONDS:
            self.remove()
            old = f"is {age / 3600:.0f} hours old" if age > 0 else "was begun later than now: the clock was set back"
            return f"begun anew: the unfinished one {old}"
        self.found = {str(line["step"]): line["found"] for line in steps}
        names = ", ".join(self.found)
        minutes = counted(round(age / 60), "minute")
        return f"going on with what was begun {minutes} ago; done: {names}" if self.found else None

    def _lines(self) -> list[dict[str, Any]]:
        """Return the whole lines; a damaged one ends them, and is cut off so that the next begins a line of its own."""
        try:
            text = self.path.read_bytes().decode("utf-8", "replace")
        except OSError:
            return []
        lines = [line for line in text.split("\n")[:-1] if line]
        found = list(takewhile(bool, map(_read, lines)))
        whole = "".join(line + "\n" for line in lines[: len(found)])
        if found and whole != text:
            with suppress(OSError):
                write_whole(self.path, whole)
        return [*found[:1], *(step for step in found[1:] if isinstance(step.get("found"), dict) and "step" in step)]

    @staticmethod
    def _line(content: Mapping[str, object]) -> str:
        return json.dumps(content) + "\n"


def _read(line: str) -> dict[str, Any]:
    """Return what a line says; nothing where it is damaged."""
    try:
        return dict(json.loads(line))
    except (TypeError, ValueError):
        return {}
