"""Drift of the estimate: the index against its definition, and how rarely noise is taken for drift."""

import json
import math
from collections.abc import Callable

import numpy as np
import pytest

from edgecascade.errors import AttemptsError, FittedFileError
from edgecascade.monitor import PsiState, Reference, drift_verdict, psi, worth


def seen(reference: Reference, estimates: np.ndarray) -> PsiState:
    """A state in which nothing has been forgotten yet."""
    bins = np.searchsorted(reference.edges, estimates, side="left")
    return PsiState(tuple(np.bincount(bins, minlength=len(reference.shares)).astype(float)), float(len(estimates)))


def verdicts(m: int, n: int, shift: float = 0.0, repeats: int = 1000) -> list[str]:
    """What n answers say against m at calibration, for normal estimates that have moved by ``shift``."""
    random = np.random.default_rng(m + n)
    said = []
    for _ in range(repeats):
        reference = Reference.of(random.normal(size=m).tolist())
        state = seen(reference, random.normal(shift, size=n))
        said.append(drift_verdict(psi(state, reference), worth(state, reference)))
    return said


def test_the_reference_holds_the_deciles() -> None:
    """Of values that all differ each bin gets a tenth."""
    reference = Reference.of(np.random.default_rng(0).random(1000).tolist())

    assert reference.shares == pytest.approx([0.1] * 10)
    assert reference.edges == pytest.approx(np.arange(1, 10) / 10, abs=0.05)


@pytest.mark.parametrize("seed", range(20))
def test_no_edge_stands_on_a_value_that_occurs(seed: int) -> None:
    """A value shared by many answers stays in its bin when another device computes it a few bits away."""
    random = np.random.default_rng(seed)
    values = np.round(random.beta(5, 1, size=200), 1)
    reference = Reference.of(values.tolist())
    edges = np.array(reference.edges)

    assert min(reference.shares) > 0
    assert sum(reference.shares) == pytest.approx(1)
    for moved in (values * (1 - 1e-12), values * (1 + 1e-12)):
        assert (np.searchsorted(edges, moved) == np.searchsorted(edges, values)).all()
    assert psi(seen(reference, values), reference) == 0


def test_rounding_does_not_make_two_values_of_one() -> None:
    """Estimates that differ in their last bits only are one value: no edge parts them."""
    one_bit_more = math.nextafter(0.9, 1)

    assert Reference.of([0.1] * 5 + [0.9, one_bit_more] * 5) == Reference.of([0.1] * 5 + [0.9] * 10)


def test_the_index_of_many_answers_is_the_definition() -> None:
    """With a million answers the half counts and the noise vanish: sum (q - p) ln (q / p)."""
    reference = Reference((0.3, 0.6), (0.2, 0.5, 0.3), 10**6)
    state = PsiState((1e5, 6e5, 3e5), 1e6)
    literal = (0.1 - 0.2) * math.log(0.1 / 0.2) + (0.6 - 0.5) * math.log(0.6 / 0.5)

    assert psi(state, reference) == pytest.approx(literal, abs=1e-4)


@pytest.mark.parametrize("shift", [0.3, 0.5, 0.7])
def test_the_index_of_a_moved_normal_is_the_square_of_the_move(shift: float) -> None:
    """The continuous index is shift^2 exactly; ten bins see a little less."""
    random = np.random.default_rng(3)
    reference = Reference.of(random.normal(size=20_000).tolist())
    found = psi(seen(reference, random.normal(shift, size=20_000)), reference)

    assert 0.85 * shift**2 < found < 1.05 * shift**2


@pytest.mark.parametrize(("m", "n"), [(3000, 220), (400, 400), (1000, 200), (500, 1000), (300, 80), (100, 100)])
def test_noise_alone_rarely_alarms(m: int, n: int) -> None:
    """Without drift at most 1 look in 100 says "refit" or "void", whatever the counts."""
    said = verdicts(m, n)

    assert said.count("refit") + said.count("void") <= 10


def test_without_drift_enough_answers_say_fresh() -> None:
    """At a worth of 300 at least 19 looks in 20 do."""
    assert verdicts(600, 600).count("fresh") >= 950


@pytest.mark.parametrize(("shift", "n", "verdict"), [(0.35, 1000, "refit"), (0.9, 100, "void"), (0.7, 1000, "void")])
def test_drift_is_found(shift: float, n: int, verdict: str) -> None:
    """A move of 0.35 standard deviations asks for a refit; one of 0.9 voids the certificate within 100 answers."""
    assert verdicts(1000, n, shift, repeats=200).count(verdict) >= 180


def test_few_answers_say_nothing() -> None:
    """Below a worth of 50 every index is unknown, however large."""
    assert drift_verdict(9.0, 49.9) == "unknown"
    assert drift_verdict(0.0, 0.0) == "unknown"


def test_old_answers_are_forgotten() -> None:
    """After a drift the histogram tends to the new shares, and its effective count to ``memory``."""
    random = np.random.default_rng(4)
    reference = Reference.of(random.random(500).tolist())
    state = PsiState.of(reference, memory=200)
    for estimate in [0.01] * 1000 + random.random(2000).tolist():
        state = state.update(estimate, reference)

    assert state.count == pytest.approx(200, rel=1e-3)
    assert drift_verdict(psi(state, reference), worth(state, reference)) in ("fresh", "unknown")


def test_before_forgetting_the_count_is_the_count() -> None:
    """The first few of a long memory weigh all but the same."""
    reference = Reference.of([0.1] * 5 + [0.9] * 5)
    state = PsiState.of(reference, memory=10**6).update(0.2, reference).update(0.8, reference)

    assert state.count == pytest.approx(2, rel=1e-5)
    assert state.weights == pytest.approx([1, 1], rel=1e-5)


# Behind gates


@pytest.mark.parametrize("limit", [0.05, 0.3, 0.65, 0.99])
def test_below_a_limit_nothing_is_told_apart(limit: float) -> None:
    """One bin holds the share that is below; those above are told apart as far as there are enough of them."""
    estimates = np.random.default_rng(3).uniform(size=1000).tolist()
    reference = Reference.above(estimates, limit)

    assert reference.shares[0] == pytest.approx(np.mean([estimate < limit for estimate in estimates]), abs=0.1)
    assert PsiState.of(reference).update(-math.inf, reference).weights[0] == 1
    assert len(reference.edges) >= 1 and reference.edges[-1] < 1


def gated_verdicts(stops: Callable[[float], bool], limit: float, *, shift: float = 0.0, repeats: int = 10) -> list[str]:
    """What 5,000 answers say, normal estimates against 2,000 at calibration, where some are stopped by a gate."""
    random = np.random.default_rng(7)
    said = []
    for _ in range(repeats):
        reference = Reference.above(random.normal(size=2000).tolist(), limit)
        state = PsiState.of(reference)
        for estimate in random.normal(shift, size=5000).tolist():
            below = estimate < limit or stops(estimate)
            state = state.update(-math.inf if below else estimate, reference)
        said.append(drift_verdict(psi(state, reference), worth(state, reference)))
    return said


@pytest.mark.parametrize("limit", [-0.5, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("lowest", [0.5, 0.9, 1.0])
def test_what_gates_stop_is_no_drift(limit: float, lowest: float) -> None:
    """All that is below the threshold, or only the least sure of it: no alarm in ten times 5,000 answers."""
    said = gated_verdicts(lambda estimate: estimate < limit - 2 * (1 - lowest), limit)

    assert not {"refit", "void"} & set(said)


def test_drift_is_found_behind_gates() -> None:
    """Where 60 % fall below the threshold instead of 30 %, whether they are stopped or written to their end."""
    limit, shift = -0.524, -0.777
    for stops in (lambda estimate: estimate < limit, lambda estimate: False):
        said = gated_verdicts(stops, limit, shift=shift, repeats=5)

        assert set(said) <= {"refit", "void"}


def test_an_estimate_that_is_not_a_number_is_the_least_sure() -> None:
    """NaN falls into the first bin and does no harm."""
    reference = Reference.of([0.1] * 5 + [0.9] * 5)

    assert PsiState.of(reference).update(math.nan, reference).weights == (1.0, 0.0)


@pytest.mark.parametrize("estimates", [[], [0.5] * 100, [0.1, 0.9], [0.1] * 20 + [math.nan], [0.1] * 20 + [-math.inf]])
def test_estimates_without_a_spread_are_refused(estimates: list[float]) -> None:
    """Too few, all the same, or NaN."""
    with pytest.raises(AttemptsError, match="wanted at least 10"):
        Reference.of(estimates)


def test_state_and_reference_survive_a_restart() -> None:
    """Stored half way, the state ends where it would have ended."""
    values = np.random.default_rng(5).random(300).tolist()
    reference = Reference.of(values)
    state = restarted = PsiState.of(reference)
    for estimate in values:
        state = state.update(estimate, reference)
        restarted = PsiState.from_json(json.loads(json.dumps(restarted.update(estimate, reference).as_json())))

    assert restarted == state
    assert Reference.from_json(json.loads(json.dumps(reference.as_json()))) == reference


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"edges": [0.5], "shares": [0.5, 0.4], "count": 10},
        {"edges": [0.5], "shares": [1.0], "count": 10},
        {"edges": [0.5, 0.5], "shares": [0.5, 0.25, 0.25], "count": 10},
        {"edges": [0.5], "shares": [1.5, -0.5], "count": 10},
        {"edges": [0.5], "shares": [0.5, 0.5], "count": 0},
        {"edges": [0.5], "shares": [0.5, 0.5], "count": 10.5},
        {"edges": ["0.5"], "shares": [0.5, 0.5], "count": 10},
    ],
)
def test_a_damaged_reference_is_refused(record: dict[str, object]) -> None:
    """It is found when it is loaded."""
    with pytest.raises(FittedFileError, match=r"found .*wanted"):
        Reference.from_json(record)


@pytest.mark.parametrize("change", [{"weights": []}, {"weights": [-1.0]}, {"squares": math.nan}, {"memory": 1}])
def test_a_damaged_state_is_refused(change: dict[str, object]) -> None:
    """It is found when it is loaded."""
    with pytest.raises(FittedFileError, match=r"found .*wanted"):
        PsiState.from_json({"weights": [1.0], "squares": 1.0, "memory": 1000} | change)
