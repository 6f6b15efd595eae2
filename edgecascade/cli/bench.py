"""``edgecascade bench``: us against baselines, measured here and now."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecascade.cli.compare import finite
from edgecascade.cli.models import complete_spec
from edgecascade.cli.options import engine_options, options_as, settings_of

if TYPE_CHECKING:
    from edgecascade.bench.against import Verdict
    from edgecascade.bench.rows import Row
    from edgecascade.bench.running import Plan

FILE = click.Path(dir_okay=False, path_type=Path)
THERE = click.Path(exists=True, dir_okay=False, path_type=Path)

run_options = options_as(
    "run",
    (
        click.option("-m", "--model", metavar="SPEC", shell_complete=complete_spec, help="Which; see `models list`."),
        click.option("--json", "as_json", is_flag=True, default=None, help="Print one JSON line only."),
        click.option("--format", "form", type=click.Choice(["md", "json", "jsonl", "csv"]), help="[default: md]"),
        click.option("--out", type=FILE, help="Write the rows too: .json, .jsonl, .csv or .md."),
        click.option("--plot", type=FILE, help="Draw the rows as an SVG; needs matplotlib."),
        click.option("--against", type=THERE, help="Compare with an earlier --out, or with llama-bench's JSON."),
        click.option("--anyway", is_flag=True, default=None, help="Exit code 0 even where the figures are worthless."),
    ),
)  # fmt: skip
rounds_option = click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Rounds of each.")
tokens_option = click.option(
    "--tokens", type=click.IntRange(16), default=128, show_default=True, help="Tokens a round."
)
limit_option = click.option("--limit", type=click.IntRange(1), default=30, show_default=True, help="Questions.")
llama_bench_option = click.option(
    "--llama-bench", type=THERE, envvar="EDGECASCADE_LLAMA_BENCH", show_envvar=True,
    default=lambda: shutil.which("llama-bench"), help="llama.cpp's own tool. [default: found by the search path]",
)  # fmt: skip


@click.group()
def bench() -> None:
    """Measure this device, in suites; figures of a busy machine are called worthless (exit code 4)."""


@bench.command()
@tokens_option
@rounds_option
@llama_bench_option
@run_options
@engine_options
def decode(run: dict[str, Any], engine: dict[str, Any], **sizes: Any) -> None:
    """Decode speed with every signal on, against llama-bench and llama-cpp-python's log-probabilities."""
    _measure(["decode"], run, engine, sizes)


@bench.command()
@limit_option
@run_options
@engine_options
def answer(run: dict[str, Any], engine: dict[str, Any], **sizes: Any) -> None:
    """Whole answers to real questions: without the cascade, with it, and escalated to a cloud on loopback."""
    _measure(["answer"], run, engine, sizes)


@bench.command()
@rounds_option
@run_options
@engine_options
def prefix(run: dict[str, Any], engine: dict[str, Any], **sizes: Any) -> None:
    """First-token time at each turn of a chat, with what was read before in memory, and without."""
    _measure(["prefix"], run, engine, sizes)


@bench.command()
@tokens_option
@rounds_option
@run_options
@engine_options
def samples(run: dict[str, Any], engine: dict[str, Any], **sizes: Any) -> None:
    """1, 2, 4 and 8 answers in one batch, against as many one after another."""
    _measure(["samples"], run, engine, sizes)


@bench.command()
@tokens_option
@rounds_option
@run_options
@engine_options
def energy(run: dict[str, Any], engine: dict[str, Any], **sizes: Any) -> None:
    """Joules a token, of reading and of writing, in all and above rest; "unknown" where there is no meter."""
    _measure(["energy"], run, engine, sizes)


@bench.command()
@click.option("--minutes", type=click.FloatRange(0, min_open=True), callback=finite, default=10.0, show_default=True,
              help="How long.")  # fmt: skip
@run_options
@engine_options
def sustained(run: dict[str, Any], engine: dict[str, Any], **sizes: Any) -> None:
    """Minutes of writing on end: what heat leaves of the speed. Ctrl-C ends it early, with a whole result."""
    _measure(["sustained"], run, engine, sizes)


@bench.command()
@rounds_option
@run_options
@engine_options
def memory(run: dict[str, Any], engine: dict[str, Any], **sizes: Any) -> None:
    """Memory before and after loading, at several context sizes, and at its peak; a fresh process each."""
    _measure(["memory"], run, engine, sizes)


@bench.command("all")
@tokens_option
@rounds_option
@limit_option
@llama_bench_option
@run_options
@engine_options
def every(run: dict[str, Any], engine: dict[str, Any], **sizes: Any) -> None:
    """Every suite but `sustained`; finished ones are in --out even if a later one is interrupted."""
    from edgecascade.bench.running import QUICK

    _measure(QUICK, run, engine, sizes)


def _measure(names: Sequence[str], run: Mapping[str, Any], engine: dict[str, Any], sizes: Mapping[str, Any]) -> None:
    """Measure, write, print; draw no conclusion where others used the machine."""
    from edgecascade.bench.against import compare
    from edgecascade.bench.facts import facts_of
    from edgecascade.bench.rows import why_worthless
    from edgecascade.bench.running import SUITES, measured
    from edgecascade.bench.writing import write_rows
    from edgecascade.errors import DeviceError
    from edgecascade.local import device_profile
    from edgecascade.store.paths import Folders

    then = _checked(run)
    profile, plan = device_profile(Folders.of(os.environ)), _plan(run.get("model"), engine, sizes)
    rows = measured(
        {name: SUITES[name] for name in names},
        plan,
        facts=lambda: facts_of(plan.path, plan.settings) | {"profile": profile.name if profile else None},
        keep=lambda whole: write_rows(run["out"], whole) if "out" in run else None,
    )
    _draw(run, rows, then)
    print_rows(run, rows, compare(rows, then) if then else [])
    if (why := why_worthless(rows)) and not run.get("anyway"):
        raise DeviceError(f"worthless: {why}; the exit code is 0 with --anyway")


def _checked(run: Mapping[str, Any]) -> "list[Row]":
    """Return the earlier run's rows; what would fail at the end is refused before anything is measured."""
    from edgecascade.bench.writing import ENDINGS, check_writable, read_rows

    if "as_json" in run and "form" in run:
        raise click.UsageError("--json and --format both say what is printed; give one of them")
    if "plot" in run:
        from edgecascade.page.drawing import check

        check()
        check_writable("--plot", run["plot"], unlike=[run.get("out"), run.get("against")], suffixes=[".svg"])
    if "out" in run:
        check_writable("--out", run["out"], unlike=[run.get("against")], suffixes=ENDINGS)
    return read_rows(run["against"]) if "against" in run else []


def _draw(run: Mapping[str, Any], rows: "Sequence[Row]", then: "Sequence[Row]") -> None:
    if "plot" in run:
        from edgecascade.bench.plot import plot
        from edgecascade.store.files import write_whole

        write_whole(run["plot"], plot(rows, then))


def print_rows(run: Mapping[str, Any], rows: "Sequence[Row]", verdicts: "Sequence[Verdict]") -> None:
    """Print the rows; verdicts below a table, and beside what programs read on standard error."""
    from edgecascade.bench.writing import FORMATS, one_line, verdicts_as_markdown

    if "as_json" in run:
        click.echo(one_line(rows, verdicts))
        return
    form = run.get("form", "md")
    click.echo(FORMATS[form](rows))
    if verdicts:
        click.echo(f"\n{verdicts_as_markdown(verdicts, run['against'])}", err=form != "md")


def _plan(model: str | None, engine: dict[str, Any], sizes: Mapping[str, Any]) -> "Plan":
    """Return what is measured: the model's file, opened once to find settings that work here."""
    from edgecascade.bench.running import Plan
    from edgecascade.cascade.served import ServedTier
    from edgecascade.cli.opening import open_model
    from edgecascade.errors import ModelNotFoundError

    with open_model(model, settings_of(engine)) as opened:
        if isinstance(opened.engine, ServedTier):
            raise ModelNotFoundError(
                f"{opened.name} cannot be measured: found a server, wanted a model in this process; name a file"
            )
        return Plan(
            path=opened.engine.path, settings=opened.engine.settings, name=opened.name, sha256=opened.sha256,
            system=opened.system, say=lambda line: click.secho(line, err=True, dim=True), **sizes,
        )  # fmt: skip
