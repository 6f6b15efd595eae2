"""Recorded attempts as one more model: joined by id, checked by digest, with all that was seen of them."""

from dataclasses import replace

import numpy as np
import pytest

from edgecascade.errors import AttemptsError
from edgecascade.evaluate.attaching import Joined, attached
from edgecascade.labelled import Grade
from edgecascade.pool import Table
from edgecascade.records import Draft, HiddenStates, Timings, Usage
from edgecascade.store.attempts import Attempt
from edgecascade.store.prices import Price
from edgecascade.store.tables import ReadTable


def attempt(name: str, *, digest: str = "", score: float = 1.0, **signals: float) -> Attempt:
    """Return an attempt at a question."""
    state = HiddenStates(np.array([1.0, 2.0], np.float32), None)
    draft = Draft(f"answer {name}", (), "end", Usage(10, 4), Timings(0.0, 0.1, 0.0, 0.0, 0.5), state)
    return Attempt(name, "task", "exact", draft, {"first_margin": 0.5, **signals}, Grade(score), question=digest)


READ = ReadTable(
    table=Table.of([[0.0, 1.0], [1.0, 1.0], [0.5, 0.0]], (1.0, 2.0), models=("a", "b")),
    digests=("x", "y", "z"),
    sha256="",
)
ATTEMPTS = {"2": attempt("2", digest="z", score=0.25, other=1.0), "0": attempt("0", digest="x"), "9": attempt("9")}


def test_attempts_are_joined_by_id() -> None:
    """The local model is the first; rows without an attempt are left out and counted; it costs nothing."""
    read, left = attached(READ, Joined("local", ATTEMPTS))

    assert left == 1 and read.table.models == ("local", "a", "b") and read.table.ids == ("0", "2")
    assert read.table.quality.tolist() == [[1, 0, 1], [0.25, 0.5, 0]] and read.table.cost.tolist() == [[0, 1, 2]] * 2
    assert read.table.lengths[:, 0].tolist() == [4, 4] and read.digests == ("x", "z")


def test_what_was_seen_of_them_comes_along() -> None:
    """Signals that all attempts have, the states behind the prompts; the answers where the others' are known too."""
    known = replace(READ, table=replace(READ.table, answers=((("p",), ("q",)),) * 3))
    table, without = attached(known, Joined("local", ATTEMPTS))[0].table, attached(READ, Joined("local", ATTEMPTS))[0]

    assert table.evidence["local"].names == ("first_margin",) and table.evidence["local"].values.shape == (2, 1)
    assert table.states is not None and table.states.tolist() == [[1, 2]] * 2
    assert table.answers is not None and table.answers[0] == (("answer 0",), ("p",), ("q",))
    assert without.table.answers is None and READ.table.models == ("a", "b")


def test_a_price_of_the_local_model_counts() -> None:
    """By its own tokens."""
    read, _ = attached(READ, Joined("local", ATTEMPTS, Price(input=1.0, output=10.0)))

    assert read.table.cost[:, 0] == pytest.approx([50e-6] * 2)


WRONG = [
    (Joined("a", ATTEMPTS), "found a model of that name"),
    (Joined("local", {"7": attempt("7")}), "no question in common.*'7'.*'0'"),
    (Joined("local", {"0": attempt("0", digest="other")}), "question '0' is another one.*other.*wanted x"),
]


@pytest.mark.parametrize(("joined", "reason"), WRONG)
def test_attempts_of_something_else_are_refused(joined: Joined, reason: str) -> None:
    """A name twice, other ids, another question under the same id."""
    with pytest.raises(AttemptsError, match=reason):
        attached(READ, joined)
