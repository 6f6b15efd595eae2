"""What is done already: whole lines count, half ones do not, and an old file is none."""

from pathlib import Path

import pytest

from edgecascade.measure.journal import OLDEST_SECONDS, Journal


def begun(folder: Path, *steps: str, now: float = 0.0, key: str = "a") -> Journal:
    """Return a journal with these steps."""
    journal = Journal(folder, {"model": key}, now=now)
    for step in steps:
        journal.append(step, {"seconds": 0.1})
    return journal


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_half_line_does_not_count(tmp_path: Path, cut: int) -> None:
    """A kill in the middle of a line costs that step alone, and the next one is written whole."""
    path = begun(tmp_path, "idle", "load").path
    path.write_bytes(path.read_bytes()[:-cut])

    again = begun(tmp_path, "load", "decode", now=60.0)

    assert [*begun(tmp_path, now=61.0).found] == ["idle", "load", "decode"]
    assert again.remark and again.remark.endswith("done: idle")


def test_a_day_is_too_old(tmp_path: Path) -> None:
    """It is begun anew, and that is said."""
    begun(tmp_path, "idle")

    late = begun(tmp_path, now=OLDEST_SECONDS + 1)

    assert late.found == {}
    assert late.remark == "begun anew: the unfinished one is 24 hours old"


def test_another_key_begins_anew(tmp_path: Path) -> None:
    """Another model is not gone on with; where the other one is unfinished, that is said."""
    begun(tmp_path, "idle")

    other = begun(tmp_path, key="b")

    assert other.found == {}
    assert other.remark and "another model" in other.remark


def test_what_is_finished_is_gone(tmp_path: Path) -> None:
    """Nothing is left, and nothing is said next time."""
    begun(tmp_path, "idle").remove()

    assert [*tmp_path.iterdir()] == []
    assert begun(tmp_path).remark is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """Then nothing is remembered, and all is measured."""
    (tmp_path / "file").write_text("no folder")

    journal = begun(tmp_path / "file" / "measure", "idle")

    assert [*journal.found] == ["idle"]


def test_a_clock_that_was_set_back_begins_anew(tmp_path: Path) -> None:
    """What will have been begun is not gone on with, and the reason is the clock."""
    begun(tmp_path, "idle", now=7200.0)

    early = begun(tmp_path, now=0.0)

    assert early.found == {} and early.remark and early.remark.endswith("the clock was set back")


@pytest.mark.parametrize(
    "text", ["[1]\n", "3\n", '{"schema": 1, "key": {"model": "a"}}\n{"found": {}}\n', "\n", "half"]
)
def test_a_file_that_is_none_of_ours_is_no_error(tmp_path: Path, text: str) -> None:
    """Nothing of it is taken, and the next step is written down."""
    path = begun(tmp_path, "idle").path
    path.write_text(text)

    assert begun(tmp_path, "load").found == {"load": {"seconds": 0.1}}
    assert [*begun(tmp_path).found] == ["load"]


@pytest.mark.parametrize("damage", [b'{"step": "lo\n', b'\xff\xfe\n{"step": "load", "found": {}}\n', b"3\n"])
def test_a_damaged_line_keeps_those_before_it(tmp_path: Path, damage: bytes) -> None:
    """What is whole counts up to the damage, and the next step is written behind it."""
    path = begun(tmp_path, "idle").path
    path.write_bytes(path.read_bytes() + damage)

    begun(tmp_path, "decode")

    assert [*begun(tmp_path).found] == ["idle", "decode"]


def test_a_file_of_noise_begins_anew_and_says_so(tmp_path: Path) -> None:
    """Nothing of it is taken, and it is gone."""
    path = begun(tmp_path, "idle").path
    path.write_bytes(bytes(range(256)))

    again = begun(tmp_path)

    assert (again.found, again.remark) == ({}, "begun anew: the unfinished one is damaged")
    assert not path.exists()
