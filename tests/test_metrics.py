"""Metrics, against scikit-learn and their literal definitions."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from edgecascade import metrics
from edgecascade.errors import AttemptsError


def cases(seed: int, n: int = 200, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated estimates and what came of them."""
    random = np.random.default_rng(seed)
    p = random.beta(3, 2, n)
    if ties:
        p = np.round(p, 1)
    return p, (random.random(n) < p).astype(float)


@pytest.mark.parametrize("ties", [False, True])
def test_auroc_brier_and_nll_are_scikit_learns(ties: bool) -> None:
    """On 30 seeded cases, ties included."""
    for seed in range(30):
        p, y = cases(seed, ties=ties)
        p = np.clip(p, 0.01, 0.99)

        assert metrics.auroc(p, y) == pytest.approx(roc_auc_score(y, p), abs=1e-12)
        assert metrics.brier(p, y) == pytest.approx(brier_score_loss(y, p), abs=1e-12)
        assert metrics.nll(p, y) == pytest.approx(log_loss(y, p), abs=1e-12)


def test_one_class_has_no_auroc() -> None:
    """NaN, not a number that looks like a result."""
    assert math.isnan(metrics.auroc([0.1, 0.2], [1, 1]))
    assert math.isnan(metrics.macro_auroc([0.1, 0.2], [1, 0], ["a", "a"]))


def test_macro_leaves_out_what_says_nothing() -> None:
    """The mean is over groups of both classes and at least ten rows; the difference between groups earns nothing."""
    p, y = cases(1, 60)
    groups = np.repeat(["a", "b", "small", "single"], [25, 20, 5, 10])
    y[50:] = 1
    y[45:50] = [1, 0, 1, 0, 1]
    found = metrics.macro_auroc(p, y, groups)

    shifted = metrics.macro_auroc(p + np.repeat([5, 0, 1, 2], [25, 20, 5, 10]), y, groups)
    assert found == pytest.approx((roc_auc_score(y[:25], p[:25]) + roc_auc_score(y[25:45], p[25:45])) / 2)
    assert found == pytest.approx(shifted)


def literal_rejection_area(p: np.ndarray, y: np.ndarray, max_rejection: float) -> float:
    """The mean over rejections of the mean y of those left."""
    left = y[np.argsort(-p, kind="stable")]
    rejections = int(max_rejection * len(p))
    return float(np.mean([left[: len(p) - r].mean() for r in range(rejections)]))


@pytest.mark.parametrize("max_rejection", [1.0, 0.5])
def test_prr_is_its_definition(max_rejection: float) -> None:
    """(area - chance) / (oracle - chance), rejecting one by one, for graded y too."""
    for seed in range(20):
        p, y = cases(seed)
        y = y * np.random.default_rng(seed).random(200)
        area, oracle = (literal_rejection_area(by, y, max_rejection) for by in (p, y))

        literal = (area - y.mean()) / (oracle - y.mean())
        assert metrics.prr(p, y, max_rejection=max_rejection) == pytest.approx(literal, abs=1e-12)


def test_an_estimate_that_says_nothing_is_worth_nothing() -> None:
    """Equal estimates for all are chance: AUROC a half, PRR and deferral area 0, a flat risk."""
    _, y = cases(2)
    same = np.full(200, 0.7)

    assert metrics.auroc(same, y) == 0.5
    assert metrics.prr(same, y) == pytest.approx(0, abs=1e-12)
    assert metrics.deferral_area(same, y, np.ones(200)) == pytest.approx(0, abs=1e-12)
    assert metrics.risk_coverage(same, y)[1] == pytest.approx(np.full(200, y.mean()))


def test_the_oracle_is_worth_one() -> None:
    """Estimates that know the answer have AUROC, PRR and deferral area 1."""
    _, y = cases(3)
    values = (metrics.auroc(y, y), metrics.prr(y, y), metrics.deferral_area(y, y, np.ones(200)))

    assert values == pytest.approx((1, 1, 1))
    assert math.isnan(metrics.prr(y, np.ones(200)))
    assert math.isnan(metrics.deferral_area(y, y, y))


def literal_smooth_ece(p: np.ndarray, y: np.ndarray) -> float:
    """The fixed point, with the reflected kernel written out."""
    t = (np.arange(2000) + 0.5) / 2000

    def at(sigma: float) -> float:
        images = [p + 2 * k for k in range(-3, 4)] + [-p + 2 * k for k in range(-3, 4)]
        kernel = sum(norm.pdf(t[:, None], image[None, :], sigma) for image in images)
        return float(np.abs(kernel @ (y - p)).mean() / len(p))

    low, high = 1e-3, 1.0
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle) >= middle else (low, middle)
    return (low + high) / 2


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_smooth_ece_is_its_definition(shift: float) -> None:
    """The grid agrees with the kernel written out, for calibrated and for shifted estimates."""
    p, y = cases(4, 60)
    p = np.clip(p + shift, 0, 1)
    found = metrics.smooth_ece(p, y)

    assert found == pytest.approx(literal_smooth_ece(p, y), abs=5e-4)


def test_calibration_errors_see_a_shift_and_shrink_without_one() -> None:
    """A constant estimate that is off by 0.2 has errors of about 0.2; a calibrated one has about none at large n."""
    p, y = cases(5, 50_000)
    off = np.full(50_000, 0.8), (np.random.default_rng(0).random(50_000) < 0.6).astype(float)

    assert metrics.ece(*off) == pytest.approx(0.2, abs=0.01)
    assert metrics.smooth_ece(*off) == pytest.approx(0.2, abs=0.02)
    assert metrics.ece(p, y) < 0.01
    assert metrics.smooth_ece(p, y) < 0.02
    with pytest.raises(AttemptsError, match="no probabilities"):
        metrics.smooth_ece(p * 2, y)


def test_reliability_bins_hold_everyone_once() -> None:
    """Ten bins of equal mass without ties; equal estimates are never split."""
    p, y = cases(6, 1000)
    bins = metrics.reliability(p, y)
    tied = metrics.reliability(np.repeat([0.9, 0.2, 0.4], [200, 500, 300]), y)

    assert [one.count for one in bins] == [100] * 10
    assert sum(one.rate * one.count for one in bins) == pytest.approx(y.sum())
    assert [one.mean_p for one in tied] == pytest.approx([0.2, 0.4, 0.9])
    assert [one.count for one in tied] == [500, 300, 200]


def test_risk_and_deferral_are_the_mean_over_orders_of_equals() -> None:
    """Both curves equal the average over every order of tied rows."""
    p, local, cloud = np.array([0.9, 0.5, 0.5, 0.5, 0.1]), np.array([1, 0, 1, 0.5, 0]), np.array([1, 1, 0.5, 1, 1.0])
    orders = [[0, *middle, 4] for middle in itertools.permutations([1, 2, 3])]
    risks = np.mean([[local[order[:k]].mean() for k in range(1, 6)] for order in orders], axis=0)
    quality = np.mean(
        [[(local[o[: 5 - k]].sum() + cloud[o[5 - k :]].sum()) / 5 for k in range(6)] for o in orders], axis=0
    )

    assert metrics.risk_coverage(p, local)[1] == pytest.approx(risks)
    assert metrics.aurc(p, local) == pytest.approx(risks.mean())
    assert metrics.deferral_curve(p, local, cloud)[1] == pytest.approx(quality)


def test_share_kept_is_the_best_threshold_and_below_the_oracle() -> None:
    """No threshold keeps more at that regret, and no order of any kind keeps more than the oracle."""
    for seed in range(20):
        p, y = cases(seed, ties=True)
        loss = (1 - y) * 0.5
        shares = [np.mean(p >= t) for t in np.unique(p) if np.mean(loss * (p >= t)) <= 0.05 + 1e-12]
        found = metrics.share_kept(p, loss, 0.05)

        assert found == pytest.approx(max(shares, default=0))
        assert found <= metrics.oracle_share(loss, 0.05)
    assert metrics.share_kept([0.5, -np.inf], [0, 0], 0.1) == 0.5


def test_the_bootstrap_of_a_mean_is_its_standard_error() -> None:
    """Its interval is about 1.96 standard errors wide on either side, and the same for the same seed."""
    values = np.random.default_rng(7).normal(size=400)
    found = metrics.bootstrap(np.mean, values, repeats=2000)

    error = values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert found == metrics.bootstrap(np.mean, values, repeats=2000)


def test_a_stratified_resample_keeps_its_make_up() -> None:
    """What is constant within groups does not vary; groups may be named by words."""
    groups = np.repeat(["x", "y"], [30, 70])
    found = metrics.bootstrap(np.mean, np.repeat([1.0, 2.0], [30, 70]), groups=groups, repeats=50)

    assert found == metrics.Interval(found.value, pytest.approx(1.7), pytest.approx(1.7))  # type: ignore[arg-type]
    named = metrics.bootstrap(lambda p, names: float(len(set(names))), np.arange(100), groups, groups=groups, repeats=5)
    assert (named.low, named.high) == (2, 2)


def test_a_paired_gain_is_surer_than_two_intervals() -> None:
    """A small, steady gain is seen on shared resamples though the separate intervals overlap."""
    random = np.random.default_rng(8)
    y = (random.random(600) < 0.6).astype(float)
    worse = y + random.normal(size=600)
    better = worse + 0.15 * y
    groups = np.arange(600) % 3
    gain = metrics.paired_gain(metrics.macro_auroc, better, worse, y, groups, groups=groups, repeats=200)

    apart = [metrics.bootstrap(metrics.auroc, p, y, repeats=200) for p in (better, worse)]
    assert gain.low > 0
    assert apart[0].low < apart[1].high


def test_resamples_without_a_value_are_left_out() -> None:
    """A statistic that is NaN on every resample has a NaN interval; on some, a real one."""
    p = np.arange(6.0)
    never, sometimes = (metrics.bootstrap(metrics.auroc, p, y, repeats=100) for y in (np.ones(6), p == 5))

    assert math.isnan(never.low)
    assert 0.5 <= sometimes.low <= sometimes.high <= 1


def test_rows_must_pair_up() -> None:
    """Unequal lengths, no rows and NaN are refused."""
    for p, y in (([0.1], [1, 0]), ([], []), ([math.nan], [1])):
        with pytest.raises(AttemptsError):
            metrics.auroc(p, y)
