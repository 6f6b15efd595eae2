"""Engines that decode at the same time know how many they are."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgecascade.store.decoding import PLACES, Decoding

HOLD = """
import sys
from pathlib import Path
from edgecascade.store.decoding import Decoding

with Decoding(Path(sys.argv[1])).held() as engines:
    print(engines(), flush=True)
    sys.stdin.read()
"""
Holder = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that nobody has made yet."""
    return tmp_path / "state" / "decoding"


@pytest.fixture
def hold(folder: Path) -> Iterator[Holder]:
    """Return what starts a process that decodes until it is let go, once it says that it does."""
    started: list[subprocess.Popen[str]] = []

    def begin() -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", HOLD, str(folder)]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(child)
        assert child.stdout
        assert int(child.stdout.readline()) >= 1
        return child

    yield begin
    for child in started:
        child.kill()
        child.communicate()


def test_engines_are_counted_while_they_decode(folder: Path) -> None:
    """One alone counts itself; each further one is seen by all, and no longer when it is done."""
    decoding, counts = Decoding(folder), []
    with decoding.held() as first:
        counts.append(first())
        with decoding.held() as second:
            counts += [first(), second()]
        counts.append(first())

    assert counts == [1, 2, 2, 1]


def test_other_processes_are_counted(folder: Path, hold: Holder) -> None:
    """Two processes that hold their places, and this one, are three."""
    hold(), hold()

    with Decoding(folder).held() as engines:
        assert engines() == 3


def test_who_dies_is_no_longer_counted(folder: Path, hold: Holder) -> None:
    """A process that is killed while it decodes leaves its place to the next; nothing is to be cleaned up."""
    child = hold()
    with Decoding(folder).held() as engines:
        before = engines()
        child.kill()
        child.wait()

        assert (before, engines()) == (2, 1)
    assert len(list(folder.iterdir())) == 2


def test_a_folder_that_cannot_be_written_is_no_harm(tmp_path: Path) -> None:
    """Where a file stands in the way everybody decodes as if alone."""
    (tmp_path / "state").write_text("no folder")

    with Decoding(tmp_path / "state" / "decoding").held() as engines:
        assert engines() == 1


def test_more_engines_than_places_are_many(folder: Path) -> None:
    """The places end, and whoever finds none still decodes, and counts all of them."""
    decoding = Decoding(folder)
    holders = [decoding.held() for _ in range(PLACES)]
    for holder in holders:
        holder.__enter__()

    with decoding.held() as engines:
        assert engines() == PLACES + 1
    for holder in holders:
        holder.__exit__(None, None, None)
