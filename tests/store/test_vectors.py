"""Vectors are made once."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgecascade.errors import NoSpaceError
from edgecascade.store.vectors import vectors_of


class Maker:
    """Makes the length and the first letter of a text; notes what it was asked."""

    def __init__(self, breaks_after: int = 10**9) -> None:
        self.asked: list[str] = []
        self.breaks_after = breaks_after

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Two numbers a text; Ctrl-C after so many."""
        if len(self.asked) >= self.breaks_after:
            raise KeyboardInterrupt
        self.asked += texts
        return np.array([[len(text), ord(text[0])] for text in texts], np.float32)


TEXTS = [f"{number} and more" for number in range(100)]


def test_what_was_made_is_not_made_again(tmp_path: Path) -> None:
    """The second time only what is new is made, and the vectors are the same to the bit."""
    maker, path = Maker(), tmp_path / "v.db"
    first = vectors_of(TEXTS[:60], maker, key="a", path=path)
    again = vectors_of(TEXTS, maker, key="a", path=path)

    assert maker.asked == TEXTS and (again[:60] == first).all()


def test_another_model_has_vectors_of_its_own(tmp_path: Path) -> None:
    """The same text under another key is made anew."""
    maker, path = Maker(), tmp_path / "v.db"
    for key in ("a", "b"):
        vectors_of(TEXTS[:3], maker, key=key, path=path)

    assert len(maker.asked) == 6


def test_a_job_that_was_stopped_goes_on(tmp_path: Path) -> None:
    """What was made before Ctrl-C is kept."""
    path, resumed = tmp_path / "v.db", Maker()
    with pytest.raises(KeyboardInterrupt):
        vectors_of(TEXTS, Maker(breaks_after=60), key="a", path=path)
    vectors_of(TEXTS, resumed, key="a", path=path)

    assert resumed.asked == TEXTS[60:]


def test_a_text_that_comes_twice_is_read_once(tmp_path: Path) -> None:
    """And stands twice among the vectors."""
    maker = Maker()
    found = vectors_of(["a", "b", "a"], maker, key="a", path=tmp_path / "v.db")

    assert sorted(maker.asked) == ["a", "b"] and (found[0] == found[2]).all()


@pytest.mark.parametrize("whole", [0, 4096])
def test_a_damaged_cache_is_begun_anew(tmp_path: Path, whole: int) -> None:
    """Nothing in it cannot be made again, be it damaged from the beginning or behind the first page."""
    path = tmp_path / "v.db"
    vectors_of(TEXTS, Maker(), key="a", path=path)
    path.write_bytes(path.read_bytes()[:whole] + b"no database at all" * 1000)
    found = vectors_of(TEXTS, Maker(), key="a", path=path)

    assert (found == vectors_of(TEXTS, Maker(), key="b", path=path)).all()


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A file where a folder is wanted."""
    (tmp_path / "file").write_text("")

    with pytest.raises(NoSpaceError, match="set another cache"):
        vectors_of(TEXTS[:2], Maker(), key="a", path=tmp_path / "file" / "v.db")
