"""``edgecascade bench``: us against baselines, measured here and now."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecascade.cli.models import complete_spec
from edgecascade.cli.options import engine_options, options_as, settings_of

if TYPE_CHECKING:
    from edgecascade.bench.against import Verdict
    from edgecascade.bench.decode import DecodeBench
    from edgecascade.bench.rows import Row
    from edgecascade.bench.running import Plan, Suite

    Shown = Callable[[Sequence[Row], Sequence[Verdict]], str]

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
    "--llama-bench", type=THERE,
    help="llama.cpp's own tool. [default: $EDGECASCADE_LLAMA_BENCH, or the search path]",
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
def decode(tokens: int, rounds: int, llama_bench: Path | None, run: dict[str, Any], engine: dict[str, Any]) -> None:
    """Decode speed with every signal on, against llama-bench and llama-cpp-python's log-probabilities.

    Prints a table; its last line is JSON with llama-bench's keys and the ratios.
    """
    import json
    from dataclasses import asdict

    from edgecascade.bench.decode import bench_decode

    kept: list[DecodeBench] = []

    def suite(plan: "Plan") -> "Sequence[Row]":
        kept.append(
            bench_decode(plan.path, plan.settings, tokens=tokens, rounds=rounds, llama_bench=llama_bench, say=plan.say)
        )
        return kept[0].rows()

    def shown(rows: "Sequence[Row]", against: "Sequence[Verdict]") -> str:
        own = rows[-1]
        record = kept[0].as_json() | {"own_cost_median_ms": own.median, "own_cost_p99_ms": own.quantile(0.99)}
        if own.worthless:
            record |= {"worthless": True, "why_worthless": own.worthless}
        if against:
            record["against"] = [asdict(verdict) for verdict in against]
        table = "" if run.get("as_json") else decode_table(kept[0], own) + _compared(run, against) + "\n"
        return table + json.dumps(record)

    _measure({"decode": suite}, run, engine, {}, shown=None if "form" in run else shown)


@bench.command()
@limit_option
@run_options
@engine_options
def answer(limit: int, run: dict[str, Any], engine: dict[str, Any]) -> None:
    """Whole answers to real questions: without the cascade, with it, and escalated to a cloud on loopback."""
    _suites(["answer"], run, engine, limit=limit)


@bench.command()
@rounds_option
@run_options
@engine_options
def prefix(rounds: int, run: dict[str, Any], engine: dict[str, Any]) -> None:
    """First-token time at each turn of a chat, with what was read before in memory, and without."""
    _suites(["prefix"], run, engine, rounds=rounds)


@bench.command()
@tokens_option
@rounds_option
@run_options
@engine_options
def samples(tokens: int, rounds: int, run: dict[str, Any], engine: dict[str, Any]) -> None:
    """1, 2, 4 and 8 answers in one batch, against as many one after another."""
    _suites(["samples"], run, engine, tokens=tokens, rounds=rounds)


@bench.command()
@tokens_option
@rounds_option
@run_options
@engine_options
def energy(tokens: int, rounds: int, run: dict[str, Any], engine: dict[str, Any]) -> None:
    """Joules a token, of reading and of writing, in all and above rest; "unknown" where there is no meter."""
    _suites(["energy"], run, engine, tokens=tokens, rounds=rounds)


@bench.command()
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True, help="How long.")
@run_options
@engine_options
def sustained(minutes: float, run: dict[str, Any], engine: dict[str, Any]) -> None:
    """Minutes of writing on end: what heat leaves of the speed. Ctrl-C ends it early, with a whole result."""
    _suites(["sustained"], run, engine, minutes=minutes)


@bench.command()
@rounds_option
@run_options
@engine_options
def memory(rounds: int, run: dict[str, Any], engine: dict[str, Any]) -> None:
    """Memory before and after loading, at several context sizes, and at its peak; a fresh process each."""
    _suites(["memory"], run, engine, rounds=rounds)


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

    _suites(QUICK, run, engine, **sizes)


def _suites(names: "Sequence[str]", run: Mapping[str, Any], engine: dict[str, Any], **sizes: Any) -> None:
    from edgecascade.bench.running import SUITES

    _measure({name: SUITES[name] for name in names}, run, engine, sizes)


def _measure(
    suites: "Mapping[str, Suite]",
    run: Mapping[str, Any],
    engine: dict[str, Any],
    sizes: Mapping[str, Any],
    *,
    shown: "Shown | None" = None,
) -> None:
    """Measure, write, print; draw no conclusion where others used the machine."""
    from edgecascade.bench.against import compare
    from edgecascade.bench.facts import facts_of
    from edgecascade.bench.running import measured, why_worthless
    from edgecascade.bench.writing import write_rows
    from edgecascade.errors import DeviceError

    then = _checked(run)
    plan, profile = _plan(run.get("model"), engine, sizes), _profile_name()
    rows = measured(
        suites,
        plan,
        facts=lambda: facts_of(plan.path, plan.settings) | {"profile": profile},
        keep=lambda whole: write_rows(run["out"], whole) if "out" in run else None,
    )
    _draw(run, rows, then)
    verdicts = compare(rows, then) if then else []
    click.echo(shown(rows, verdicts) if shown else _shown(run, rows, verdicts))
    if (why := why_worthless(rows)) and not run.get("anyway"):
        raise DeviceError(f"worthless: {why} (with --anyway the exit code is 0)")


def _checked(run: Mapping[str, Any]) -> "list[Row]":
    """Return the earlier run's rows; what would fail at the end is refused before anything is measured."""
    from edgecascade.bench.writing import read_rows

    if "plot" in run:
        from edgecascade.page.plain import check

        check()
    return read_rows(run["against"]) if "against" in run else []


def _draw(run: Mapping[str, Any], rows: "Sequence[Row]", then: "Sequence[Row]") -> None:
    if "plot" in run:
        from edgecascade.bench.plot import plot
        from edgecascade.store.files import write_whole

        write_whole(run["plot"], plot(rows, then))


def _shown(run: Mapping[str, Any], rows: "Sequence[Row]", verdicts: "Sequence[Verdict]") -> str:
    from edgecascade.bench.writing import FORMATS

    if run.get("as_json"):
        return _one_line(rows, verdicts)
    form = run.get("form", "md")
    return FORMATS[form](rows) + (_compared(run, verdicts) if form == "md" else "")


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


def _profile_name() -> str | None:
    """Return the name of this device's profile; None where none fits."""
    from edgecascade import sensors
    from edgecascade.cascade.assembling import read_config
    from edgecascade.profiles import profile_here
    from edgecascade.store.paths import Folders

    chosen = read_config({}).settings.profile
    profile = profile_here(Folders.of(os.environ), chosen=chosen, machine=sensors.machine())
    return profile.name if profile else None


def _compared(run: Mapping[str, Any], verdicts: "Sequence[Verdict]") -> str:
    from edgecascade.bench.writing import verdicts_as_markdown

    return "\n\n" + verdicts_as_markdown(verdicts, run["against"]) if verdicts else ""


def _one_line(rows: "Sequence[Row]", verdicts: "Sequence[Verdict]") -> str:
    import json
    from dataclasses import asdict

    from edgecascade.bench.running import why_worthless
    from edgecascade.bench.writing import records_of

    against = [asdict(verdict) for verdict in verdicts]
    return json.dumps({"worthless": why_worthless(rows), "rows": records_of(rows), "against": against})


def decode_table(found: "DecodeBench", own: "Row") -> str:
    """Return the decode suite's figures as a Markdown table; no ratios of a busy machine."""
    record, worthless = found.as_json(), own.worthless or found.worthless
    rows = [
        ("ours, every signal on", f"{record['avg_ts']:.1f} tokens/s", ""),
        _peer("llama-bench (reads nothing)", found.llama_bench_ts, record["ratio_to_llama_bench"], "not found"),
        _peer("high-level API, logprobs=5", found.high_level_ts, record["ratio_to_high_level"], "dies here"),
        ("signals", f"{record['signals_ms']:.3f} ms/token", ""),
        ("second turn's first token", "", f"{record['second_turn_ratio']:.2f} x its new tokens and a chunk"),
        ("8 samples of short answers", "", f"{record['samples_of_8_answer_ratio']:.2f} x one"),
        ("8 samples of a story", "", f"{record['samples_of_8_story_ratio']:.2f} x one"),
        ("the cascade's own cost", f"{own.median:.2f} ms/answer", f"99 of 100 within {own.quantile(0.99):.2f} ms"),
    ]
    lines = [f"| {record['model_type']}, {record['n_threads']} threads | measured | ratio |", "| --- | --- | --- |"]
    lines += [f"| {name} | {measured} | {'' if worthless else ratio} |" for name, measured, ratio in rows]
    if worthless:
        why = own.worthless or f"other processes used {found.busy_cores:.1f} cores meanwhile"
        lines.append(f"\nWORTHLESS: {why}")
    return "\n".join(lines)


def _peer(name: str, speeds: list[float], ratio: float | None, missing: str) -> tuple[str, str, str]:
    if not speeds or ratio is None:
        return name, missing, ""
    return name, f"{sum(speeds) / len(speeds):.1f} tokens/s", f"ours {ratio:.2f} x"
