"""Files and commands that may be absent, closed, cut off or slow."""

import sys
from pathlib import Path
from typing import Any

import pytest

from edgecascade.sensors.reading import Past, entries, number, plausible, text, there, told


def test_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    """A missing file, a folder in its place, bytes that are no text, and no number."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\0")

    assert [text(tmp_path / name) for name in ("missing", "folder")] == [None, None]
    assert [number(tmp_path / name) for name in ("missing", "folder", "bytes")] == [None] * 3
    assert entries(tmp_path / "missing", "*") == [] and not there(tmp_path / "missing")


def test_a_text_ends_before_its_zero_byte(tmp_path: Path) -> None:
    """The device tree ends its texts as C does."""
    (path := tmp_path / "model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")

    assert text(path) == "Raspberry Pi 5 Model B Rev 1.0"


@pytest.mark.parametrize(
    ("code", "said"),
    [("print('yes')", "yes\n"), ("raise SystemExit('no')", None), ("import time; time.sleep(60)", None)],
)
def test_a_command_speaks_or_is_none(code: str, said: str | None) -> None:
    """What fails, or takes longer than it may, has said nothing."""
    seconds = 0.3 if "sleep" in code else 30.0

    assert told((sys.executable, "-S", "-c", code), seconds=seconds) == said


def test_a_missing_command_is_none() -> None:
    """No such program is no error."""
    assert told(("edgecascade-no-such-program",)) is None


def test_a_command_that_says_nothing_is_not_asked_again_at_once(commands: Any, clocks: Any) -> None:
    """A failure holds for its minute too, so that nobody waits for it at every question."""
    run, clock = commands(), clocks()
    past = Past(run, clock)
    for clock.now in (0.0, 30.0, 59.9, 60.0):
        past.told("nmcli", "show")

    assert run.asked == ["nmcli", "nmcli"]


def test_what_is_at_its_bound_can_be_true() -> None:
    """Bounds belong to what is believed; NaN lies outside every bound."""
    assert plausible("a scripted sensor", 100.0, 0, 100) == 100.0
    assert plausible("a scripted sensor", float("nan"), 0, 100) is None
