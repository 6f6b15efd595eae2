"""``edgecascade evaluate``: policies of a pool of models on a table of recorded results, beside the baselines."""

import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecascade.cli.compare import FILE, OUT, finite
from edgecascade.cli.evaluation import print_evaluation
from edgecascade.cli.models import complete_spec
from edgecascade.cli.options import options_as
from edgecascade.cli.progress import Count, counter

if TYPE_CHECKING:
    from edgecascade.evaluate.attaching import Joined
    from edgecascade.evaluate.results import Evaluation
    from edgecascade.evaluate.streaming import Arrivals
    from edgecascade.pool import Queries
    from edgecascade.store.prices import Price
    from edgecascade.store.tables import ReadTable

TABLE = click.Path(exists=True, path_type=Path)
KINDS = ("auto", "hidden", "encoder", "recorded", "text")

table_options = options_as(
    "given",
    (
        click.option("--models", metavar="A,B,...", help="These models only. [default: all of the table]"),
        click.option("--prices", type=FILE, help="USD per million tokens by model, TOML or JSON."),
        click.option("--price", multiple=True, metavar="MODEL=USD", help="One; or MODEL=INPUT,OUTPUT. Repeatable."),
        click.option("--attempts", multiple=True, metavar="[NAME=]FILE",
                     help="Recorded answers of a local model, as one more. Repeatable."),
    ),
)  # fmt: skip
feature_options = options_as(
    "seen",
    (
        click.option("--features", "kind", type=click.Choice(KINDS), default="auto", show_default=True,
                     help="What is known of a question before any model has answered."),
        click.option("--encoder", type=click.Path(exists=True, path_type=Path), help="A sentence encoder, ONNX."),
        click.option("-m", "--model", metavar="SPEC", shell_complete=complete_spec,
                     help="A local model, whose state behind the prompt is used."),
    ),
)  # fmt: skip
play_options = options_as(
    "play",
    (
        click.option("--train", type=click.FloatRange(0.05, 0.9), callback=finite, default=0.3, show_default=True,
                     help="Share of the questions to fit on."),
        click.option("--splits", "count", type=click.IntRange(1, 1000), default=5, show_default=True,
                     help="How many times."),
        click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
                     help="The same seed, the same figures."),
        click.option("--budget", type=click.FloatRange(0), callback=finite, metavar="X",
                     help="Mean cost a question. [default: that of the best single model]"),
        click.option("--confidence", type=click.FloatRange(0.5, 1, max_open=True), callback=finite, metavar="P",
                     help="Keep the budget on new questions so surely. [default: on average]"),
        click.option("--stream", type=click.FloatRange(0, min_open=True), callback=finite, metavar="DEADLINE",
                     help="Let the questions come as a stream too, answers after so many seconds worth nothing."),
        click.option("--per-window", type=click.IntRange(1), metavar="N",
                     help="Of a stream: questions in ten seconds. [default: 100]"),
        click.option("--at-once", type=click.IntRange(1), metavar="N",
                     help="Of a stream: questions that each model answers at once. [default: 10]"),
        click.option("--sweep", is_flag=True, default=None, help="Print the curves over 17 budgets too."),
    ),
)  # fmt: skip


@click.command()
@click.argument("table", metavar="TABLE", type=TABLE)
@click.option("--policy", default="cascade_routing", show_default=True, metavar="NAME,...", help="Which, or `all`.")
@play_options
@table_options
@feature_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--out", "-o", type=OUT, help="Write a page with curves, HTML.")
@click.option("--save", type=OUT, help="Fit the winner on all rows, for live use, and write it there.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
def evaluate(
    table: Path,
    policy: str,
    play: dict[str, Any],
    given: dict[str, Any],
    seen: dict[str, Any],
    as_json: bool,
    out: Path | None,
    save: Path | None,
    quiet: bool,
) -> None:
    """Fit policies on a part of TABLE, play the rest, and say which beat the single models at equal cost.

    TABLE is a question file whose rows have `scores`, {model: 0 to 1}; `costs`, `lengths`, `seconds` and
    `answers` where known.
    """
    from edgecascade.evaluate import evaluating
    from edgecascade.evaluate.saving import check_live
    from edgecascade.evaluate.trials import known

    if "budget" in play and "sweep" in play:
        raise click.UsageError("--budget is one budget, --sweep is many; give one of them")
    names, arrivals = known(policy), _arrivals(play)
    _check_outs(out, save, [table, *([given["prices"]] if "prices" in given else [])])
    read, notes = read_with_attempts(table, given)
    with _progress("questions", quiet=quiet) as tell:
        queries = queries_seen(read, seen, tell)
    if save:
        check_live(queries)
    with _progress("steps", quiet=quiet) as tell:
        found = evaluating.evaluate(
            read.table, queries, names, source=table.name, notices=notes, arrivals=arrivals, clock=time.perf_counter,
            tell=tell, **play,
        )  # fmt: skip
    if out:
        _write(found, out)
    if save:
        _save(read, queries, found, save)
    if as_json:  # last, for who reads may go away
        click.echo(json.dumps(found.as_json(), allow_nan=False))
    else:
        print_evaluation(found)


def _arrivals(play: dict[str, Any]) -> "Arrivals | None":
    """Return how the questions of a stream come, and take it out of the options; None: not as a stream."""
    from edgecascade.evaluate.streaming import Arrivals

    deadline = play.pop("stream", None)
    stated = {name: play.pop(name) for name in ("per_window", "at_once") if name in play}
    if stated and deadline is None:
        raise click.UsageError("--per-window and --at-once are of a stream; give --stream DEADLINE with them")
    return None if deadline is None else Arrivals(deadline=deadline, **stated)


def read_with_attempts(table: Path, given: Mapping[str, Any]) -> "tuple[ReadTable, list[str]]":
    """Return the table with the recorded attempts in it, and what a user should know of how it was read."""
    from edgecascade.evaluate.attaching import attached
    from edgecascade.store.price_files import read_prices, stated_prices
    from edgecascade.store.tables import read_table

    prices = read_prices(given["prices"]) if "prices" in given else {}
    prices |= stated_prices(given.get("price", ()))
    joined = _joined(given.get("attempts", ()), prices)
    wanted = _named(given["models"]) if "models" in given else []
    local = [one.name for one in joined]
    read = read_table(table, models=[name for name in wanted if name not in local], prices=prices, scored=not joined)
    notes = read.notes()
    for one in joined:
        read, left = attached(read, one)
        notes += [f"{left} rows left out: no attempt of {one.name}"] if left else []
        if one.name not in prices:
            notes.append(f"{one.name} costs nothing: it has no price; --price {one.name}=USD states one")
    return read, notes


def _named(models: str) -> list[str]:
    """Return the models that "a,b" names; UsageError for none, and for one that is named twice."""
    names = [name.strip() for name in models.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise click.UsageError(f"--models: found {models!r}, wanted names, each once, with commas between them")
    return names


def _joined(given: Sequence[str], prices: "Mapping[str, Price]") -> "list[Joined]":
    """Return the attempts of each local model; several files of one model are shards."""
    from edgecascade.evaluate.attaching import FREE, Joined
    from edgecascade.store.attempts import read_attempts

    files: dict[str, list[Path]] = {}
    for one in given:
        name, equals, path = one.rpartition("=")
        named = bool(equals) and not Path(one).exists()
        file = Path(path if named else one)
        files.setdefault(name if named else read_attempts([file]).header.identity.model, []).append(file)
    read = {name: read_attempts(paths).rows for name, paths in files.items()}
    return [Joined(name, {row.id: row for row in rows}, prices.get(name, FREE)) for name, rows in read.items()]


def queries_seen(read: "ReadTable", seen: Mapping[str, Any], tell: Count) -> "Queries":
    """Return what the table's questions look like before any model has answered."""
    from edgecascade.querying.gathering import queries_of
    from edgecascade.store.paths import Folders

    return queries_of(read.table, folders=Folders.of(os.environ), progress=tell, **seen)


def _check_outs(out: Path | None, save: Path | None, inputs: Sequence[Path]) -> None:
    """Refuse before anything is computed what could not be written after it."""
    from edgecascade.errors import FittedFileError
    from edgecascade.page.drawing import check
    from edgecascade.store.fitted_files import check_out

    if out:
        check()
        check_out(out, ".html", inputs)
    if save:
        check_out(save, ".json", inputs)
    for file in filter(None, (out, save)):
        try:
            tempfile.TemporaryFile(dir=file.absolute().parent).close()
        except OSError as error:
            raise FittedFileError(
                f"{file} cannot be written: found its folder closed ({error.strerror}), wanted one to write in; make "
                "it, or choose another"
            ) from error


def _write(found: "Evaluation", out: Path) -> None:
    from edgecascade.evaluate.page import page_of
    from edgecascade.store.files import write_whole

    write_whole(out, page_of(found))
    click.echo(f"page: {out}", err=True)


def _save(read: "ReadTable", queries: "Queries", found: "Evaluation", out: Path) -> None:
    """Fit the winner on all rows and write it; of several, say why it is this one."""
    from edgecascade.evaluate.saving import pool_file
    from edgecascade.store.pool_files import write_pool

    today, (best, why) = date.today().isoformat(), found.winner()
    file = pool_file(
        read.table, queries, best.name, budget=found.budget, confidence=found.confidence, seed=found.seed, today=today
    )
    write_pool(out, file)
    click.echo(f"policy: {out}, {best.name}" + (f": {why}" if len(found.policies) > 1 else ""), err=True)


def _progress(what: str, *, quiet: bool) -> AbstractContextManager[Count]:
    """Return what shows how far it is, or nothing."""

    def silent(done: int, total: int, remark: str = "") -> None:
        """Show nothing."""

    return nullcontext(silent) if quiet else counter(what)
