"""A fit promises no more than holds, certifies on what it did not learn from, and says when nothing can be promised."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from edgecascade.calibrate.fit import FIT_SHARE, Fit, advice_of, estimates, fit, reference_of, split
from edgecascade.calibrate.table import Promise, Table, table_of
from edgecascade.calibrate.training import COMPACT, compact
from edgecascade.calibrators import CALIBRATORS
from edgecascade.errors import AttemptsError
from edgecascade.fitted import Fitted
from edgecascade.guarantees.certificate import Certificate
from edgecascade.guarantees.ladder import EPSILONS, certify_ladder
from edgecascade.heads import Inputs, Vector
from edgecascade.labelled import Grade
from edgecascade.monitor.psi import PsiState, Reference, psi
from edgecascade.store.attempts import Attempt, Attempts, read_attempts, write_attempts
from edgecascade.store.fitted_files import read_fitted, write_fitted

REFITS, DELTA = 120, 0.1
ROUNDED = 6e-5
"""Estimates are stored with four digits."""
Refit = Callable[..., Fit]


def without_states(attempts: Attempts) -> Attempts:
    """The same attempts, quicker to fit."""
    return changed(attempts, lambda number, row: replace(row, draft=replace(row.draft, hidden=None)))


def changed(attempts: Attempts, change: Callable[[int, Attempt], Attempt]) -> Attempts:
    """The attempts, each one changed."""
    return Attempts(attempts.header, tuple(change(number, row) for number, row in enumerate(attempts.rows)))


# The promise


@pytest.fixture(scope="module")
def population(world: Any) -> Table:
    """All questions that there are; each refit draws some of them with replacement."""
    return table_of(world().draw(4000), "regret")


@pytest.fixture(scope="module")
def refits(population: Table) -> list[tuple[Vector, Vector, Table]]:
    """Estimates of the whole population, and of the certifying part with its rows, of many small calibrations."""
    everything, found = population.matrix(Inputs(COMPACT)), []
    for seed in range(REFITS):
        drawn = np.random.default_rng(seed).integers(len(population), size=250)
        fitting, certifying = split(population.take(drawn), seed)
        head = compact(fitting)
        calibrator = CALIBRATORS["platt"](head(fitting.matrix(head.inputs)), fitting.y)
        found.append((calibrator(head(everything)), estimates(head, calibrator, certifying), certifying))
    return found


def losses_of(table: Table, promise: Promise) -> Vector:
    """What keeping each answer costs."""
    return table.loss if promise == "regret" else 1 - table.y


def risk(p: Vector, losses: Vector, threshold: float, promise: Promise) -> float:
    """The risk that a certificate speaks of, on these rows."""
    kept = p >= threshold
    return float((losses * kept).sum() / (len(p) if promise == "regret" else max(kept.sum(), 1)))


@pytest.mark.parametrize(("promise", "epsilon"), [("regret", 0.1), ("selective", 0.2)])
def test_a_certificate_is_broken_no_more_often_than_delta(
    population: Table, refits: list[tuple[Vector, Vector, Table]], promise: Promise, epsilon: float
) -> None:
    """Of many calibrations the share with a true risk above epsilon stays at delta; a plug-in threshold's does not."""
    broken = naive = kept = 0
    for p, own, rows in refits:
        (certificate,) = certify_ladder(
            own, losses_of(rows, promise), delta=DELTA, promise=promise, epsilons=(epsilon,)
        )
        seen = [t for t in own if risk(own, losses_of(rows, promise), t, promise) <= epsilon]
        truth = losses_of(population, promise)
        kept += certificate.feasible
        broken += risk(p, truth, certificate.threshold, promise) > epsilon
        naive += risk(p, truth, min(seen, default=1.0), promise) > epsilon

    most = binom.ppf(0.999, REFITS, DELTA)
    assert broken <= most < naive and kept > REFITS / 2


# The parts


def test_every_row_fits_or_certifies(population: Table) -> None:
    """The parts are disjoint, and together they are all; each task stands in both in the same proportion."""
    fitting, certifying = split(population, 0)
    ids = [{row.id for row in part.attempts} for part in (fitting, certifying)]

    assert not ids[0] & ids[1] and len(ids[0] | ids[1]) == len(population)
    for task in range(len(population.tasks)):
        share = (fitting.task == task).sum() / (population.task == task).sum()
        assert share == pytest.approx(FIT_SHARE, abs=0.005)


def test_small_tasks_do_not_all_round_the_same_way(world: Any) -> None:
    """With two questions a task the parts keep their sizes."""
    table = table_of(world(tasks=100).draw(200), "regret")

    assert len(split(table, 0)[0]) == pytest.approx(FIT_SHARE * len(table), abs=1)


def test_the_split_is_drawn_from_its_seed(population: Table) -> None:
    """The same seed gives the same parts, another seed others."""
    first, again, other = (split(population, seed)[0] for seed in (3, 3, 4))

    assert first.attempts == again.attempts != other.attempts


@dataclass(frozen=True, slots=True)
class Small:
    """A few attempts without states, their fit at a risk of 0.07, and what was said meanwhile."""

    attempts: Attempts
    fit: Fit
    said: tuple[str, ...]


@pytest.fixture(scope="module")
def small(world: Any, refit: Refit) -> Small:
    """Fitted once."""
    attempts, said = without_states(world().draw(120)), list[str]()
    return Small(attempts, refit(attempts, epsilon=0.07, say=said.append), tuple(said))


def test_what_certifies_is_not_learnt_from(small: Small, refit: Refit) -> None:
    """Where only the grades of the certifying part change, head and calibrator stay, and the certificates do not."""
    certifying = {row.id for row in split(table_of(small.attempts, "regret"), 0)[1].attempts}

    def turn(number: int, row: Attempt) -> Attempt:
        return replace(row, grade=Grade(1 - row.grade.score)) if row.id in certifying else row

    one, other = small.fit.file, refit(changed(small.attempts, turn), epsilon=0.07).file

    assert (one.head, one.calibrator) == (other.head, other.calibrator)
    assert [gate.weights for gate in one.gates] == [gate.weights for gate in other.gates]
    assert one.certificates != other.certificates


# The file


def test_the_file_says_what_was_fitted_on_what(whole: Fit, attempts: Attempts) -> None:
    """Counts, promise and versions; the header's own fields as they were."""
    file = whole.file

    assert (file.identity, file.cloud, file.fingerprint) == (
        attempts.header.identity, attempts.header.cloud, attempts.header.fingerprint,
    )  # fmt: skip
    assert file.provenance["fitted_on"] + file.provenance["certified_on"] == file.provenance["attempts"] == 400
    assert len(file.held_out.p) == file.provenance["certified_on"] == file.certificates[0]["n"]
    assert (file.promise, file.epsilon, file.delta, file.created) == ("regret", 0.05, 0.1, "2026-11-22")


def test_a_certificate_stands_for_every_risk_of_the_ladder(small: Small) -> None:
    """In rising order, the wanted one among them; a larger risk keeps no less."""
    certificates = [Certificate.from_json(record) for record in small.fit.file.certificates]

    assert [certificate.epsilon for certificate in certificates] == sorted({*EPSILONS, 0.07})
    assert all(a.kept <= b.kept for a, b in pairwise(certificates))


def test_each_step_is_told(small: Small) -> None:
    """What takes long says what it is doing."""
    assert small.said[0].startswith("head: ")
    assert small.said[-4:] == ("calibrator", "gates", "certificates", "metrics")


def test_a_certified_file_keeps_its_promise_on_its_own_rows(whole: Fit) -> None:
    """Those at or above the threshold are the ones that it counts, and their loss is below the bound."""
    (certificate,) = [Certificate.from_json(c) for c in whole.file.certificates if c["epsilon"] == whole.file.epsilon]
    p, loss = np.array(whole.file.held_out.p), np.array(whole.file.held_out.loss)

    assert whole.file.verdict == "certified" and certificate.feasible
    surely, maybe = (p >= certificate.threshold + ROUNDED).sum(), (p >= certificate.threshold - ROUNDED).sum()
    assert surely <= certificate.kept <= maybe
    assert loss[p >= certificate.threshold + ROUNDED].sum() / len(p) <= certificate.bound <= certificate.epsilon


def test_what_is_certified_behind_the_gates_holds_by_itself(whole: Fit) -> None:
    """A rung for each risk again, over the same questions; what it keeps lost no more than its bound."""
    alone, composed = (
        list(map(Certificate.from_json, rungs)) for rungs in (whole.file.certificates, whole.file.composed)
    )

    assert [(rung.epsilon, rung.n) for rung in composed] == [(rung.epsilon, rung.n) for rung in alone]
    for rung in composed:
        assert not rung.feasible or rung.losses / rung.n <= rung.bound <= rung.epsilon


def test_a_recorded_attempt_gets_its_held_out_estimate(whole: Fit, attempts: Attempts, tmp_path: Path) -> None:
    """Written and read again, file and attempts give the numbers of the fit: linear in numpy, and by onnxruntime."""
    write_attempts(tmp_path / "run.jsonl", attempts)
    write_fitted(tmp_path / "fitted.json", whole.file, whole.onnx)
    again = read_attempts([tmp_path / "run.jsonl"])
    certifying = split(table_of(again, "regret"), 0)[1]

    for onnx in (False, True):
        fitted = Fitted(tmp_path / "fitted.json", onnx=onnx)
        found = [fitted.p_correct(row.draft, row.signals) for row in certifying.attempts]
        assert found == pytest.approx(whole.file.held_out.p, abs=ROUNDED)


def test_signals_need_not_be_given(whole: Fit, attempts: Attempts, tmp_path: Path) -> None:
    """A draft alone has the estimate that it has with its recorded signals."""
    write_fitted(tmp_path / "fitted.json", whole.file, whole.onnx)
    fitted = Fitted(tmp_path / "fitted.json")

    for row in attempts.rows[:20]:
        assert fitted.p_correct(row.draft) == pytest.approx(fitted.p_correct(row.draft, row.signals), rel=1e-12)


def test_the_same_attempts_and_seed_give_the_same_file(small: Small, refit: Refit) -> None:
    """Its id, its content and the bytes of its head."""
    again = refit(small.attempts, epsilon=0.07)

    assert again == small.fit and again.file.id == again.file.digest()


# What cannot be promised, and what cannot be fitted


def test_too_few_questions_promise_nothing(world: Any, refit: Refit, tmp_path: Path) -> None:
    """The verdict is infeasible, with how many would do and what to do; a file that keeps nothing, however sure.

    Its tasks are so small that some measures are no numbers: the file is whole all the same.
    """
    fit = refit(without_states(world(tasks=40, ease=1.0, skill=4.0).draw(100)), epsilon=0.01)
    write_fitted(tmp_path / "fitted.json", fit.file, fit.onnx)
    certificate = Fitted(tmp_path / "fitted.json").certificate()

    assert fit.file.verdict == "infeasible" and fit.file.advice.startswith("DO NOT CASCADE")
    assert certificate.needed and certificate.needed > 60 and f"{certificate.needed:,}" in fit.file.advice
    assert (certificate.kept, certificate.threshold) == (0, math.inf)
    assert "NaN" not in (tmp_path / "fitted.json").read_text()


def test_a_useless_device_promises_nothing(world: Any, refit: Refit, tmp_path: Path) -> None:
    """Nearly always wrong, and nothing shows when it is not: that is a result too, and keeps nothing."""
    fit = refit(without_states(world(ease=-2.0, skill=0.0).draw(200)), promise="selective")
    write_fitted(tmp_path / "fitted.json", fit.file, fit.onnx)
    reference = Reference.from_json(Fitted(tmp_path / "fitted.json").file.reference)

    assert fit.file.verdict == "infeasible" and fit.file.advice.startswith("DO NOT CASCADE")
    assert all(record["kept"] == 0 for record in fit.file.certificates if record["epsilon"] <= 0.1)
    assert sum(reference.shares) == 1


def certified(kept: int, promise: Promise = "regret") -> Certificate:
    """A certificate of a hundred questions."""
    return Certificate(
        promise=promise, epsilon=0.05, delta=0.1, n=100, threshold=0.5, kept=kept, losses=0.0, bound=0.04, reason="",
        needed=None, method="exact",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("certificate", "beginning"),
    [
        (certified(100), "No cloud is needed"),
        (certified(100, "selective"), "100% of the answers can be kept: 100% of them were right here"),
        (certified(40), "40% of the answers can be kept"),
        (certified(4), "DO NOT CASCADE: only 4.0%"),
    ],
)
def test_advice_follows_what_can_be_kept(population: Table, certificate: Certificate, beginning: str) -> None:
    """All: no cloud; a part: what that pays for; hardly any: not worth it."""
    assert advice_of(certificate, population).startswith(beginning)


def test_an_estimate_that_never_changes_cannot_drift() -> None:
    """Its reference has a bin that it never leaves: after any number of answers the index is 0."""
    reference = reference_of(np.full(40, 0.3))
    state = PsiState.of(reference)
    for _ in range(300):
        state = state.update(0.3, reference)

    assert Reference.from_json(reference.as_json()) == reference and psi(state, reference) == 0


def no_cloud(number: int, row: Attempt) -> Attempt:
    """Nobody asked the cloud."""
    return replace(row, cloud=None, agrees=None)


def graded(score: float, but: int = 0) -> Callable[[int, Attempt], Attempt]:
    """All of one score, but for some."""
    return lambda number, row: replace(row, grade=Grade(1 - score if number < but else score))


def older(number: int, row: Attempt) -> Attempt:
    """A signal had another name."""
    return replace(row, signals={name.replace("mean_margin", "margin"): row.signals[name] for name in row.signals})


@pytest.mark.parametrize(
    ("count", "change", "message"),
    [
        (49, lambda number, row: row, "found 49, wanted at least 50"),
        (60, graded(1.0), "found 60 attempts, all right, wanted both; add harder questions"),
        (60, graded(0.0), "found 60 attempts, all wrong, wanted both; add easier questions"),
        (60, graded(1.0, but=1), r"too few wrong .*: found [01] of 24 to fit on, wanted at least 2; add harder"),
        (60, graded(0.0, but=1), r"too few right .*: found [01] of 24 to fit on, wanted at least 2; add easier"),
        (60, no_cloud, "found none in 60 of 60; collect with --cloud-column"),
        (60, older, "has other signals than this version: margin, mean_margin found on one side only; collect anew"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    world: Any, refit: Refit, count: int, change: Callable[[int, Attempt], Attempt], message: str
) -> None:
    """At once, with what was found, what was wanted, and what to do."""
    with pytest.raises(AttemptsError, match=message):
        refit(changed(world().draw(count), change))


def test_what_is_needed_counts_what_fits_too(world: Any, refit: Refit) -> None:
    """More than there are, and enough that three fifths of them suffice to certify."""
    few = world().draw(120, seed=5)
    found = refit(few, promise="regret", epsilon=0.01).file
    needed = [certificate["needed"] for certificate in found.certificates if certificate["needed"]]

    assert needed and all(count > 120 for count in needed)


def test_shards_in_another_order_fit_as_one_run_would(attempts: Attempts, whole: Fit) -> None:
    """The split is drawn from the ids, not from the order in which the rows were collected."""
    turned = fit(
        Attempts(attempts.header, attempts.rows[::-1]), promise="regret", epsilon=0.05, delta=0.1, today="2026-11-22"
    )

    assert turned.file.id == whole.file.id


def test_figures_that_are_not_defined_are_null(world: Any, tmp_path: Path) -> None:
    """A task for every few questions leaves nothing to rank within tasks; the file can still be written and read."""
    many = world(tasks=40).draw(120, seed=3)
    found = fit(many, promise="selective", epsilon=0.3, delta=0.1, today="2026-11-22")
    write_fitted(tmp_path / "many.json", found.file, found.onnx)

    assert found.file.metrics["auroc_within_tasks"] == {"value": None, "low": None, "high": None}
    assert read_fitted(tmp_path / "many.json") == found.file
