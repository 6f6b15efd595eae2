"""Results as text: a table for people, JSON, JSON lines and csv as llama-bench writes them; and read again."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgecascade.bench.against import Verdict, without_control
from edgecascade.bench.rows import Row, row_of, why_worthless
from edgecascade.errors import InputError
from edgecascade.store.files import write_whole

SCHEMA = "edgecascade.bench.rows/1"
HEADS = (
    "model", "size", "params", "backend", "threads", "test", "t/s",
    "suite", "median", "95 % interval", "p95", "p99",
)  # fmt: skip
WANTED = "wanted the JSON that `edgecascade bench ... --out FILE.json` or `llama-bench -o json` writes"


def as_markdown(rows: Sequence[Row]) -> str:
    """Return llama-bench's columns, then ours; what makes figures worthless, and remarks, below."""
    lines = [_line(HEADS), _line(["---"] * len(HEADS)), *(_line(_cells(row)) for row in rows)]
    notes = [f"worthless: {why}" for why in dict.fromkeys(row.worthless for row in rows) if why]
    notes += [f"note: {remark}" for remark in dict.fromkeys(remark for row in rows for remark in row.remarks)]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def as_json(rows: Sequence[Row]) -> str:
    """Return a list of records, as llama-bench does."""
    return json.dumps(records_of(rows), indent=1)


def as_jsonl(rows: Sequence[Row]) -> str:
    """Return a record a line."""
    return "\n".join(map(json.dumps, records_of(rows)))


def as_csv(rows: Sequence[Row]) -> str:
    """Return the same columns; lists as JSON."""
    records, page = records_of(rows), io.StringIO()
    columns = list(dict.fromkeys(key for record in records for key in record))
    writer = csv.DictWriter(page, columns, lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({key: json.dumps(one) if isinstance(one, list) else one for key, one in record.items()})
    return page.getvalue().rstrip("\n")


FORMATS: Mapping[str, Callable[[Sequence[Row]], str]] = {
    "md": as_markdown,
    "json": as_json,
    "jsonl": as_jsonl,
    "csv": as_csv,
}


ENDINGS = (*(f".{name}" for name in FORMATS), "")
"""Of a file of rows; JSON without one."""


def records_of(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows' records, each with the schema's name."""
    return [row.as_json() | {"schema": SCHEMA} for row in rows]


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows in the form that the file's ending names, JSON where it names none."""
    write_whole(path, FORMATS.get(path.suffix.removeprefix("."), as_json)(rows) + "\n")


def check_writable(
    option: str, path: Path, *, unlike: Iterable[Path | None] = (), suffixes: Sequence[str] = ()
) -> None:
    """Raise InputError where a file of that option could not be written, or would replace one that is used."""
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if suffixes and path.suffix not in suffixes:
        found, wanted = f"{path.suffix!r} at its end", " or ".join(suffixes)
    elif path.is_dir():
        found, wanted = "a folder", "a file"
    elif not there.is_dir() or not os.access(there, os.W_OK):
        found, wanted = f"no right to write in {there}", "a folder of yours"
    elif any(other and other.absolute() == path.absolute() for other in unlike):
        found, wanted = "the same name twice", "a file of its own: it would be written over"
    else:
        return
    raise InputError(f"{path} cannot be written: found {found}, wanted {wanted}; choose another {option}")


def read_rows(path: Path) -> list[Row]:
    """Return the rows of an earlier run, ours or llama-bench's, JSON or JSON lines; InputError for anything else."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: found {error}, {WANTED}") from error
    records = _records(text, path)
    if not records:
        raise InputError(f"{path} is no bench result: found no record, {WANTED}")
    return [row_of(record, f"{path}, record {number}") for number, record in enumerate(records, 1)]


def _records(text: str, path: Path) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as whole:
        try:
            found = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise InputError(f"{path} is no bench result: found no JSON ({whole}), {WANTED}") from whole
    found = [found] if isinstance(found, dict) else found
    if not isinstance(found, list) or not all(isinstance(record, dict) for record in found):
        raise InputError(f"{path} is no bench result: found {type(found).__name__}, {WANTED}")
    return found


def one_line(rows: Sequence[Row], verdicts: Sequence[Verdict]) -> str:
    """Return rows and verdicts as one line of JSON, and why they are worthless, if they are."""
    against = [asdict(verdict) for verdict in verdicts]
    return json.dumps({"worthless": why_worthless(rows), "rows": records_of(rows), "against": against}, allow_nan=False)


def verdicts_as_markdown(verdicts: Sequence[Verdict], before: Path) -> str:
    """Return how each row stands to the earlier run; one line where the same reason forbids all of it."""
    if len({(one.outcome, one.reason) for one in verdicts}) == 1 and verdicts[0].reason:
        return f"against {before}: {verdicts[0].outcome}: {verdicts[0].reason}"
    lines = [f"against {before}", "", _line(("test", "ratio", "95 % interval", "verdict")), _line(["---"] * 4)]
    for one in verdicts:
        ratio = "" if one.ratio is None else f"{one.ratio:.3f}"
        between = "" if one.low is None or one.high is None else f"{one.low:.3f} to {one.high:.3f}"
        verdict = f"{one.outcome}: {one.reason}" if one.reason else one.outcome
        lines.append(_line((f"{one.suite}: {one.test}", ratio, between, verdict)))
    if without_control(verdicts):
        lines += ["", "no control row in the earlier run: what the machine itself changed is not taken off"]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(row: Row) -> list[str]:
    facts, record = row.facts, row.as_json()
    speed = f"{record['avg_ts']:.2f} ± {record['stddev_ts']:.2f}" if record["avg_ts"] is not None else ""
    unit = "x" if row.unit == "ratio" else row.unit
    figure = f"{row.median:.4g} {unit}" if row.median is not None else f"unknown: {row.unknown}"
    between = f"{row.interval[0]:.4g} to {row.interval[1]:.4g}" if row.interval else ""
    if row.worthless and row.unit == "ratio":
        figure, between = "worthless", ""  # a ratio is a conclusion
    tails = (row.tail(percent) if row.unit == "ms" else None for percent in (95, 99))
    described = [str(facts.get(name) or "") for name in ("model_type", "backends", "n_threads")]
    size, params = facts.get("model_size") or 0, facts.get("model_n_params") or 0
    return [
        described[0], f"{size / 2**20:.2f} MiB", f"{params / 1e6:.2f} M", described[1], described[2],
        row.test, speed, row.suite, figure, between, *("" if one is None else f"{one:.4g}" for one in tails),
    ]  # fmt: skip
