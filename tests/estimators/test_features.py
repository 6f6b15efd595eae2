"""Tests of features: the literal TF-IDF and SVD, live as fitted, and queries that bring nothing."""

import json

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from edgecascade.errors import PolicyError
from edgecascade.estimators import sparse, words
from edgecascade.estimators.features import Features, fit_features, shape_of
from edgecascade.estimators.words import fit_words
from edgecascade.pool import FeatureKind, Queries

SYLLABLES = ["ka", "lo", "mi", "nu", "pe", "ra", "so", "ti", "ve", "zu", "12", "+", "$"]


def texts_of(n: int, seed: int = 0) -> tuple[str, ...]:
    """Return texts of random words, some much more frequent than others."""
    random = np.random.default_rng(seed)
    chances = 1 / np.arange(1, 14)
    return tuple(
        " ".join(random.choice(SYLLABLES, random.integers(3, 12), p=chances / chances.sum())) for _ in range(n)
    )


def queries(kind: FeatureKind, vectors: np.ndarray) -> Queries:
    """Return queries with vectors, whose texts are empty."""
    return Queries(kind=kind, source="test", texts=("",) * len(vectors), vectors=vectors)


def test_words_are_scikit_learns_tfidf_and_svd() -> None:
    """Rows equal TfidfVectorizer's, and what the axes keep of them is what TruncatedSVD keeps."""
    texts = texts_of(150)
    literal = TfidfVectorizer(token_pattern=words.WORD.pattern, ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    wanted = literal.fit_transform(texts)
    found = fit_words(texts, 8, np.random.default_rng(0))

    assert sorted(literal.vocabulary_) == list(found.terms)
    np.testing.assert_allclose(found.rows(texts) @ np.eye(len(found.terms)), wanted.toarray(), atol=1e-12)
    kept = TruncatedSVD(8, algorithm="arpack").fit(wanted).singular_values_
    np.testing.assert_allclose(np.linalg.norm(found(texts), axis=0), kept, rtol=0.02)


@pytest.mark.parametrize(("height", "width", "share"), [(20, 9, 0.1), (400, 300, 0.9)])
def test_a_sparse_product_is_the_dense_one(height: int, width: int, share: float) -> None:
    """Empty rows, more numbers than are held at a time, and the transpose come to the same as dense matrices."""
    random = np.random.default_rng(0)
    dense = random.random((height, width)) * (random.random((height, width)) < share)
    rows, columns = np.nonzero(dense)
    starts = np.concatenate([[0], np.cumsum((dense > 0).sum(axis=1))])
    made, other = sparse.Sparse(dense[rows, columns], columns, starts, width), random.normal(size=(width, 64))

    assert share < 0.5 or len(rows) * 64 > sparse.CHUNK
    np.testing.assert_allclose(made @ other, dense @ other, atol=1e-12)
    np.testing.assert_allclose(made.turned() @ np.eye(height), dense.T)


def test_axes_are_those_of_the_exact_svd() -> None:
    """Orthonormal, and of a matrix of low rank they span what the exact ones span."""
    random = np.random.default_rng(2)
    rows = random.normal(size=(40, 6)) @ random.normal(size=(6, 100))
    found = sparse.axes(rows, 6, np.random.default_rng(0))

    np.testing.assert_allclose(found.T @ found, np.eye(6), atol=1e-9)
    np.testing.assert_allclose(rows @ found @ found.T, rows, atol=1e-8)


def test_one_live_query_looks_as_it_did_among_all() -> None:
    """Features of one row equal its row among many, for every kind, before and after being stored."""
    vectors = np.random.default_rng(3).random((30, 12))
    kinds: tuple[FeatureKind, ...] = ("hidden", "encoder", "recorded")
    for asked in [Queries(kind="text", source="test", texts=texts_of(30)), *(queries(kind, vectors) for kind in kinds)]:
        fitted = fit_features(asked, dims=5)
        stored = Features.of_json(fitted.as_json())

        np.testing.assert_allclose(fitted(asked)[7:8], fitted(asked.rows([7])), atol=1e-12)
        assert (stored(asked) == fitted(asked)).all()


@pytest.mark.parametrize("texts", [("", "", ""), ("one",), ("alone", "words", "here"), ("same words",) * 4])
def test_texts_without_common_words_have_features(texts: tuple[str, ...]) -> None:
    """Empty texts, one text, nothing in common, all alike: the shape is left, and new words change nothing else."""
    fitted = fit_features(Queries(kind="text", source="test", texts=texts))
    found = fitted(Queries(kind="text", source="test", texts=("never seen $x^2$\nA. this", "")))

    assert found.shape[0] == 2
    assert np.isfinite(found).all()
    assert fitted(Queries(kind="text", source="test", texts=())).shape == (0, found.shape[1])


def test_constant_and_missing_numbers_say_nothing() -> None:
    """A column that never changes has no part in the features, a number that is missing counts as the mean."""
    vectors = np.column_stack([np.full(10, 1e6), np.linspace(0.1, 0.9, 10)])
    fitted = fit_features(queries("recorded", vectors))
    found = fitted(queries("recorded", np.array([[0.0, 0.5], [1e6, np.nan]])))

    np.testing.assert_allclose(found[0, 0], 0.0)
    np.testing.assert_allclose(found[1], 0.0)


def test_hidden_states_keep_what_varies() -> None:
    """Fewer rows than dimensions: distances between rows stay as they were after standardising."""
    states = np.random.default_rng(4).normal(size=(10, 200))
    found = fit_features(queries("hidden", states), dims=64)(queries("hidden", states))
    flat = (states - states.mean(axis=0)) / states.std(axis=0)

    np.testing.assert_allclose(found @ found.T, flat @ flat.T, atol=1e-6)


def test_other_queries_than_those_fitted_on_are_refused() -> None:
    """Another kind, another width, vectors that are not there, none at all."""
    fitted = fit_features(queries("hidden", np.eye(4)))
    wrong = [
        queries("encoder", np.eye(4)),
        queries("hidden", np.eye(5)),
        Queries(kind="hidden", source="", texts=("a",)),
    ]
    for one in wrong:
        with pytest.raises(PolicyError):
            fitted(one)
    with pytest.raises(PolicyError):
        fit_features(queries("hidden", np.empty((0, 3))))


def test_terms_are_plain_values() -> None:
    """The vocabulary is a list that JSON can hold."""
    record = fit_words(texts_of(20), 4, np.random.default_rng(0)).as_json()

    assert json.loads(json.dumps(record["terms"])) == record["terms"]


def test_the_shape_counts_what_it_says() -> None:
    """Choices and digits are told apart from words."""
    plain, choices = shape_of(["what is it", "pick 1\nA. one\nB. two"])

    assert plain[3] == 0 < choices[3] == pytest.approx(np.log(3))
    assert plain[4] == 0 < choices[4]
