"""What every calibrator promises, whatever its curve."""

import json
import math

import numpy as np
import pytest

from edgecascade.calibrators import CALIBRATORS, Platt, Shifted, calibrator_from_json
from edgecascade.calibrators.calibrator import Calibrator, Floats
from edgecascade.calibrators.logistic import cross_entropy, logit, smoothed
from edgecascade.errors import AttemptsError, FittedFileError

PARAMETRIC = ["platt", "temperature", "beta"]
KINDS = [*CALIBRATORS, "shifted"]
ROWS = ["plain", "few", "tied", "outliers", "separable", "backwards", "constant", "tiny", "huge"]


def rows(shape: str) -> tuple[Floats, Floats]:
    """Scores and labels that a calibrator meets: easy ones, and each way of being awkward."""
    random = np.random.default_rng(7)
    scores = random.normal(0.5, 2.0, size=12 if shape == "few" else 400)
    labels = (random.random(len(scores)) < 1 / (1 + np.exp(-0.6 * scores - 0.3))).astype(np.float64)
    changed = {
        "tied": np.round(scores / 2) * 2,
        "outliers": np.where(np.arange(len(scores)) < 4, scores * 1e6, scores),
        "backwards": -scores,
        "constant": np.full(len(scores), 1.5),
        "tiny": scores * 1e-200,
        "huge": scores * 1e90,
    }
    return changed.get(shape, scores), (scores > 0).astype(np.float64) if shape == "separable" else labels


def fitted(kind: str, scores: Floats, labels: Floats) -> Calibrator:
    """A calibrator of each kind, the moved one on Platt's."""
    return Shifted(Platt(0.7, 0.1), -0.4) if kind == "shifted" else CALIBRATORS[kind](scores, labels)


@pytest.mark.parametrize("shape", ROWS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_calibrator_is_a_rising_probability(kind: str, shape: str) -> None:
    """Between 0 and 1, non-decreasing, for fitted and unseen scores, however awkward the rows."""
    scores, labels = rows(shape)
    seen = np.concatenate([scores, np.linspace(-60, 60, 999), [-1e99, 1e99]])
    p = fitted(kind, scores, labels)(np.sort(seen))

    assert ((p > 0) & (p < 1)).all()
    assert (np.diff(p) >= 0).all()


@pytest.mark.parametrize("kind", [*PARAMETRIC, "isotonic", "shifted"])
def test_different_scores_stay_different(kind: str) -> None:
    """No ties are made among the fitted scores: ranking, and with it every threshold, is kept."""
    scores, labels = rows("plain")
    p = fitted(kind, scores, labels)(np.unique(scores))

    assert (np.diff(p) > 0).all()


@pytest.mark.parametrize("shape", ["plain", "tied", "outliers"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_answer_gets_what_it_would_get_among_many(kind: str, shape: str) -> None:
    """One float gives the same bits as the same score in an array, knots and NaN included."""
    scores, labels = rows(shape)
    calibrator = fitted(kind, scores, labels)
    several = np.concatenate([scores, np.linspace(-50, 50, 1001), [0.0, -0.0]])

    assert [calibrator(score) for score in several.tolist()] == calibrator(several).tolist()
    assert isinstance(calibrator(0.5), float)
    assert math.isnan(calibrator(math.nan))
    assert np.isnan(calibrator(np.array([math.nan]))).all()


@pytest.mark.parametrize("shape", ROWS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_comes_back_to_the_bit(kind: str, shape: str) -> None:
    """Through JSON text and back the calibrator is equal, and so is every probability."""
    calibrator = fitted(kind, *rows(shape))
    back = calibrator_from_json(json.loads(json.dumps(calibrator.as_json(), allow_nan=False)))

    assert back == calibrator
    assert back.kind == kind
    assert back(np.linspace(-9, 9, 99)).tobytes() == calibrator(np.linspace(-9, 9, 99)).tobytes()


@pytest.mark.parametrize("shape", ["plain", "tied", "outliers"])
@pytest.mark.parametrize("kind", CALIBRATORS)
def test_the_order_of_the_rows_does_not_matter(kind: str, shape: str) -> None:
    """Shuffled rows, and labels as booleans, give the same fit to the bit."""
    scores, labels = rows(shape)
    order = np.random.default_rng(1).permutation(len(scores))

    assert CALIBRATORS[kind](scores[order], labels[order] == 1) == CALIBRATORS[kind](scores, labels)


@pytest.mark.parametrize("shape", ROWS)
@pytest.mark.parametrize("kind", PARAMETRIC)
def test_the_fit_beats_what_its_family_contains(kind: str, shape: str) -> None:
    """On its smoothed targets it loses no more than the base rate (temperature: 0.5), nor than the raw sigmoid."""
    scores, labels = rows(shape)
    targets = smoothed(labels)
    constant = 0.0 if kind == "temperature" else float(logit(float(targets.mean())))
    loss = cross_entropy(logit(CALIBRATORS[kind](scores, labels)(scores)), targets)

    assert loss <= cross_entropy(np.full(len(scores), constant), targets) + 1e-6
    assert loss <= cross_entropy(scores, targets) + 1e-6


@pytest.mark.parametrize("kind", ["platt", "beta", "isotonic", "venn_abers"])
def test_much_data_gives_back_the_true_curve(kind: str) -> None:
    """With 50,000 rows drawn from a logistic curve the mean distance to it is below 0.01."""
    random = np.random.default_rng(2)
    scores = random.normal(0, 2, size=50_000)
    truth = 1 / (1 + np.exp(-(0.5 * scores + 1)))
    p = CALIBRATORS[kind](scores, random.random(50_000) < truth)(scores)

    assert np.abs(p - truth).mean() < 0.01


@pytest.mark.parametrize(
    ("scores", "labels", "wanted"),
    [
        ([0.0, math.nan], [0, 1], "found 1 of 2"),
        ([0.0, math.inf], [0, 1], "found 1 of 2"),
        ([0.0, -1e101], [0, 1], "found 1 of 2"),
        ([0.0, 1.0], [1, 1], "wanted both right"),
        ([], [], "wanted both right"),
        ([0.0, 1.0], [0, 1, 1], r"shapes \(2,\) and \(3,\)"),
        ([[0.0], [1.0]], [[0], [1]], r"wanted \(n,\)"),
        ([0.0, 1.0], [0, 0.5], "found 0.5, wanted 0 or 1"),
        ([0.0, 1.0], [0, math.nan], "found nan, wanted 0 or 1"),
    ],
)
@pytest.mark.parametrize("kind", CALIBRATORS)
def test_rows_that_cannot_be_fitted_are_refused(
    kind: str, scores: list[float], labels: list[float], wanted: str
) -> None:
    """The message says what was found and what was wanted."""
    with pytest.raises(AttemptsError, match=wanted):
        CALIBRATORS[kind](np.array(scores, np.float64), np.array(labels, np.float64))


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {},
        {"kind": "magic"},
        {"kind": ["platt"]},
        {"kind": "platt", "slope": 1.0},
        {"kind": "platt", "slope": -1.0, "intercept": 0.0},
        {"kind": "platt", "slope": True, "intercept": 0.0},
        {"kind": "platt", "slope": "1", "intercept": 0.0},
        {"kind": "platt", "slope": math.nan, "intercept": 0.0},
        {"kind": "temperature", "slope": math.inf},
        {"kind": "beta", "a": 1.0, "b": -0.1, "c": 0.0},
        {"kind": "isotonic", "scores": [], "probabilities": []},
        {"kind": "isotonic", "scores": [0.0, 0.0], "probabilities": [0.1, 0.2]},
        {"kind": "isotonic", "scores": [0.0, 1.0], "probabilities": [0.2, 0.1]},
        {"kind": "isotonic", "scores": [0.0, 1.0], "probabilities": [0.1]},
        {"kind": "isotonic", "scores": [0.0, 1.0], "probabilities": [0.0, 0.5]},
        {"kind": "isotonic", "scores": "01", "probabilities": [0.1, 0.5]},
        {"kind": "venn_abers", "scores": [0.0], "zeros": [0.5], "ones": [0.4]},
        {"kind": "venn_abers", "scores": [0.0], "zeros": [-0.5], "ones": [0.4]},
        {"kind": "shifted", "shift": 0.1},
        {"kind": "shifted", "shift": None, "calibrator": {"kind": "platt", "slope": 1.0, "intercept": 0.0}},
        {"kind": "shifted", "shift": 0.1, "calibrator": {"kind": "shifted", "shift": 0.1, "calibrator": {}}},
    ],
)
def test_a_damaged_record_is_refused(record: object) -> None:
    """Unknown kinds and malformed values are found when they are loaded."""
    with pytest.raises(FittedFileError, match=r"found .*wanted .*; calibrate again"):
        calibrator_from_json(record)
