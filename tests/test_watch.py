"""Monitors outlive the process, and only ever take a promise back."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgecascade.fitted import Fitted
from edgecascade.identity import Verdict
from edgecascade.store.paths import Folders, shipped
from edgecascade.watch import Watch

FRESH = Verdict("fresh", "fitted for exactly this")


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    """The fitted file of the default model."""
    return Fitted(shipped("calibration/fitted") / "smollm2-135m.json")


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A user without anything."""
    return Folders(tmp_path, tmp_path, tmp_path, tmp_path / "state")


@pytest.fixture
def watch(fitted: Fitted, folders: Folders) -> Watch:
    """Its monitors, new."""
    return Watch(fitted, folders)


def test_estimates_like_those_of_the_fit_are_no_drift(watch: Watch, fitted: Fitted) -> None:
    """The calibration's own estimates, seen again, leave the promise in force."""
    for p in fitted.file.held_out.p[::5]:
        watch.saw(p)

    assert watch.verdict(FRESH) == FRESH


def test_estimates_of_another_kind_withdraw_the_promise(watch: Watch) -> None:
    """Only the surest answers, again and again, are other questions than those of the fit."""
    for _ in range(200):
        watch.saw(0.99)

    assert watch.verdict(FRESH).state == "stale"
    assert "drift" in watch.verdict(FRESH).reason


def test_audits_that_refute_the_promise_withdraw_it(watch: Watch) -> None:
    """Kept answers that keep being wrong raise the alarm, and raise the threshold meanwhile."""
    for _ in range(60):
        watch.audited(kept=True, loss=1.0, probability=0.5)

    assert watch.verdict(FRESH).state == "stale"
    assert "audits" in watch.verdict(FRESH).reason
    assert watch.stricter > 0


def test_audits_that_hold_change_nothing(watch: Watch) -> None:
    """Right answers never loosen the certified threshold."""
    for _ in range(60):
        watch.audited(kept=True, loss=0.0, probability=0.5)

    assert watch.verdict(FRESH) == FRESH
    assert watch.stricter == 0


def test_what_is_not_kept_says_nothing_about_a_promise_on_the_kept(watch: Watch) -> None:
    """A selective promise ignores it; a promise of regret counts it as no loss."""
    watch.audited(kept=False, loss=1.0, probability=0.5)
    selective = watch.state.audit.audits
    watch.certificate = replace(watch.certificate, promise="regret")
    watch.audited(kept=False, loss=1.0, probability=0.5)
    watch.audited(kept=True, loss=None, probability=0.5)

    assert selective == 0
    assert (watch.state.audit.audits, watch.state.audit.total) == (1, 0.0)


def test_each_risk_of_the_ladder_is_watched_by_itself(fitted: Fitted, watch: Watch) -> None:
    """The audits of one promise say nothing about another."""
    other = Watch(fitted, Folders(Path(), Path(), Path(), watch.path.parent.parent), epsilon=0.1)
    for _ in range(60):
        watch.audited(kept=True, loss=1.0, probability=0.5)

    assert watch.verdict(FRESH).state == "stale"
    assert other.path != watch.path and other.verdict(FRESH) == FRESH


def test_the_next_process_goes_on(watch: Watch, fitted: Fitted) -> None:
    """What one process saw, another one knows; the state stays small whatever was seen."""
    for _ in range(50):
        watch.saw(0.2)
    size = watch.path.stat().st_size
    again = Watch(fitted, Folders(Path(), Path(), Path(), watch.path.parent.parent))
    for _ in range(50):
        again.saw(0.2)
    watch.saw(0.2)

    assert watch.state.drift.weights != again.state.drift.weights
    assert 80 < again.state.drift.count < watch.state.drift.count
    assert watch.path.stat().st_size < size + 100


def gates_at_work(fitted: Fitted, watch: Watch, *, rounds: int = 1) -> list[Verdict]:
    """What the monitors say while the gates stop the least sure two fifths of the calibration's own questions."""
    estimates = fitted.file.held_out.p[::4] * rounds
    limit = sorted(estimates)[len(estimates) * 2 // 5]
    said = []
    for p in estimates:
        if p < limit:
            watch.stopped()
        else:
            watch.saw(p)
        said.append(watch.verdict(FRESH))
    return said


def test_gates_that_do_their_work_are_no_drift(fitted: Fitted, folders: Folders) -> None:
    """Answers that they stop are questions like those of the fit."""
    watch = Watch(fitted, folders, gated=True)
    said = gates_at_work(fitted, watch)

    assert said == [FRESH] * len(said)
    assert 400 < watch.state.drift.count < len(said)


def test_gates_that_stop_everything_withdraw_the_promise(fitted: Fitted, folders: Folders) -> None:
    """Such are other questions than those of the fit; so are those of which nearly all pass and are kept."""
    stopping, passing = Watch(fitted, folders, gated=True), Watch(fitted, folders, epsilon=0.4, gated=True)
    for _ in range(300):
        stopping.stopped()
    stopped = stopping.verdict(FRESH)
    for _ in range(600):
        passing.saw(0.99)

    assert stopped.state == "stale" and "drift" in stopped.reason
    assert passing.verdict(FRESH).state == "stale"


def test_with_and_without_gates_are_watched_apart(fitted: Fitted, folders: Folders) -> None:
    """Two promises, two memories; each goes on in the next process."""
    gated, plain = Watch(fitted, folders, gated=True), Watch(fitted, folders)
    gated.stopped()
    again = Watch(fitted, folders, gated=True)

    assert gated.path != plain.path and not plain.path.exists()
    assert again.state == gated.state and again.state.drift.count == pytest.approx(1)
    assert again.certificate.threshold > plain.certificate.threshold


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"drift": {"weights": [1], "squares": 1, "memory": 10}}'])
def test_a_damaged_memory_is_begun_anew(watch: Watch, damage: str) -> None:
    """Losing the memory of a monitor is no reason to fail."""
    watch.saw(0.5)
    watch.path.write_text(damage)
    watch.saw(0.5)

    assert watch.state.drift.count == pytest.approx(1.0)
    assert json.loads(watch.path.read_text())["schema_version"] == 1


def test_what_was_withdrawn_before_stays_withdrawn(watch: Watch) -> None:
    """A verdict that is not fresh is passed on as it is."""
    stale = Verdict("stale", "another quantisation")

    assert watch.verdict(stale) == stale
