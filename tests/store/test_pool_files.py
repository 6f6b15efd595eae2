"""A saved policy: the same decisions after a restart, and nothing that is not one is taken for one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecascade.errors import PolicyError
from edgecascade.estimators import fit_estimator, fit_features
from edgecascade.policies import linucb
from edgecascade.policies.pooled import Training
from edgecascade.pool import Array, Queries, Seen, Table
from edgecascade.store.pool_files import PoolFile, digest_of, key_of, open_pool, read_pool, write_pool

WORDS = ("stars", "rivers", "numbers", "trees", "words")


def table(n: int = 60) -> Table:
    """Return questions of two models, each of which knows about some things."""
    random = np.random.default_rng(0)
    topics = random.integers(0, len(WORDS), n)
    quality = np.stack([topics < 2, topics > 1], axis=1).astype(float)
    texts = tuple(f"What of the {WORDS[topic]} {row % 9}?" for row, topic in enumerate(topics))
    return Table.of(quality, random.uniform(1e-4, 2e-4, (n, 2)), models=("small", "large"), texts=texts)


@pytest.fixture(scope="module")
def saved() -> PoolFile:
    """A learner that was fitted on words, as it is saved."""
    rows = table()
    queries = Queries(kind="text", source="the words", texts=rows.texts)
    features = fit_features(queries, dims=8)
    vectors = features(queries)
    estimator, beliefs = fit_estimator(rows, vectors, rows.after)
    fitted = linucb.fit(Training(table=rows, features=vectors, estimator=estimator, beliefs=beliefs))
    return PoolFile(
        policy="linucb",
        models=rows.models,
        unit="usd",
        budget=2e-4,
        kind="text",
        source="the words",
        features=features.as_json(),
        estimator=estimator.as_json(),
        fitted=fitted.as_json(),
        created="2026-11-22T09:00:00Z",
        rows=len(rows),
        table_sha256=digest_of(rows),
    )


def decisions(file: PoolFile, texts: tuple[str, ...]) -> tuple[Array, Array]:
    """Return the ranking of each text and what is expected to be spent on it."""
    opened = open_pool(file)
    seen = Seen.first(opened.features(Queries(kind="text", source="", texts=texts)), 2)
    return opened.fitted.at(file.budget).worth(seen), opened.estimator.cost(seen)


def test_a_saved_policy_decides_as_before(saved: PoolFile, tmp_path: Path) -> None:
    """Written, read and opened, it ranks every question to the last bit as it did."""
    path, texts = tmp_path / "policy.json", ("What of the stars?", "numbers", "")
    write_pool(path, saved)
    again = read_pool(path)

    assert key_of(again) == key_of(saved)
    for ours, theirs in zip(decisions(saved, texts), decisions(again, texts), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_arrays_and_numbers_come_back_as_they_were(saved: PoolFile, tmp_path: Path) -> None:
    """Kinds, shapes, infinities and NaN; the file itself is plain JSON."""
    arrays = [np.arange(6.0).reshape(2, 3), np.array([True, False]), np.zeros((0, 4), np.int32), np.array(2.5, "f4")]
    given = {"arrays": arrays, "numbers": [np.nan, -np.inf, np.float64(0.1), np.intp(3), None, "text", {"float": 1.0}]}
    write_pool(tmp_path / "policy.json", saved.model_copy(update={"fitted": given}))
    found = read_pool(tmp_path / "policy.json").fitted

    json.loads((tmp_path / "policy.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    for ours, theirs in zip(arrays, found["arrays"], strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    assert np.isnan(found["numbers"][0])
    assert found["numbers"][1:] == [-np.inf, 0.1, 3, None, "text", {"float": 1.0}]


def test_what_is_no_number_is_not_saved(saved: PoolFile, tmp_path: Path) -> None:
    """Arrays of objects, and classes, are refused before anything is written."""
    for thing in (np.array(["text"]), np.array([None]), object()):
        with pytest.raises(PolicyError, match="cannot be saved: found"):
            write_pool(tmp_path / "policy.json", saved.model_copy(update={"fitted": {"thing": thing}}))

    assert not list(tmp_path.iterdir())


def changed(record: dict[str, Any], place: tuple[str, ...], value: object) -> str:
    """Return the file's text with one value in it changed."""
    inner = record
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return json.dumps(record)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda record: "{", "is no saved policy"),
        (lambda record: "[]", "another schema: found None"),
        (
            lambda record: changed(record, ("schema",), "edgecascade.pool/9"),
            "another schema: found 'edgecascade.pool/9'",
        ),
        (lambda record: changed(record, ("policy",), "astrology"), "no known name: found 'astrology'"),
        (lambda record: "[" * 100_000, "is no saved policy"),
        (lambda record: changed(record, ("rows",), 0), "is damaged: rows"),
        (lambda record: changed(record, ("confidence",), 1.0), "is damaged: confidence"),
        (lambda record: changed(record, ("budget",), {"float": "nan"}), "is damaged: budget"),
        (lambda record: changed(record, ("learned",), 2**63), "is damaged: learned"),
        (lambda record: changed(record, ("more",), 1), "is damaged: more"),
        (lambda record: changed(record, ("features", "centre", "base64"), "AAAA"), "an array cannot be read"),
        (lambda record: changed(record, ("features", "centre", "base64"), "?"), "an array cannot be read"),
        (lambda record: changed(record, ("features", "centre", "dtype"), "O"), "an array cannot be read"),
    ],
)
def test_a_damaged_file_is_refused(
    saved: PoolFile, tmp_path: Path, damage: Callable[[dict[str, Any]], str], message: str
) -> None:
    """What is wrong, found and wanted, and what to do."""
    path = tmp_path / "policy.json"
    write_pool(path, saved)
    path.write_text(damage(json.loads(path.read_text())))

    with pytest.raises(PolicyError, match=message):
        read_pool(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """By its path."""
    with pytest.raises(PolicyError, match=r"missing\.json cannot be read"):
        read_pool(tmp_path / "missing.json")


@pytest.mark.parametrize(
    "update",
    [
        {"models": ("small", "middle", "large")},
        {"features": {}},
        {"fitted": {"models": ["small"]}},
        {"policy": "constant"},
    ],
)
def test_parts_that_do_not_belong_together_are_refused(saved: PoolFile, update: dict[str, Any]) -> None:
    """When it is opened, not when it is asked."""
    with pytest.raises(PolicyError, match="saved policy"):
        open_pool(saved.model_copy(update=update))


@pytest.mark.parametrize("most", [10**400, np.zeros(0), np.full(2, np.nan)], ids=["too large", "too few", "NaN"])
def test_costs_that_are_no_numbers_are_refused(saved: PoolFile, most: Any) -> None:
    """When it is opened, not when it is asked."""
    expense = saved.estimator["expense"] | {"most": most}
    with pytest.raises(PolicyError, match="fit again"):
        open_pool(saved.model_copy(update={"estimator": saved.estimator | {"expense": expense}}))


def test_estimates_of_another_width_are_refused(saved: PoolFile) -> None:
    """An estimator for other features cannot be asked about these."""
    features = saved.features | {"words": None}
    with pytest.raises(PolicyError, match="does not fit together"):
        open_pool(saved.model_copy(update={"features": features}))


def test_the_key_is_of_what_was_fitted(saved: PoolFile) -> None:
    """A state that was learned keeps it; another table is another policy."""
    learned = saved.model_copy(update={"fitted": {}, "learned": 7, "origin": key_of(saved)})

    assert key_of(learned) == key_of(saved)
    assert key_of(saved.model_copy(update={"table_sha256": digest_of(table(61))})) != key_of(saved)
