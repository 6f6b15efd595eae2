"""Certificates: how often a promise is broken, what is kept, and what is said when nothing can be promised."""

import json
import math
from collections.abc import Callable

import numpy as np
import pytest

from edgecascade.errors import AttemptsError, FittedFileError
from edgecascade.guarantees.certificate import Certificate
from edgecascade.guarantees.ladder import EPSILONS, certify_ladder
from edgecascade.guarantees.needed import must_escalate, questions_needed
from edgecascade.guarantees.regret import certify_regret
from edgecascade.guarantees.selective import certify_selective

Certify = Callable[..., Certificate]

DELTA = 0.1
SLACK = 3 * math.sqrt(DELTA * (1 - DELTA) / 300)


def questions(seed: int, n: int, *, graded: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Estimates p, uniform, and losses of mean (1 - p) / 2."""
    random = np.random.default_rng(seed)
    p = random.random(n)
    losses = (random.random(n) < 1 - p) * (random.random(n) if graded else random.random(n) < 0.5)
    return p, losses.astype(float)


def true_regret(threshold: float) -> float:
    """E[loss 1{p >= t}] of these questions."""
    return (1 - min(threshold, 1.0)) ** 2 / 4


def true_risk(threshold: float) -> float:
    """E[loss | p >= t] of these questions."""
    return (1 - min(threshold, 1.0)) / 4


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("n", [150, 600])
@pytest.mark.parametrize(
    ("certify", "risk", "epsilon"), [(certify_regret, true_regret, 0.05), (certify_selective, true_risk, 0.12)]
)
def test_a_promise_is_broken_at_most_delta_of_the_time(
    certify: Certify, risk: Callable[[float], float], epsilon: float, n: int, graded: bool
) -> None:
    """Over 300 calibrations the true risk at the threshold exceeds epsilon rarely enough, and something is kept."""
    fits = [certify(*questions(seed, n, graded=graded), epsilon=epsilon, delta=DELTA) for seed in range(300)]
    broken = np.mean([fit.feasible and risk(fit.threshold) > epsilon for fit in fits])

    assert broken <= DELTA + SLACK
    assert np.mean([fit.share_kept for fit in fits]) > 0.05


@pytest.mark.parametrize("shape", [lambda p: 0.08 + 0 * p, lambda p: 0.06 + 0.2 * (p > 0.8), lambda p: 0.14 * p])
@pytest.mark.parametrize("scale", [1.0, -3.0])
def test_useless_or_inverted_estimates_break_no_promise(
    shape: Callable[[np.ndarray], np.ndarray], scale: float
) -> None:
    """Where the risk among the kept stays, jumps or rises with p, by estimates in 0 to 1 or not, it is still rare."""
    broken, all_p = 0, np.linspace(0, 1, 20_001)
    for seed in range(300):
        random = np.random.default_rng(seed)
        p = random.random(400)
        fit = certify_selective(p * scale, random.random(400) < shape(p), epsilon=0.07, delta=DELTA)
        kept = all_p * scale >= fit.threshold
        broken += bool(fit.feasible and shape(all_p)[kept].mean() > 0.07)

    assert broken / 300 <= DELTA + SLACK


def test_regret_keeps_all_that_its_bound_allows() -> None:
    """For losses of 0 and 1 one more loss would have broken the bound, and the threshold keeps what is reported."""
    p, losses = questions(1, 800)
    fit = certify_regret(p, losses, epsilon=0.05, delta=DELTA)

    assert fit.kept == (p >= fit.threshold).sum()
    assert fit.losses == losses[p >= fit.threshold].sum()
    assert fit.bound <= 0.05
    dropped = p < fit.threshold
    assert losses[dropped][np.argmax(p[dropped])] == 1


@pytest.mark.parametrize("graded", [False, True])
def test_asking_less_keeps_more(graded: bool) -> None:
    """A larger epsilon never keeps fewer answers, a smaller delta never more."""
    for seed in range(20):
        p, losses = questions(seed, 700, graded=graded)
        by_epsilon = [fit.kept for fit in certify_ladder(p, losses, delta=DELTA, epsilons=(0.01, 0.03, 0.1, 0.2))]
        by_delta = [certify_regret(p, losses, epsilon=0.05, delta=delta).kept for delta in (0.01, 0.1, 0.3)]

        assert by_epsilon == sorted(by_epsilon)
        assert by_delta == sorted(by_delta)


def test_asking_less_of_the_kept_answers_keeps_more_on_average() -> None:
    """The selective promise grows with epsilon and delta too, over 30 calibrations."""
    samples = [questions(seed, 700) for seed in range(30)]
    by_epsilon = [
        np.mean([certify_selective(*sample, epsilon=epsilon, delta=DELTA).kept for sample in samples])
        for epsilon in (0.05, 0.1, 0.2)
    ]
    by_delta = [
        np.mean([certify_selective(*sample, epsilon=0.12, delta=delta).kept for sample in samples])
        for delta in (0.01, 0.1, 0.3)
    ]

    assert by_epsilon == sorted(by_epsilon)
    assert by_delta == sorted(by_delta)


@pytest.mark.parametrize("certify", [certify_regret, certify_selective])
@pytest.mark.parametrize("graded", [False, True])
def test_equal_estimates_are_kept_together(certify: Certify, graded: bool) -> None:
    """With five distinct estimates the kept are whole blocks, whatever order the rows came in."""
    p, losses = questions(3, 900, graded=graded)
    p = np.ceil(p * 5) / 5
    fit = certify(p, losses, epsilon=0.14, delta=DELTA)

    assert 0 < fit.kept < 900
    assert fit.kept == (p >= fit.threshold).sum()
    assert (p >= fit.threshold).tolist() == np.isin(p, p[p >= fit.threshold]).tolist()


def test_the_order_of_the_rows_does_not_matter_for_exact_promises() -> None:
    """Shuffled rows give the same certificates."""
    p, losses = questions(4, 500)
    order = np.random.default_rng(0).permutation(500)
    fits = certify_ladder(p, losses, delta=DELTA) + certify_ladder(p, losses, delta=DELTA, promise="selective")

    shuffled = p[order], losses[order]
    assert fits == certify_ladder(*shuffled, delta=DELTA) + certify_ladder(*shuffled, delta=DELTA, promise="selective")


@pytest.mark.parametrize("certify", [certify_regret, certify_selective])
def test_harmless_answers_are_all_kept_and_harmful_ones_none(certify: Certify) -> None:
    """Without a loss every answer is kept; with nothing but losses none, or what a regret of epsilon has room for."""
    p = np.linspace(0.2, 0.9, 400)
    clean, hopeless = (certify(p, np.full(400, loss), epsilon=0.05, delta=DELTA) for loss in (0.0, 1.0))

    assert (clean.kept, clean.threshold, clean.needed) == (400, 0.0, None)
    assert hopeless.kept <= (0.05 * 400 if certify is certify_regret else 0)
    assert hopeless.feasible == (hopeless.kept > 0) == math.isfinite(hopeless.threshold)


def test_a_sure_loss_needs_no_more_questions() -> None:
    """Where even the surest are wrong too often, no number of questions is named."""
    p, wrong = np.repeat([0.9, 0.1], 200), np.tile([1.0, 0.0], 200)
    fits = [certify(p, wrong, epsilon=0.05, delta=DELTA) for certify in (certify_regret, certify_selective)]

    assert [fit.needed for fit in fits] == [None, None]
    assert all("surest" in fit.reason for fit in fits)


def test_too_few_questions_say_how_many_would_do() -> None:
    """With 50 clean questions and epsilon 1 %, at least 230 are needed, and so many clean ones do."""
    few = certify_regret(np.linspace(0, 1, 50), np.zeros(50), epsilon=0.01, delta=DELTA)
    enough = certify_regret(np.linspace(0, 1, 230), np.zeros(230), epsilon=0.01, delta=DELTA)
    selective = certify_selective(np.linspace(0, 1, 50), np.zeros(50), epsilon=0.01, delta=DELTA)

    assert (few.needed, few.feasible, enough.feasible) == (230, False, True)
    assert "About 230 questions would be needed." in few.sentence("2026-11-21")
    assert selective.needed is not None
    assert selective.needed >= 230


def test_one_estimate_for_all_is_a_single_test() -> None:
    """A constant estimate is kept or not as a whole, by the exact bound at the whole delta."""
    losses = np.r_[np.zeros(99), 1.0]
    fit = certify_selective(np.full(100, 0.7), losses, epsilon=0.04, delta=DELTA)

    assert fit.kept == 100
    assert certify_selective(np.full(100, 0.7), losses, epsilon=0.038, delta=DELTA).kept == 0


@pytest.mark.parametrize("certify", [certify_regret, certify_selective])
def test_minus_infinity_is_never_kept(certify: Certify) -> None:
    """Such questions count, but no threshold keeps them."""
    p, losses = np.r_[np.full(300, 0.9), np.full(100, -np.inf)], np.r_[np.zeros(300), np.ones(100)]
    fit = certify(p, losses, epsilon=0.05, delta=DELTA)

    assert (fit.n, fit.kept, fit.losses) == (400, 300, 0.0)
    assert math.isfinite(fit.threshold)
    assert not certify(np.full(9, -np.inf), np.zeros(9), epsilon=0.05, delta=DELTA).feasible


@pytest.mark.parametrize("certify", [certify_regret, certify_selective])
@pytest.mark.parametrize(
    ("p", "losses", "named"),
    [
        ([], [], "do not pair up"),
        ([0.1, 0.2], [0.0], "do not pair up"),
        ([math.nan, 0.2], [0.0, 1.0], "1 of 2 estimates"),
        ([math.inf, 0.2], [0.0, 1.0], "1 of 2 estimates"),
        ([0.1, 0.2], [0.0, math.nan], "1 of 2 losses"),
        ([0.1, 0.2], [-0.1, 1.1], "2 of 2 losses"),
    ],
)
def test_unusable_rows_are_refused(certify: Certify, p: list[float], losses: list[float], named: str) -> None:
    """Empty, unpaired, NaN or out of range: said so."""
    with pytest.raises(AttemptsError, match=named):
        certify(p, losses, epsilon=0.1, delta=DELTA)


@pytest.mark.parametrize(("epsilon", "delta", "named"), [(0.0, 0.1, "epsilon"), (0.1, 1.0, "delta")])
def test_an_empty_promise_is_refused(epsilon: float, delta: float, named: str) -> None:
    """Neither a risk of 0 nor a confidence of 0 can be promised."""
    with pytest.raises(AttemptsError, match=named):
        certify_regret([0.5], [0.0], epsilon=epsilon, delta=delta)


@pytest.mark.parametrize("promise", ["regret", "selective"])
def test_a_million_questions_work(promise: str) -> None:
    """The whole ladder on a million rows is true to these questions' risk."""
    p, losses = questions(5, 1_000_000)
    ladder = certify_ladder(p, losses, delta=DELTA, promise=promise)  # type: ignore[arg-type]

    risk = {"regret": true_regret, "selective": true_risk}[promise]
    assert [fit.epsilon for fit in ladder] == list(EPSILONS)
    assert all(fit.bound <= fit.epsilon for fit in ladder if fit.feasible)
    assert all(risk(fit.threshold) <= fit.epsilon * 1.05 for fit in ladder)
    fifth = next(fit for fit in ladder if fit.epsilon == 0.2)  # looser than the base risk, everything is kept
    assert risk(fifth.threshold) == pytest.approx(0.2, rel=0.05)


def test_the_sentence_can_be_signed() -> None:
    """Each promise says what it promises, how surely, on how many questions and since when."""
    p, losses = np.full(1412, 0.9), np.zeros(1412)
    regret = certify_regret(p, losses, epsilon=0.02, delta=DELTA)
    selective, agreement = (
        certify_selective(p, losses, epsilon=0.05, delta=DELTA, promise=promise)
        for promise in ("selective", "agreement")
    )

    end = "with 90 % confidence (n = 1 412, fitted 2026-11-21, valid until the drift alarm)."
    assert regret.sentence("2026-11-21") == (
        f"Keeping answers on this device costs at most 2 % of questions an answer that the cloud had right, {end}"
    )
    assert selective.sentence("2026-11-21") == f"Of the answers kept on this device at most 5 % are wrong, {end}"
    assert agreement.sentence("2026-11-21") == (
        f"Of the answers kept on this device at most 5 % differ from the cloud's, {end}"
    )


def test_a_certificate_survives_strict_json() -> None:
    """Feasible or not, it is the same after writing and reading, without infinities on the way."""
    for epsilon in (0.001, 0.1):
        fit = certify_regret(*questions(6, 300), epsilon=epsilon, delta=DELTA)
        text = json.dumps(fit.as_json(), allow_nan=False)

        assert Certificate.from_json(json.loads(text)) == fit


@pytest.mark.parametrize("change", [{"promise": "luck"}, {"n": "many"}, {"extra": 1}])
def test_a_damaged_certificate_is_refused(change: dict[str, object]) -> None:
    """An unknown promise, a word for a number, or a field too many."""
    record = certify_regret(*questions(6, 300), epsilon=0.1, delta=DELTA).as_json() | change

    with pytest.raises(FittedFileError, match="fit again"):
        Certificate.from_json(record)


def test_questions_needed_is_the_smallest_that_do() -> None:
    """For a clean record it is ln(delta) / ln(1 - epsilon); a rate of epsilon or more is never shown to be below."""
    for epsilon in (0.005, 0.02, 0.1):
        needed = questions_needed(0.0, epsilon, DELTA)

        assert needed == math.ceil(math.log(DELTA) / math.log(1 - epsilon))
        assert (questions_needed(epsilon / 2, epsilon, DELTA) or 0) > needed
        assert questions_needed(epsilon, epsilon, DELTA) is None


def test_what_must_be_escalated_leaves_epsilon() -> None:
    """After escalating that share, all of them wrong, the risk among the rest is epsilon; 0 where it was so before."""
    share = must_escalate(0.3, 0.05)

    assert (0.3 - share) / (1 - share) == pytest.approx(0.05)
    assert must_escalate(0.04, 0.05) == 0.0
