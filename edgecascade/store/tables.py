"""Tables of results: a question file whose ``scores`` say what each model made of each question.

One JSON object a line, as in ``questions``; only ``question`` (or ``messages``) and ``scores`` must be there:

    scores     {model: 0 to 1}                 costs      {model: USD}           seconds  {model: s}
    lengths    {model: tokens of its answer}   answers    {model: text, or a list of texts, one a sample}
    estimates  {model: p, or {"before": p, "after": p}}: of its score, before and after it has run
    prompt_tokens  of the question             task, choices, gold, metric ...: as in a question file

In CSV the same stand in columns of their own, ``score:MODEL`` (see ``table_rows``).

A question without a score of one of the models is left out and counted: half a row would favour whoever is missing.
Nothing is graded here, so an unknown metric or a missing gold answer is no fault.
"""

import hashlib
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgecascade.errors import QuestionFileError
from edgecascade.labelled import LabelledQuestion
from edgecascade.pool import Array, Samples, Table, Unit
from edgecascade.prompts import CHOOSE
from edgecascade.store.attempts import digest_of
from edgecascade.store.prices import Price
from edgecascade.store.table_rows import Kept, Reading, Results

USUAL_TOKENS = 250.0
"""Of an answer whose length is not known."""
SELDOM = 0.5
"""Of the rows: a model with scores in fewer is a slip, unless it was asked for by name."""
BYTES_PER_TOKEN = 4.0
"""Of a prompt whose tokens were not counted: about right for English."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReadTable:
    """A table, and what became of the file on the way.

    digests    of each row's question, as recorded attempts know it    sha256  of the file
    left_out   rows without a score of one of the models
    repeated   rows that ask what an earlier one asks; only the first is kept, since a copy on both sides of a split is
               no new question
    differing  of them, those with other scores than the first
    ignored    fields of the file that mean nothing here
    costs      where the costs are from, for people
    """

    table: Table
    digests: tuple[str, ...]
    sha256: str
    left_out: int = 0
    repeated: int = 0
    differing: int = 0
    ignored: tuple[str, ...] = ()
    costs: str = ""

    def notes(self) -> list[str]:
        """Return what a user should know of it, a sentence each."""
        notes = [f"costs: {self.costs}"]
        if self.left_out:
            notes.append(f"{self.left_out} rows left out: no score of at least one of {', '.join(self.table.models)}")
        if self.repeated:
            notes.append(f"{self.repeated} repeated questions left out, {self.differing} of them with other scores")
        if self.ignored:
            notes.append(f"fields that mean nothing here: {', '.join(self.ignored)}")
        return notes


def read_table(
    path: str | Path,
    *,
    models: Sequence[str] | None = None,
    prices: Mapping[str, Price] | None = None,
    scored: bool = True,
) -> ReadTable:
    """Return the results in a question file, or in every ``*.jsonl`` of a folder.

    models  those wanted, in their order; None: all that have a score anywhere, which must be in half of the rows each
    prices  USD per million tokens, for the costs that the file does not record; {} and None: none are known
    scored  False: a file without any scores is a table of no models, to which recorded attempts are then added

    A recorded cost goes before a price; where neither is there for any model, each call costs one, and the table's unit
    is "calls". Raises QuestionFileError, with file and line, for what is no table of results or breaks its rules.
    """
    path = Path(path)
    reading = Reading(scored=scored)
    digests = [reading.add(file) for file in (sorted(path.glob("*.jsonl")) if path.is_dir() else [path])]
    rows = [results for _, results in reading.rows]
    wanted = _wanted(path, rows, models) if scored or any(row.scores for row in rows) else ()
    kept = [row for row in reading.rows if row[1].has_all(wanted)]
    if not kept:
        rarest = min(wanted, key=lambda name: sum(row.has_all([name]) for _, row in reading.rows))
        raise QuestionFileError(
            f"{path}: no question has a score of each model: found {rarest!r} least often, wanted all of "
            f"{', '.join(wanted)}; choose among them with --models"
        )
    table, costs = _priced(_table(kept, wanted), [results for _, results in kept], prices or {})
    return ReadTable(
        table=table,
        digests=tuple(digest_of(question) for question, _ in kept),
        sha256=hashlib.sha256("\n".join(digests).encode()).hexdigest() if path.is_dir() else digests[0],
        left_out=reading.unscored + len(reading.rows) - len(kept),
        repeated=reading.repeated,
        differing=reading.differing,
        ignored=tuple(sorted(reading.ignored)),
        costs=costs,
    )


def _wanted(path: Path, rows: Sequence[Results], models: Sequence[str] | None) -> tuple[str, ...]:
    """Return the models to read; QuestionFileError where there are none, or one that is named is not there."""
    there = tuple(dict.fromkeys(name for row in rows for name, score in row.scores.items() if score is not None))
    if not there:
        raise QuestionFileError(
            f"{path} is no table of results: found no row with 'scores', wanted {{model: 0 to 1}} in each; name one, "
            "or collect scores first"
        )
    for name in models or ():
        if name not in there:
            raise QuestionFileError(f"{path} has no model {name!r}: found {', '.join(there)}; choose among them")
    if models:
        return tuple(dict.fromkeys(models))
    scored = [row for row in rows if row.has_any()]
    for name in there:
        if (found := sum(row.has_all([name]) for row in scored)) < len(scored) * SELDOM:
            others = ",".join(other for other in there if other != name)
            raise QuestionFileError(
                f"{path}: {name!r} would leave out most questions: found a score of it in {found} of {len(scored)} "
                f"rows, wanted one in half of them at least; leave it out with --models {others}, or name it there too"
            )
    return there


def _table(kept: Sequence[Kept], models: tuple[str, ...]) -> Table:
    """Return the table of rows that have all scores; costs are still unknown, so each call counts one."""
    rows = [results for _, results in kept]
    questions = [question for question, _ in kept]
    texts = tuple(map(_text, questions))
    lengths = [len(text.encode()) / BYTES_PER_TOKEN for text in texts]
    tokens = [
        length if row.prompt_tokens is None else row.prompt_tokens for row, length in zip(rows, lengths, strict=True)
    ]
    return Table.of(
        _column(rows, models, lambda row: row.scores),
        models=models,
        ids=tuple(question.id for question in questions),
        tasks=tuple(question.task for question in questions),
        texts=texts,
        prompt_tokens=np.array(tokens, np.float64),
        lengths=_column(rows, models, lambda row: row.lengths),
        seconds=_column(rows, models, lambda row: row.seconds),
        before=_column(rows, models, lambda row: _estimates(row, "before")),
        after=_column(rows, models, lambda row: _estimates(row, "after")),
        answers=tuple(tuple(_samples(row.answers.get(model)) for model in models) for row in rows)
        if not models or any(row.answers for row in rows)
        else None,
    )


def _column(rows: Sequence[Results], models: Sequence[str], part: Callable[[Results], Mapping[str, Any]]) -> Array:
    """Return one kind of number (n, k); NaN where it was not recorded."""
    found = [[part(row).get(model) for model in models] for row in rows]
    return np.array([[np.nan if one is None else one for one in row] for row in found], np.float64)


def _estimates(row: Results, when: str) -> Mapping[str, float | None]:
    return {model: getattr(one, when) for model, one in row.estimates.items() if one is not None}


def _samples(answers: str | Sequence[str] | None) -> Samples:
    return () if answers is None else (answers,) if isinstance(answers, str) else tuple(answers)


def _text(question: LabelledQuestion) -> str:
    """Return what was asked last, its choices below it, as a live question to choose from has them."""
    said, letters = question.messages[-1].content, string.ascii_uppercase
    listed = [f"{letters[at]}. {text}" if at < len(letters) else text for at, text in enumerate(question.choices)]
    return "\n\n".join([said, "\n".join(listed), CHOOSE]) if listed else said


def _priced(table: Table, rows: Sequence[Results], prices: Mapping[str, Price]) -> tuple[Table, str]:
    """Return the table with what a call costs, and where that is from."""
    if not table.models:
        return replace(table, unit="usd"), "by your prices" if prices else "none is known"
    recorded = _column(rows, table.models, lambda row: row.costs)
    if np.isnan(recorded).all() and not any(model in prices for model in table.models):
        if prices:
            raise _unknown(table.models[0], "no cost and no price", prices)
        return table, "no cost and no price is known, so each call counts 1"
    lengths = np.where(np.isnan(table.lengths), USUAL_TOKENS, table.lengths)
    for column in np.flatnonzero(np.isnan(recorded).any(0)):
        model = table.models[column]
        if (price := prices.get(model)) is None:
            rows_without = int(np.isnan(recorded[:, column]).sum())
            raise _unknown(model, f"no cost in {rows_without} rows and no price", prices)
        paid = (table.prompt_tokens * price.input + lengths[:, column] * price.output) / 1e6
        recorded[:, column] = np.where(np.isnan(recorded[:, column]), paid, recorded[:, column])
    unit: Unit = "usd"
    return replace(table, cost=recorded, unit=unit), " and ".join(_sources(rows, table, prices))


def _sources(rows: Sequence[Results], table: Table, prices: Mapping[str, Price]) -> Iterator[str]:
    if any(row.costs for row in rows):
        yield "as recorded"
    if prices:
        short = "" if np.isfinite(table.lengths).all() else f", {USUAL_TOKENS:.0f} tokens an answer where unknown"
        yield f"by your prices{short}"


def _unknown(model: str, found: str, prices: Mapping[str, Price]) -> QuestionFileError:
    known = f" (prices are known of {', '.join(prices)})" if prices else ""
    return QuestionFileError(
        f"what {model} costs is unknown: found {found}{known}, wanted one; give --price {model}=USD, or name it in "
        "--prices"
    )
