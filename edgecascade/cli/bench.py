"""``edgecascade bench``: us against baselines, measured here and now."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecascade.cli.models import complete_spec
from edgecascade.cli.options import engine_options, settings_of

if TYPE_CHECKING:
    from edgecascade.bench import DecodeBench


@click.group()
def bench() -> None:
    """Measure this device: ours against llama.cpp's own tools."""


@bench.command()
@click.option("-m", "--model", metavar="SPEC", shell_complete=complete_spec, help="Which model; see `models list`.")
@click.option("--tokens", type=click.IntRange(16), default=128, show_default=True, help="Tokens a round.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Rounds of each, in turn.")
@click.option(
    "--llama-bench",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="llama.cpp's own tool. [default: $EDGECASCADE_LLAMA_BENCH, or the search path]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON line only.")
@engine_options
def decode(
    model: str | None, tokens: int, rounds: int, llama_bench: Path | None, as_json: bool, engine: dict[str, Any]
) -> None:
    """Decode speed with every signal on, against llama-bench and llama-cpp-python's log-probabilities.

    Prints a table; its last line is JSON with llama-bench's keys and the ratios.
    """
    import json

    from edgecascade.bench import bench_decode
    from edgecascade.cascade.served import ServedTier
    from edgecascade.cli.opening import open_model
    from edgecascade.errors import ModelNotFoundError

    with open_model(model, settings_of(engine)) as opened:
        if isinstance(opened.engine, ServedTier):
            raise ModelNotFoundError(
                f"{opened.name} cannot be measured: found a server, wanted a model in this process; name a file"
            )
        path, settings = opened.engine.path, opened.engine.settings
    found = bench_decode(
        path,
        settings,
        tokens=tokens,
        rounds=rounds,
        llama_bench=llama_bench,
        say=lambda line: click.secho(line, err=True, dim=True),
    )
    if not as_json:
        click.echo(table(found))
    click.echo(json.dumps(found.as_json()))


def table(found: "DecodeBench") -> str:
    """Return the figures as a Markdown table."""
    record = found.as_json()
    rows = [
        ("ours, every signal on", f"{record['avg_ts']:.1f} tokens/s", ""),
        _peer("llama-bench (reads nothing)", found.llama_bench_ts, record["ratio_to_llama_bench"], "not found"),
        _peer("high-level API, logprobs=5", found.high_level_ts, record["ratio_to_high_level"], "dies here"),
        ("signals", f"{record['signals_ms']:.3f} ms/token", ""),
        ("second turn's first token", "", f"{record['second_turn_ratio']:.2f} x its new tokens and a chunk"),
        ("8 samples of short answers", "", f"{record['samples_of_8_answer_ratio']:.2f} x one"),
        ("8 samples of a story", "", f"{record['samples_of_8_story_ratio']:.2f} x one"),
    ]
    lines = [f"| {record['model_type']}, {record['n_threads']} threads | measured | ratio |", "| --- | --- | --- |"]
    lines += [f"| {name} | {measured} | {ratio} |" for name, measured, ratio in rows]
    if found.worthless:
        lines.append(f"\nWORTHLESS: other processes used {found.busy_cores:.1f} cores meanwhile.")
    return "\n".join(lines)


def _peer(name: str, speeds: list[float], ratio: float | None, missing: str) -> tuple[str, str, str]:
    if not speeds or ratio is None:
        return name, missing, ""
    return name, f"{sum(speeds) / len(speeds):.1f} tokens/s", f"ours {ratio:.2f} x"
