"""Recorded attempts of a local model, as one more model of a table: joined by the question's id.

What no published table has is then known of one model: how its own probabilities looked, and its state behind the
prompt. Rows without an attempt are left out and counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from edgecascade.errors import AttemptsError
from edgecascade.pool import Array, Evidence, Table
from edgecascade.store.attempts import Attempt
from edgecascade.store.prices import Price
from edgecascade.store.tables import ReadTable

FREE = Price(input=0.0, output=0.0)


@dataclass(frozen=True, slots=True)
class Joined:
    """A model's attempts by the question's id; ``price`` of its tokens, 0 where it runs on the device."""

    name: str
    attempts: Mapping[str, Attempt]
    price: Price = FREE


def attached(read: ReadTable, joined: Joined) -> tuple[ReadTable, int]:
    """Return the table with one more model, and how many rows were left out since it has no attempt there.

    Raises AttemptsError where no id is in both, where one id stands for two questions, and for a name twice.
    """
    if joined.name in read.table.models:
        raise AttemptsError(
            f"the attempts of {joined.name!r} cannot be added: found a model of that name in the table, wanted "
            "another; name them, as NAME=FILE"
        )
    places = [place for place, name in enumerate(read.table.ids) if name in joined.attempts]
    if not places:
        raise AttemptsError(
            f"the attempts of {joined.name!r} and the table have no question in common: found ids like "
            f"{next(iter(joined.attempts), 'none')!r}, wanted ids like {read.table.ids[0]!r}; collect them from the "
            "very file with `edgecascade calibrate collect`"
        )
    rows = [joined.attempts[read.table.ids[place]] for place in places]
    digests = tuple(read.digests[place] for place in places)
    for attempt, digest in zip(rows, digests, strict=True):
        if attempt.question and attempt.question != digest:
            raise AttemptsError(
                f"question {attempt.id!r} is another one in the attempts of {joined.name!r}: found digest "
                f"{attempt.question}, wanted {digest}; collect them from the very file"
            )
    table = _with(read.table.rows(places), joined, rows)
    return replace(read, table=table, digests=digests), len(read.table) - len(places)


def _with(table: Table, joined: Joined, rows: Sequence[Attempt]) -> Table:
    """Return the table of these rows with the model as its first."""
    prompts = np.array([row.draft.usage.prompt_tokens for row in rows], np.float64)
    lengths = np.array([row.draft.usage.completion_tokens for row in rows], np.float64)
    columns = {
        "quality": np.array([row.grade.score for row in rows]),
        "cost": (prompts * joined.price.input + lengths * joined.price.output) / 1e6,
        "lengths": lengths,
        "seconds": np.array([row.draft.timings.total_s if row.draft.tokens else np.nan for row in rows]),
        "before": np.full(len(rows), np.nan),
        "after": np.full(len(rows), np.nan),
    }
    merged: dict[str, Any] = {name: np.column_stack([column, getattr(table, name)]) for name, column in columns.items()}
    answers = table.answers and tuple(((row.draft.text,), *own) for row, own in zip(rows, table.answers, strict=True))
    seen = {joined.name: _evidence(rows), **table.evidence}
    models = (joined.name, *table.models)
    changed = replace(table, models=models, answers=answers, evidence=MappingProxyType(seen), **merged)
    return changed if table.states is not None else replace(changed, states=_states(rows), reader=joined.name)


def _evidence(rows: Sequence[Attempt]) -> Evidence:
    """Return the signals that every attempt has."""
    names = tuple(name for name in rows[0].signals if all(name in row.signals for row in rows))
    return Evidence(names, np.array([[row.signals[name] for name in names] for row in rows], np.float64))


def _states(rows: Sequence[Attempt]) -> Array | None:
    """Return the prompts' hidden states (n, width); None where one is missing."""
    found = [row.draft.hidden.prompt for row in rows if row.draft.hidden is not None]
    return np.array(found, np.float64) if len(found) == len(rows) else None
