"""``edgecascade ledger``: what was answered where, what left this device, what it cost."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from edgecascade.cli.showing import counted
from edgecascade.records import dollars

if TYPE_CHECKING:
    from edgecascade.store.ledger import Ledger, Summary
    from edgecascade.store.ledger.exporting import Form

OUT = click.Path(dir_okay=False, path_type=Path)
UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def _when(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Return a moment, given as a date or as how long ago, in seconds since 1970; UTC where no zone is named."""
    if value is None:
        return None
    if ago := re.fullmatch(r"(\d{1,6})([mhdw])", value):
        return time.time() - int(ago[1]) * UNITS[ago[2]]
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"found {value!r}, wanted a date like 2026-11-01, or how long ago: 30d, 12h"
        ) from error


as_json = click.option("--json", "as_json", is_flag=True, help="Print the record itself.")
since_option = click.option(
    "--since", metavar="DATE|30d", callback=_when, default="30d", show_default=True, help="Only what came since then."
)


@click.group(invoke_without_command=True)
@since_option
@as_json
@click.pass_context
def ledger(context: click.Context, since: float, as_json: bool) -> None:
    """See what was answered where, what was saved and spent, and what left this device."""
    if context.invoked_subcommand:
        _check_no_options(context, context.invoked_subcommand)
        return
    with _open() as book:
        summary = book.summary(since, expected=_expected())
    if as_json:
        click.echo(json.dumps(summary.as_json()))
    else:
        for name, line in _lines(summary):
            click.echo(f"{name:<12}{line}")


def _check_no_options(context: click.Context, name: str) -> None:
    """Raise UsageError where an option stands before a subcommand, which does not see it there."""
    for parameter in ("since", "as_json"):
        if context.get_parameter_source(parameter) == click.core.ParameterSource.COMMANDLINE:
            option = "--json" if parameter == "as_json" else "--since"
            raise click.UsageError(f"{option} stands before {name}, where it has no effect; put it behind {name}")


@ledger.command()
@click.option("-n", "count", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@since_option
@as_json
def tail(count: int, since: float, as_json: bool) -> None:
    """Show the latest answers, the latest last."""
    with _open() as book:
        rows = [row for row in book.tail(count) if row["at"] >= since]
    if as_json:
        click.echo(json.dumps(rows))
        return
    lines = [_cells(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cells(row: Mapping[str, Any]) -> list[str]:
    """Return an answer as a line of a table."""
    sure = f"p {row['p_correct']:.2f}" if row["p_correct"] is not None else "-"
    cost = dollars(row["usd"]) if row["usd"] != 0 else "-"
    seconds = f"{row['seconds']:6.2f} s"
    return [_moment(row["at"]), row["id"][:12], row["tier"], row["code"], sure, seconds, cost, row["reason"]]


@ledger.command()
@click.argument("form", type=click.Choice(["csv", "jsonl", "parquet"]), metavar="csv|jsonl|parquet")
@click.option("--calls", is_flag=True, help="The calls that left this device, instead of the answers.")
@click.option("--out", "-o", type=OUT, help="The file. [default: standard output]")
@click.option("--since", metavar="DATE|30d", callback=_when, help="Only what came since then. [default: all]")
@as_json
def export(form: "Form", calls: bool, out: Path | None, since: float | None, as_json: bool) -> None:
    """Write all rows as csv, jsonl or parquet."""
    if out is None and (form == "parquet" or as_json):
        raise click.UsageError(f"{'parquet' if form == 'parquet' else '--json'} needs a file to write to; give --out")
    with _open() as book, _writing(out) as file:
        count = book.export(form, file, table="calls" if calls else "answers", since=since or 0.0)
    if as_json:
        click.echo(json.dumps({"rows": count, "out": str(out)}))
    elif out:
        click.echo(f"{counted(count, 'row')} in {out}")


@ledger.command()
@click.option("--before", metavar="DATE|30d", callback=_when, required=True, help="Delete what is older than this.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def prune(before: float, yes: bool, as_json: bool) -> None:
    """Delete old answers, calls and shadows. What budgets have spent stays known."""
    if not yes:
        click.confirm(f"Delete all that is older than {_moment(before)} UTC?", abort=True, err=True)
    with _open() as book:
        count = book.prune(before)
    click.echo(json.dumps({"deleted": count}) if as_json else f"{counted(count, 'row')} deleted")


def _open() -> "Ledger":
    from edgecascade.store.ledger import Ledger
    from edgecascade.store.paths import Folders

    return Ledger(Folders.of(os.environ).state / "ledger.db", clock=time.time)


@contextmanager
def _writing(out: Path | None) -> Iterator[BinaryIO]:
    """Yield where the rows go; a file is complete when it is visible."""
    if out is None:
        yield sys.stdout.buffer
        return
    part = out.with_name(f".{out.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _expected() -> dict[str, float]:
    """Return the share of answers that each fitted file here was certified to keep, by its id."""
    from edgecascade.errors import FittedFileError
    from edgecascade.guarantees.certificate import Certificate
    from edgecascade.store.fitted_files import fitted_files, read_fitted
    from edgecascade.store.paths import Folders

    shares: dict[str, float] = {}
    for path in fitted_files(Folders.of(os.environ)):
        with suppress(FittedFileError):  # a damaged one is no reason not to tell the rest
            file = read_fitted(path)
            for certificate in map(Certificate.from_json, file.certificates):
                if certificate.epsilon == file.epsilon:
                    shares[file.id] = certificate.share_kept
    return shares


def _lines(summary: "Summary") -> Iterator[tuple[str, str]]:
    """Yield the summary as people read it; what did not happen is left out."""
    yield "answers", f"{summary.answers:,} since {_moment(summary.since)} UTC{_named(summary.tiers)}"
    if summary.codes:
        yield "why", _named(summary.codes)[2:]
    saved = [counted(summary.saved_calls, "call"), dollars(summary.usd_saved), f"{summary.seconds_saved:,.1f} s"]
    yield "saved", ", ".join([*saved, f"{summary.tokens_saved:,.0f} tokens"])
    unknown = summary.calls_of_unknown_price
    price = f"; the price of {unknown:,} is unknown" if unknown else ""
    yield "spent", f"{dollars(summary.usd)} in {counted(summary.calls, 'call')}{price}; {summary.seconds:,.1f} s"
    if summary.answers_with_joules:
        yield "energy", f"{summary.joules:,.0f} J in {counted(summary.answers_with_joules, 'answer')}"
    if summary.escalation_rate is not None:
        yield "escalated", f"{summary.escalation_rate:.1%} of the answers given while a cloud was set up"
    for seen in summary.calibrations:
        beside = "its file is not here" if seen.expected is None else f"calibrated {1 - seen.expected:.1%}"
        yield "not kept", f"{1 - seen.share_kept:.1%} of {seen.answers:,}; {beside} ({seen.calibration})"
    if summary.calls:
        yield "left", f"{summary.bytes_left:,} bytes{_named(summary.hosts)}"
    if summary.outcomes:
        yield "calls", _named(summary.outcomes)[2:]
    if summary.kinds:
        yield "taken out", _named(summary.kinds)[2:]
    if summary.found:
        yield "found", f"{_named(summary.found)[2:]} in questions, and not taken out of a call"
    if summary.right or summary.wrong:
        yield "feedback", f"{summary.right:,} right, {summary.wrong:,} wrong"
    for count, name in ((summary.waiting, "waiting"), (summary.shadows, "shadows")):
        if count:
            yield name, counted(count, "question")
    for window in summary.spent:
        if window.calls:
            yield (
                f"this {window.per}",
                f"{dollars(window.usd)} in {counted(window.calls, 'call')}, until {_moment(window.ends)} UTC",
            )


def _named(counts: Mapping[str, int]) -> str:
    """Return the counts behind a colon.

    >>> _named({"local": 3, "cloud": 1})
    ': local 3, cloud 1'
    """
    return f": {', '.join(f'{name} {count:,}' for name, count in counts.items())}" if counts else ""


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
