"""The records of a pool: rows stand for questions, columns for models, whatever is taken of them."""

from types import MappingProxyType

import numpy as np
import pytest

from edgecascade.errors import QuestionFileError
from edgecascade.pool import Evidence, Queries, Seen, Table


def table() -> Table:
    """Three questions, two models; the second one's answers were watched."""
    evidence = MappingProxyType({"b": Evidence(("x", "y"), np.arange(6.0).reshape(3, 2))})
    answers = ((("1",), ("2",)), (("3",), ("4",)), (("5",), ("6",)))
    return Table.of(
        [[0, 1], [1, 1], [0.5, 0]], [1, 2], models=("a", "b"), evidence=evidence, answers=answers, states=np.eye(3)
    )


@pytest.mark.parametrize("index", [[2, 0], np.array([True, False, True])])
def test_rows_are_taken_of_everything(index: object) -> None:
    """Arrays, names, answers and evidence stay in step."""
    whole, places = table(), np.arange(3)[np.asarray(index)]
    part = whole.rows(index)  # type: ignore[arg-type]

    assert (part.quality == whole.quality[places]).all() and (part.evidence["b"].column("y") == 2 * places + 1).all()
    assert part.ids == tuple(str(place) for place in places) and part.answers is not None
    assert [row[0] for row in part.answers] == [(str(2 * place + 1),) for place in places]


def test_models_are_taken_of_everything() -> None:
    """Columns follow the names, and evidence of a model that is left out goes with it."""
    part = table().only(["b"])

    assert part.quality.tolist() == [[1], [1], [0]] and part.answers is not None and part.answers[0] == (("2",),)
    assert set(part.evidence) == {"b"} and not table().only(["a"]).evidence


def test_what_does_not_fit_together_is_refused() -> None:
    """Shapes and NaN are found when a table is made, not when a policy is fitted."""
    with pytest.raises(QuestionFileError, match="found shape"):
        Table.of(np.ones((2, 2)), seconds=np.ones((2, 3)))
    with pytest.raises(QuestionFileError, match="found NaN"):
        Table.of([[np.nan, 1.0]])


def test_before_a_model_has_run_nothing_of_it_is_seen() -> None:
    """Every model may be asked, none has answered; some rows of it are as many."""
    seen = Seen.first(np.zeros((3, 2)), 4, draw=np.array([0.1, 0.2, 0.3]))

    assert np.isnan(seen.after).all() and not seen.ran.any() and seen.open.all()
    assert len(seen.rows([2])) == 1 and seen.rows([2]).draw == 0.3


def test_queries_without_vectors_are_their_words() -> None:
    """Some of them are taken with and without."""
    words = Queries(kind="text", source="", texts=("a", "b"))

    assert words.rows([1]).texts == ("b",) and words.rows([1]).vectors is None
