"""``edgecascade calibrate``: make p_correct true for a model on this device, and say what may be promised."""

import os
import time
from pathlib import Path
from typing import Any

import click

from edgecascade.cli.models import complete_spec
from edgecascade.cli.options import engine_options, settings_of
from edgecascade.cli.progress import counter

IN = click.Path(exists=True, path_type=Path)
OUT = click.Path(dir_okay=False, path_type=Path)

as_json = click.option("--json", "as_json", is_flag=True, help="Print the record itself.")


@click.group()
def calibrate() -> None:
    """Collect graded answers, fit p_correct to them, and see what can be promised."""


@calibrate.command()
@click.option("--questions", "-q", "source", type=IN, required=True, help="A question file, or a folder of them.")
@click.option("--form", help="Its layout, where it is not recognised: gsm8k, mmlu, arc, boolq, bbh, truthfulqa, csv.")
@click.option("--column", "columns", multiple=True, metavar="FIELD=NAME", help="Of a CSV: question=Q, gold=A, ...")
@click.option("--task", "tasks", multiple=True, metavar="NAME", help="Only this task; may be repeated.")
@click.option("-m", "--model", metavar="SPEC", shell_complete=complete_spec, help="Which model; see `models list`.")
@click.option("-s", "--system", metavar="TEXT", help="System message. [default: the model's own]")
@click.option("--cloud-column", metavar="NAME", help="The recorded scores of this model are the cloud's.")
@click.option("--cloud", metavar="SPEC", help="Ask this cloud too: openai:MODEL, or an address with #MODEL behind it.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many, spread over the file.")
@click.option("--shard", default="1/1", show_default=True, metavar="I/N", help="Only the I-th of N parts.")
@click.option("--max-tokens", type=click.IntRange(1), metavar="N", help="The longest answer. [default: by metric]")
@click.option("--out", "-o", type=OUT, required=True, help="The attempts file; gone on with where it exists.")
@as_json
@engine_options
def collect(
    source: Path,
    form: str | None,
    columns: tuple[str, ...],
    tasks: tuple[str, ...],
    model: str | None,
    system: str | None,
    cloud_column: str | None,
    cloud: str | None,
    limit: int | None,
    shard: str,
    max_tokens: int | None,
    out: Path,
    as_json: bool,
    engine: dict[str, Any],
) -> None:
    """Let the device answer labelled questions, grade each answer, and keep all evidence.

    May be killed at any moment and started again with the same --out.
    """
    from contextlib import ExitStack
    from datetime import date

    from edgecascade.calibrate.collect import Progress, collect, part_of, questions_of
    from edgecascade.cli.opening import open_model
    from edgecascade.cloud.chat import ChatCloud, cloud_spec

    if cloud and cloud_column:
        raise click.UsageError("--cloud and --cloud-column both name the cloud's side; give one of them")
    file = questions_of(source, form=form, columns=_pairs(columns), tasks=tasks)
    for metric, count in file.left_out.items():
        click.secho(f"note: {count} questions left out: {metric}", err=True, fg="yellow")
    todo = part_of(file.questions, shard=shard, limit=limit)
    with ExitStack() as open_now:
        tier = open_now.enter_context(ChatCloud(cloud_spec(cloud, os.environ))) if cloud else None
        opened = open_now.enter_context(open_model(model, settings_of(engine)))
        show = open_now.enter_context(counter("questions"))

        def tell(progress: Progress) -> None:
            share = f"{progress.correct / made:.0%} right" if (made := progress.answered) else ""
            show(progress.done, progress.total, share)

        done = collect(
            opened.engine,
            todo,
            out,
            sha256=opened.sha256,
            source=file.sha256,
            today=date.today().isoformat(),
            system=opened.system if system is None else system,
            cloud=tier or cloud_column,
            cloud_name=cloud or cloud_column,
            shard=shard,
            max_tokens=max_tokens,
            tell=tell,
            clock=time.monotonic,
        )
    if done.left_out:
        click.secho(f"note: {done.left_out} questions are too long for the context", err=True, fg="yellow")
    if as_json:
        import json

        click.echo(json.dumps(done.as_json() | {"out": str(out)}))
    else:
        click.echo(f"{done.done} of {done.total} questions in {out}")


def _pairs(columns: tuple[str, ...]) -> dict[str, str] | None:
    wrong = next((column for column in columns if "=" not in column), None)
    if wrong:
        raise click.BadParameter(f"{wrong!r} is no pair; wanted FIELD=NAME, like gold=Answer", param_hint="--column")
    return dict(column.split("=", 1) for column in columns) or None
