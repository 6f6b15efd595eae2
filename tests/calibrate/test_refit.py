"""A fitted file moves to another quantisation, and certifies on nothing that its head was fitted on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecascade.calibrate.fit import Fit, id_digest
from edgecascade.calibrate.refit import parts, refit
from edgecascade.calibrate.table import table_of
from edgecascade.errors import AttemptsError
from edgecascade.fitted import Fitted
from edgecascade.store.attempts import Attempts
from edgecascade.store.fitted_files import read_fitted, write_fitted

OTHER = {"sha256": "b" * 64, "quantisation": "Q8_0", "model": "Tiny.Q8_0"}


@pytest.fixture
def fitted(whole: Fit, tmp_path: Path) -> Fitted:
    """The file of one quantisation."""
    write_fitted(tmp_path / "fitted.json", whole.file, whole.onnx)
    return Fitted(tmp_path / "fitted.json")


def sibling(attempts: Attempts, **changes: Any) -> Attempts:
    """The same rows as if another quantisation had answered."""
    header = attempts.header
    return Attempts(header.model_copy(update={"identity": replace(header.identity, **OTHER | changes)}), attempts.rows)


def test_nothing_certifies_that_was_fitted_on(fitted: Fitted, attempts: Attempts) -> None:
    """The old questions move the shift; only those that the head never saw are left for the certificate."""
    table = table_of(attempts, "regret")
    shifting, certifying = parts(table, frozenset(fitted.file.fitted_on), 0)

    assert {id_digest(row.id) for row in shifting.attempts} == set(fitted.file.fitted_on)
    assert len(shifting) + len(certifying) == len(table)
    assert len(certifying) == fitted.file.provenance["certified_on"]


def test_new_questions_are_halved(fitted: Fitted, world: Any) -> None:
    """Without old questions half of the new ones move the shift, and are noted as used."""
    fresh = world().draw(60, seed=8)
    renamed = Attempts(fresh.header, tuple(replace(row, id=f"new-{row.id}") for row in fresh.rows))
    found = refit(fitted, sibling(renamed), today="2026-11-22").file

    assert found.provenance["certified_on"] == 30
    assert len(found.fitted_on) == len(fitted.file.fitted_on) + 30


def test_the_new_file_holds_for_the_sibling(fitted: Fitted, attempts: Attempts, tmp_path: Path) -> None:
    """Identity, id and head are whole; the calibrator is the old one, shifted."""
    found = refit(fitted, sibling(attempts), today="2026-11-22")
    write_fitted(tmp_path / "new.json", found.file, found.onnx)
    read = read_fitted(tmp_path / "new.json")

    assert read == found.file
    assert read.identity.quantisation == "Q8_0"
    assert read.calibrator["kind"] == "shifted"
    assert read.provenance["refitted_from"] == fitted.file.id


def test_a_shift_follows_the_sibling(fitted: Fitted, world: Any) -> None:
    """A sibling that is more often wrong gets lower estimates on the same evidence."""
    fresh = world(ease=-1.5).draw(400, seed=9)
    worse = Attempts(fresh.header, tuple(replace(row, id=f"new-{row.id}") for row in fresh.rows))
    found = refit(fitted, sibling(worse), today="2026-11-22").file

    assert found.calibrator["shift"] < 0
    assert np.mean(found.held_out.p) < np.mean(fitted.file.held_out.p)


@pytest.mark.parametrize(
    ("rows", "changes", "named"),
    [
        (400, {"family": "Other 0"}, "another model"),
        (29, {}, "found 29, wanted at least 30"),
    ],
)
def test_what_cannot_refit_is_refused(
    fitted: Fitted, attempts: Attempts, rows: int, changes: dict[str, Any], named: str
) -> None:
    """Another model altogether, or too few rows."""
    few = Attempts(attempts.header, attempts.rows[:rows])

    with pytest.raises(AttemptsError, match=named):
        refit(fitted, sibling(few, **changes), today="2026-11-22")


def test_only_old_questions_are_refused(fitted: Fitted, attempts: Attempts) -> None:
    """Nothing would be left to certify on."""
    old = tuple(row for row in attempts.rows if id_digest(row.id) in set(fitted.file.fitted_on))

    with pytest.raises(AttemptsError, match="wanted at least 10 of these and 10 others"):
        refit(fitted, sibling(Attempts(attempts.header, old)), today="2026-11-22")
