"""Disagreement of several answers: the closed form, its guards, and what it says of drafts."""

from itertools import combinations

import numpy as np
import pytest

from edgecascade.signals import SIGNALS
from edgecascade.signals.disagreement import (
    FLOOR,
    disagreement,
    error_variances,
    squared_distances,
    vector_signals,
    weights,
    word_vectors,
)

SEEDS = range(200)


def vectors_at(seed: int, questions: int = 5) -> np.ndarray:
    """Answers' vectors of 3 to 9 models to some questions."""
    random = np.random.default_rng(seed)
    return random.normal(size=(questions, 3 + seed % 7, 1 + seed % 5))


def triple_loop(far: np.ndarray) -> list[float]:
    """The paper's own estimator: the mean over all pairs of other models."""
    m = len(far)
    return [
        float(np.mean([(far[i, j] + far[i, k] - far[j, k]) / 2 for j, k in combinations(set(range(m)) - {i}, 2)]))
        for i in range(m)
    ]


def test_the_closed_form_is_the_triple_loop() -> None:
    """All pairs at once give what the loop over pairs gives, for one question and for a mean over several."""
    for seed in SEEDS:
        vectors = vectors_at(seed)
        far = disagreement(vectors)

        assert error_variances(far) == pytest.approx(triple_loop(far), rel=1e-12, abs=1e-12)
        assert error_variances(squared_distances(vectors))[0] == pytest.approx(
            triple_loop(squared_distances(vectors[0])), rel=1e-12, abs=1e-12
        )


def test_disagreement_is_the_mean_of_squared_distances() -> None:
    """It equals the differences' squares, summed and averaged one by one."""
    for seed in SEEDS:
        vectors = vectors_at(seed)
        literal = [
            [np.mean(((a - b) ** 2).sum(axis=1)) for b in vectors.swapaxes(0, 1)] for a in vectors.swapaxes(0, 1)
        ]

        assert disagreement(vectors) == pytest.approx(np.array(literal), rel=1e-9, abs=1e-12)


def test_the_errors_are_those_of_the_model() -> None:
    """Where errors are independent and Gaussian, v is each model's squared error up to chance."""
    random, sizes = np.random.default_rng(0), np.array([0.5, 1.0, 2.0, 4.0])
    truth = random.normal(size=(4000, 1, 8))
    answers = truth + random.normal(size=(4000, 4, 8)) * np.sqrt(sizes)[:, None]

    assert error_variances(disagreement(answers)) == pytest.approx(8 * sizes, rel=0.05)


def test_one_that_says_nothing_is_left_out() -> None:
    """NaN, infinity and all zeros are no answer: the others' errors are those of a pool without it."""
    for seed, nothing in zip(SEEDS, [np.nan, np.inf, 0.0] * 70, strict=False):
        vectors = vectors_at(seed)
        with_it = np.concatenate([vectors, np.full_like(vectors[:, :1], nothing)], axis=1)
        found = error_variances(disagreement(with_it))

        assert found[:-1] == pytest.approx(error_variances(disagreement(vectors)))
        assert np.isnan(found[-1])


@pytest.mark.parametrize("models", [0, 1, 2])
def test_fewer_than_three_tell_nothing(models: int) -> None:
    """There is no error, no weight and no signal then."""
    vectors = np.ones((models, 2))

    assert np.isnan(error_variances(squared_distances(vectors))).all()
    assert not weights(error_variances(squared_distances(vectors))).any()
    assert vector_signals(np.vstack([vectors, np.zeros((3 - models, 2))])) == {}


def test_weights_stay_weights_whatever_the_errors() -> None:
    """They are 1 / v, no v below FLOOR of the mean, add up to 1, and follow the order of the errors."""
    for seed in SEEDS:
        found = error_variances(disagreement(vectors_at(seed, questions=1)))
        literal = 1 / np.maximum(found, FLOOR * found.mean())

        assert weights(found) == pytest.approx(literal / literal.sum())
        assert (np.diff(weights(found)[np.argsort(found)]) <= 1e-15).all()


def test_the_same_answer_from_all_weighs_the_same() -> None:
    """Without any distance nobody stands out."""
    assert weights(error_variances(np.zeros((4, 4)))).tolist() == [0.25] * 4


def test_words_are_compared_as_words() -> None:
    """Texts of the same words are at distance 0, of none in common at 2, and a text without words says nothing."""
    far = squared_distances(word_vectors(["In Paris", "in paris", "Lyon", " "]))

    assert far[0, :3] == pytest.approx([0, 0, 2])
    assert np.isnan(far[3]).all()


def test_the_odd_one_out_is_seen() -> None:
    """Of drafts that agree but for one, that one has the largest distance, the least weight and the last rank."""
    vectors = word_vectors(["Lyon", "Paris", "Paris", "paris"])
    odd, other = vector_signals(vectors, 0), vector_signals(vectors, 1)

    assert odd["sample_distance"] > other["sample_distance"]
    assert odd["sample_weight"] < 0.25 < other["sample_weight"]
    assert odd["sample_rank"] == 1.0
    assert other["sample_rank"] == 0.0


def test_the_length_of_vectors_does_not_count() -> None:
    """Only where they point."""
    vectors = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 1.0]])

    assert vector_signals(vectors, 0)["sample_distance"] == pytest.approx(1.0)


def test_fitted_heads_do_not_look_at_them() -> None:
    """Signals of several drafts are not among those of one decode."""
    assert not set(vector_signals(np.eye(3))) & set(SIGNALS)


def test_permuting_the_answers_permutes_the_errors() -> None:
    """The order of the models means nothing."""
    for seed in SEEDS:
        vectors = vectors_at(seed)
        order = np.random.default_rng(seed).permutation(vectors.shape[1])

        assert error_variances(disagreement(vectors[:, order])) == pytest.approx(
            error_variances(disagreement(vectors))[order]
        )
