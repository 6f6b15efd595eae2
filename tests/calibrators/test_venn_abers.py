"""Venn-Abers against its definition: refit for each test score, with either label."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from edgecascade.calibrators.isotonic import isotonic_levels
from edgecascade.calibrators.venn_abers import fit


@pytest.mark.parametrize("seed", range(200))
def test_the_table_is_the_literal_definition(seed: int) -> None:
    """At fitted, unseen and far scores p0 and p1 are the isotonic levels with the test row added."""
    random = np.random.default_rng(seed)
    scores = np.round(random.normal(size=random.integers(2, 30)) * 2, random.integers(0, 3))
    labels = (random.random(len(scores)) < 1 / (1 + np.exp(-scores))).astype(float)
    labels[:2] = 0, 1
    fitted = fit(scores, labels)

    for score in [*scores[:5].tolist(), *(random.normal(size=5) * 3).tolist(), -99.0, 99.0]:
        literal = [isotonic_levels(np.append(scores, score), np.append(labels, label))[-1] for label in (0.0, 1.0)]
        assert fitted.bounds(score) == pytest.approx(literal, abs=1e-12)
        assert fitted(score) == pytest.approx(literal[1] / (1 - literal[0] + literal[1]), abs=2e-9)


def test_the_definition_agrees_with_another_implementation() -> None:
    """The refit in the literal definition may be scikit-learn's as well."""
    random = np.random.default_rng(9)
    scores, labels = random.normal(size=80), (random.random(80) < 0.6).astype(float)
    for score in random.normal(size=20).tolist():
        literal = [
            IsotonicRegression().fit(np.append(scores, score), np.append(labels, label)).predict([score])[0]
            for label in (0.0, 1.0)
        ]

        assert fit(scores, labels).bounds(score) == pytest.approx(literal, abs=1e-12)


def test_one_of_the_two_is_calibrated() -> None:
    """The theorem: in every leave-one-out round, the one of p0 and p1 that the label picks is right on average."""
    random = np.random.default_rng(10)
    scores = np.round(random.normal(size=150), 1)
    labels = (random.random(150) < 1 / (1 + np.exp(-2 * scores))).astype(float)
    picked = np.array(
        [
            fit(np.delete(scores, row), np.delete(labels, row)).bounds(float(scores[row]))[int(labels[row])]
            for row in range(150)
        ]
    )

    for level in np.unique(picked.round(12)):
        same = np.isclose(picked, level)
        assert labels[same].mean() == pytest.approx(level, abs=1e-9)


def test_more_rows_make_the_width_smaller() -> None:
    """The width is how little is known: it falls with the rows, and is never 0."""
    random = np.random.default_rng(11)
    scores = random.normal(size=4000)
    labels = (random.random(4000) < 1 / (1 + np.exp(-scores))).astype(float)
    few, many = fit(scores[:100], labels[:100]), fit(scores, labels)

    assert many.width(scores).mean() < few.width(scores).mean() / 2
    assert (many.width(scores) > 0).all()


def test_answers_of_one_level_keep_their_ranking() -> None:
    """Equal levels would be kept or dropped as one block; the score itself decides between them."""
    random = np.random.default_rng(4)
    scores = np.sort(random.normal(size=400))
    p = fit(scores, (random.random(400) < 1 / (1 + np.exp(-scores))).astype(float))(scores)

    assert (np.diff(p) > 0).mean() > 0.95
    assert len(np.unique(np.round(p, 7))) < 300
