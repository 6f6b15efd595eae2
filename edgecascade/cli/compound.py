"""``edgecascade compound``: programs of several modules, run on tiers, and which model each module had best ask."""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecascade.cli.allocations import allocated, dollars, pairs_in, say_optimised, short, spent_line, words_in
from edgecascade.cli.compare import finite
from edgecascade.cli.options import engine_options, options_as, settings_of
from edgecascade.cli.progress import counter, progress_bar
from edgecascade.cli.showing import counted
from edgecascade.cli.steps import questions_in

if TYPE_CHECKING:
    from edgecascade.composing.trying import Trials
    from edgecascade.compound.program import Program

IN = click.Path(exists=True, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT = click.Path(dir_okay=False, path_type=Path)

asking_options = options_as(
    "given",
    (
        click.option("--questions", "-q", "source", type=IN, required=True, help="A question file, or a folder."),
        click.option("--task", "tasks", multiple=True, metavar="NAME", help="Only this task; may be repeated."),
        click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many, spread over the file."),
        click.option("--max-calls", "most", type=click.IntRange(1), metavar="N",
                     help="Ask models at most so often; what is on record is free."),
    ),
)  # fmt: skip
as_json = click.option("--json", "as_json", is_flag=True, help="Print the record itself.")
write_out = click.option("--out", "-o", type=OUT, help="Write the record to this file, too.")
MODELS = "Models, with commas between: names as in `models list`, paths, addresses, openai:MODEL and its like."


@click.group()
def compound() -> None:
    """Programs of several modules that each ask one model.

    PROGRAM is one of `compound list`, or path/to/file.py:name of your own, which is imported. Every reply is kept: the
    same command goes on where it was stopped, and asks nothing twice.
    """


@compound.command("list")
@as_json
def list_programs(as_json: bool) -> None:
    """Name the programs that are shipped, and their modules."""
    from edgecascade.compound.shipped import PROGRAMS

    if as_json:
        click.echo(json.dumps({name: {"modules": one.modules, "about": one.about} for name, one in PROGRAMS.items()}))
        return
    for name, one in PROGRAMS.items():
        click.echo(f"{name:13} {one.about}\n{'':13} {', '.join(one.modules)}")


@compound.command()
@click.argument("program", metavar="PROGRAM")
@click.option("--models", metavar="A,B,...", default="", help=MODELS)
@click.option("--allocate", metavar="MODULE=MODEL,...", default="", help="Which model a module asks.")
@click.option("--allocation", type=FILE, help="Allocate as this file of `compound optimise` says.")
@asking_options
@as_json
@write_out
@engine_options
def run(
    program: str,
    models: str,
    allocate: str,
    allocation: Path | None,
    given: dict[str, Any],
    as_json: bool,
    out: Path | None,
    engine: dict[str, Any],
) -> None:
    """Answer and grade labelled questions with PROGRAM.

    A module that is not allocated asks the one model of --models.
    """
    from edgecascade.composing.optimising import figures_of
    from edgecascade.composing.programs import find_program
    from edgecascade.composing.results import VERSION, read_allocation, write_record

    _check_out(out, given["source"], allocation)
    found = find_program(program)
    stated = read_allocation(allocation, found) if allocation else {}
    chosen = allocated(found, words_in(models), stated | pairs_in(allocate))
    names = list(dict.fromkeys(chosen[module] for module in found.modules))
    with _trials(found, names, given, engine) as (trials, source):
        rows = range(len(trials))
        place = tuple(names.index(chosen[module]) for module in found.modules)
        figures = figures_of(trials.tried([place], rows)[0])
        answers = trials.answers(place, rows)
        counts = trials.asker.counts
    record = {"schema_version": VERSION, "program": program, "allocation": chosen, **figures.as_json()}
    record |= {"n": len(answers), "questions": source, "spent": counts.as_json()}
    record |= {"answers": {one.id: answer for one, answer in zip(trials.questions, answers, strict=True)}}
    if out:
        write_record(out, record)
    if as_json:
        click.echo(json.dumps(record))
        return
    quality = figures.quality
    click.echo(f"{program} on {counted(len(answers), 'question')}: quality {quality.value:.3f}")
    click.echo(f"  95 % interval {quality.low:.3f} to {quality.high:.3f}")
    click.echo(f"  a question takes {figures.calls:.1f} calls, {figures.seconds:.2f} s, {dollars(figures.usd)}")
    click.echo(spent_line(counts))


@compound.command()
@click.argument("program", metavar="PROGRAM")
@click.option("--models", metavar="A,B,...", required=True, help=MODELS)
@asking_options
@click.option(
    "--train",
    type=click.FloatRange(0, 1, min_open=True),
    callback=finite,
    default=0.5,
    show_default=True,
    help="Choose by this share of the questions; the rest only judges what was chosen.",
)
@click.option(
    "--aggregate",
    type=click.Choice(["mean", "vote"]),
    default="mean",
    show_default=True,
    help="How questions decide between models: by their mean, or by the published vote.",
)
@click.option(
    "--start",
    type=click.Choice(["single", "random"]),
    default="single",
    show_default=True,
    help="Begin with the best model everywhere, or with a random allocation, as published.",
)
@click.option("--diagnoser", metavar="MODEL", help="This model says which module made an answer wrong.")
@click.option("--alpha", type=click.FloatRange(0), callback=finite, help="How much that counts beside the quality.")
@click.option(
    "--value-usd",
    type=click.FloatRange(0, min_open=True),
    callback=finite,
    help="What a right answer is worth: calls then cost quality. [default: they do not]",
)
@click.option(
    "--usd-per-second",
    type=click.FloatRange(0),
    callback=finite,
    help="With --value-usd: the price of a second that calls take.",
)
@click.option("--exhaustive", is_flag=True, help="Also try every allocation.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Draws the parts, and the start.")
@as_json
@write_out
@engine_options
def optimise(
    program: str,
    models: str,
    given: dict[str, Any],
    train: float,
    aggregate: Any,
    start: Any,
    diagnoser: str | None,
    alpha: float | None,
    value_usd: float | None,
    usd_per_second: float | None,
    exhaustive: bool,
    seed: int,
    as_json: bool,
    out: Path | None,
    engine: dict[str, Any],
) -> None:  # fmt: skip
    """Choose a model for every module of PROGRAM, by labelled questions.

    Compared with each model everywhere, on questions that had no part in the choice.
    """
    from edgecascade.composing.optimising import Plan, optimise
    from edgecascade.composing.programs import find_program
    from edgecascade.composing.results import record_of, write_record

    if bool(diagnoser) != bool(alpha):
        raise click.UsageError("a diagnoser counts by --alpha, above 0: give both, or neither")
    if usd_per_second and value_usd is None:
        raise click.UsageError("seconds cost quality only where quality has a price: give --value-usd as well")
    _check_out(out, given["source"])
    found, names = find_program(program), words_in(models)
    plan = Plan(
        train=train,
        aggregate=aggregate,
        start=start,
        alpha=alpha or 0.0,
        value_usd=value_usd,
        usd_per_second=usd_per_second or 0.0,
        exhaustive=exhaustive,
        seed=seed,
    )
    with _trials(found, names, given, engine, diagnoser=diagnoser) as (trials, source):
        done = optimise(trials, plan, stage=lambda what: click.secho(what, err=True, dim=True))
    record = record_of(done, plan, trials, program=program, questions=source)
    if out:
        write_record(out, record)
    if as_json:
        click.echo(json.dumps(record))
        return
    say_optimised(done, trials)
    if out:
        click.echo(f"use it: edgecascade compound run {program} --allocation {out} --questions FILE")


@contextmanager
def _trials(
    program: "Program",
    models: Sequence[str],
    given: Mapping[str, Any],
    engine: dict[str, Any],
    *,
    diagnoser: str | None = None,
) -> Iterator[tuple["Trials", str]]:
    """Yield what tries the program with these models on the questions asked for, and the sha256 of their file."""
    from edgecascade.calibrate.collect import part_of
    from edgecascade.cascade.assembling import read_config
    from edgecascade.composing.asking import Asker
    from edgecascade.composing.members import open_members
    from edgecascade.composing.trying import Trials
    from edgecascade.errors import ConfigError, QuestionFileError
    from edgecascade.store.calls import CallsFile
    from edgecascade.store.ledger import Ledger
    from edgecascade.store.paths import Folders

    if not models:
        raise ConfigError("nobody to ask: found no model, wanted one or more; name them with --models A,B")
    file = questions_in(given["source"], tasks=given.get("tasks", ()))
    questions = part_of(file.questions, limit=given.get("limit"))
    if not questions:
        raise QuestionFileError("nothing to ask: found no question that can be graded, wanted one; see the notes")
    folders, everyone = Folders.of(os.environ), [*models, *filter(None, {diagnoser} - set(models))]
    with ExitStack() as opened:
        ledger = opened.enter_context(Ledger(folders.state / "ledger.db", clock=time.time))
        with progress_bar() as progress:
            members = opened.enter_context(
                open_members(
                    everyone, settings_of(engine), read_config({}).settings, ledger, progress=progress, notice=_notice
                )
            )
        calls = opened.enter_context(CallsFile(folders.cache / "calls.db"))
        tell = opened.enter_context(counter("calls"))
        asker = Asker(
            members,
            calls,
            most=given.get("most"),
            tell=lambda done, total, model: tell(done, total, short(model)),
        )
        yield Trials(program, models, questions, asker, diagnoser=diagnoser), file.sha256


def _check_out(out: Path | None, *read: Path | None) -> None:
    """Refuse before anything is asked what could not be written afterwards, or would replace what is read."""
    from edgecascade.store.fitted_files import check_out

    if out:
        check_out(out, ".json", [path for path in read if path])


def _notice(line: str) -> None:
    click.secho(f"note: {line}", err=True, fg="yellow")
