"""Tests of p_correct by what an answer showed: learnt where signals tell, taken as recorded, or refused."""

from types import MappingProxyType

import numpy as np
import pytest

from edgecascade.errors import PolicyError
from edgecascade.estimators.answered import After, fit_after
from edgecascade.metrics import auroc, nll
from edgecascade.pool import Evidence, Table

NAMES = ("mean_logprob", "tokens", "constant")


def watched(n: int = 600, seed: int = 0) -> Table:
    """Return a table of two models, of which the first has signals: one that tells, one that does not, one constant."""
    random = np.random.default_rng(seed)
    quality = (random.random((n, 2)) < 0.6).astype(float)
    signals = np.column_stack([quality[:, 0] + 0.7 * random.normal(size=n), random.integers(5, 500, n), np.ones(n)])
    seen = MappingProxyType({"m0": Evidence(NAMES, signals)})
    return Table.of(quality, evidence=seen)


def test_signals_that_tell_are_learnt() -> None:
    """New answers are ranked and their estimates beat the mean; a model without signals stays unknown."""
    table = watched()
    after, _ = fit_after(table.rows(range(300)))
    found = after(table.rows(range(300, 600)))
    truth = table.quality[300:, 0]

    assert auroc(found[:, 0], truth) > 0.8
    assert nll(found[:, 0], truth) < nll(np.full(300, truth.mean()), truth) - 0.1
    assert np.isnan(found[:, 1]).all()


def test_training_answers_are_estimated_without_themselves() -> None:
    """Where signals are noise, the out-of-fold estimates do not rank the rows they were fitted on."""
    random = np.random.default_rng(1)
    quality = (random.random((200, 1)) < 0.5).astype(float)
    noise = Evidence(tuple(f"s{place}" for place in range(40)), random.normal(size=(200, 40)))
    _, held = fit_after(Table.of(quality, evidence=MappingProxyType({"m0": noise})))

    assert auroc(held[:, 0], quality[:, 0]) < 0.65


def test_recorded_estimates_are_taken_as_they_are() -> None:
    """They go before signals, row by row, in training and on new tables."""
    table = watched()
    table.after[::2, 0] = 0.25
    after, held = fit_after(table)

    for found in (held, after(table)):
        assert (found[::2, 0] == 0.25).all()
        assert np.isfinite(found[1::2, 0]).all()


def test_estimates_that_are_no_probabilities_are_refused() -> None:
    """Recorded ones outside 0 to 1, signals that are NaN, and signals that a new table lacks."""
    table = watched()
    after, _ = fit_after(table)
    fewer = Evidence(NAMES[1:], table.evidence["m0"].values[:, 1:])
    with pytest.raises(PolicyError):
        after(Table.of(table.quality, evidence=MappingProxyType({"m0": fewer})))
    table.evidence["m0"].values[3, 0] = np.nan
    with pytest.raises(PolicyError):
        fit_after(table)
    table.after[0, 1] = 1.5
    with pytest.raises(PolicyError):
        fit_after(table)


def test_signals_are_found_by_name() -> None:
    """Another order of the signals and of the models, and one answer alone, give the same estimates."""
    table = watched()
    after = After.of_json(fit_after(table)[0].as_json())
    turned = Evidence(NAMES[::-1], table.evidence["m0"].values[:, ::-1])
    other = Table.of(table.quality[:, ::-1], models=("m1", "m0"), evidence=MappingProxyType({"m0": turned}))

    np.testing.assert_array_equal(after(other)[:, 1], after(table)[:, 0])
    np.testing.assert_allclose(after(table.rows([7]))[0, 0], after(table)[7, 0])
