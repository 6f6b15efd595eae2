"""``edgecascade calibrate``: make p_correct true for a model on this device, and say what may be promised."""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecascade.cli.compare import complete_profile, finite
from edgecascade.cli.models import complete_spec
from edgecascade.cli.options import engine_options, options_as, settings_of
from edgecascade.cli.progress import counter
from edgecascade.cli.showing import counted
from edgecascade.cli.steps import (
    attempts_from_ledger,
    attempts_in,
    collect_into,
    fit_into,
    questions_in,
    report_into,
    say_fitted,
    target_of,
)

if TYPE_CHECKING:
    from edgecascade.guarantees.certificate import Promise

NOT_FRESH = 4
IN = click.Path(exists=True, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT = click.Path(dir_okay=False, path_type=Path)

as_json = click.option("--json", "as_json", is_flag=True, help="Print the record itself.")


promise_options = options_as(
    "promised",
    (
        click.option("--promise", type=click.Choice(["regret", "selective", "agreement"]), help="What is promised."),
        click.option(
            "--epsilon",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            callback=finite,
            help="The risk allowed.",
        ),
        click.option(
            "--delta",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            callback=finite,
            help="How often a fit may miss its promise. [default: 0.1]",
        ),
    ),
)


def _cost(name: str, what: str) -> Callable[[Any], Any]:
    return click.option(name, type=click.FloatRange(0), callback=finite, help=what)


target_options = options_as(
    "target",
    (
        click.option("--profile", metavar="NAME", shell_complete=complete_profile,
                     help="Choose the gates by what answers cost on this device; see `devices list`."),
        _cost("--value-usd", "With --profile: what a right answer is worth."),
        _cost("--usd-per-second", "Likewise: the price of a second of waiting."),
        _cost("--usd-per-joule", "Likewise: the price of a joule of the device."),
        _cost("--cloud-usd", "Likewise: what an answer of the cloud costs."),
        _cost("--cloud-seconds", "Likewise: how long one takes."),
    ),
)  # fmt: skip


@click.group(invoke_without_command=True)
@click.option("--recipe", default="default", show_default=True, help="What to do: default, quick, cloud, or a TOML.")
@click.option("-m", "--model", metavar="SPEC", shell_complete=complete_spec, help="Which model; see `models list`.")
@click.option("--cloud", metavar="SPEC", help="Ask this cloud too: openai:MODEL, or an address with #MODEL behind it.")
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), help="Where the attempts and the report go.")
@click.option("--open", "show", is_flag=True, help="Show the report in a browser.")
@engine_options
@click.pass_context
def calibrate(
    context: click.Context,
    recipe: str,
    model: str | None,
    cloud: str | None,
    work: Path | None,
    show: bool,
    engine: dict[str, Any],
) -> None:
    """Make p_correct true for a model on this device, and see what can be promised.

    Alone it collects, fits and reports by a recipe, and puts the fitted file where `ask` finds it. It may be stopped at
    any moment; the same command goes on.
    """
    if context.invoked_subcommand:
        _check_no_options(context, context.invoked_subcommand)
        return
    from edgecascade.calibrate.extras import TO_FIT, TO_REPORT, check_installed
    from edgecascade.errors import QuestionFileError
    from edgecascade.store.fitted_files import user_fitted
    from edgecascade.store.paths import Folders
    from edgecascade.store.recipes import find_recipe

    check_installed(*TO_FIT, *TO_REPORT)
    folders = Folders.of(os.environ)
    chosen = find_recipe(recipe, folders)
    if (chosen.promise == "selective") == bool(cloud):
        wanted = "no cloud" if cloud else "a cloud, with --cloud"
        raise QuestionFileError(f"recipe {recipe!r} promises {chosen.promise}: it wants {wanted}; see --recipe")
    file = questions_in(chosen.source)

    def attempts_of(sha256: str) -> Path:
        parts = [Path(recipe).stem, sha256[:12], *([hashlib.sha256(cloud.encode()).hexdigest()[:12]] if cloud else [])]
        return (work or folders.data / "calibrations" / "-".join(parts)) / "attempts.jsonl"

    collected = collect_into(file, attempts_of, model=model, engine=engine, cloud=cloud, limit=chosen.limit)
    fitted = user_fitted(folders, collected.sha256)
    fit_into(
        attempts_in([collected.out]), chosen.promise, chosen.epsilon, chosen.delta, fitted, sources=[collected.out]
    )
    report_into(fitted, collected.out.with_name("report.html"), show=show)


def _check_no_options(context: click.Context, name: str) -> None:
    """Raise UsageError where an option stands before a subcommand, which does not see it there."""
    command = calibrate.get_command(context, name)
    known = {parameter.name for parameter in command.params} if command else set()
    for parameter in calibrate.params:
        if context.get_parameter_source(str(parameter.name)) == click.core.ParameterSource.COMMANDLINE:
            option = parameter.opts[-1]
            todo = f"put it behind {name}" if parameter.name in known else f"{name} has no such option: leave it out"
            raise click.UsageError(f"{option} stands before {name}, where it has no effect; {todo}")


@calibrate.command()
@click.option("--questions", "-q", "source", type=IN, required=True, help="A question file, or a folder of them.")
@click.option("--form", help="Its layout, where it is not recognised: gsm8k, mmlu, arc, boolq, bbh, truthfulqa, csv.")
@click.option("--column", "columns", multiple=True, metavar="FIELD=NAME", help="Of a CSV: question=Q, gold=A, ...")
@click.option("--task", "tasks", multiple=True, metavar="NAME", help="Only this task; may be repeated.")
@click.option("-m", "--model", metavar="SPEC", shell_complete=complete_spec, help="Which model; see `models list`.")
@click.option("-s", "--system", metavar="TEXT", help="System message. [default: the model's own]")
@click.option("--cloud-column", metavar="NAME", help="The recorded scores of this model are the cloud's.")
@click.option("--cloud", metavar="SPEC", help="Ask this cloud too: openai:MODEL, or an address with #MODEL behind it.")
@click.option("--judge", metavar="SPEC", help="This model grades the questions whose metric is judge; as --cloud.")
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
    judge: str | None,
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
    if cloud and cloud_column:
        raise click.UsageError("--cloud and --cloud-column both name the cloud's side; give one of them")
    file = questions_in(source, form=form, columns=_pairs(columns), tasks=tasks)
    collected = collect_into(
        file,
        out,
        model=model,
        engine=engine,
        system=system,
        cloud=cloud,
        cloud_column=cloud_column,
        judge=judge,
        limit=limit,
        shard=shard,
        max_tokens=max_tokens,
    )
    if as_json:
        click.echo(json.dumps(collected.progress.as_json() | {"out": str(out)}))
    else:
        click.echo(f"{collected.progress.done} of {collected.progress.total} questions in {out}")


@calibrate.command()
@click.argument("attempts", nargs=-1, required=True, type=FILE)
@click.option("--out", "-o", type=OUT, required=True, help="The merged file; must not exist yet.")
def merge(attempts: tuple[Path, ...], out: Path) -> None:
    """Put the ATTEMPTS of several shards into one file; two answers to one question are a conflict."""
    from edgecascade.store.attempts import merge_attempts

    merged = merge_attempts(attempts, out)
    click.echo(f"{len(merged.rows)} attempts in {out}")


@calibrate.command()
@click.argument("attempts", nargs=-1, type=FILE)
@promise_options
@click.option("--from-ledger", is_flag=True, help="Fit what shadows have recorded, instead of ATTEMPTS.")
@click.option(
    "-m",
    "--model",
    metavar="SPEC",
    shell_complete=complete_spec,
    help="Whose shadows, with --from-ledger; how large, with --profile.",
)
@click.option("--out", "-o", type=OUT, required=True, help="The fitted file; its head lies beside it as .onnx.")
@target_options
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True,
    help="Draws which attempts fit. Trying several and keeping the best voids the promise.",
)  # fmt: skip
@as_json
@engine_options
def fit(
    attempts: tuple[Path, ...],
    promised: dict[str, Any],
    from_ledger: bool,
    model: str | None,
    out: Path,
    target: dict[str, Any],
    seed: int,
    as_json: bool,
    engine: dict[str, Any],
) -> None:
    """Fit p_correct to ATTEMPTS (one file, or shards), and certify what can be promised.

    By default the promise is regret at 2 % where the cloud's side is known, else selective at 20 %. Nothing certified
    is a result too: the fitted file then keeps no answer, and says what it would take.
    """
    from edgecascade.calibrate.extras import TO_FIT, check_installed

    check_installed(*TO_FIT)
    if from_ledger == bool(attempts):
        raise click.UsageError("what is to be fitted? give ATTEMPTS, or --from-ledger")
    if ((model and "profile" not in target) or engine) and not from_ledger:
        raise click.UsageError("the model stands in ATTEMPTS; leave --model and its settings out")
    if target and "profile" not in target:
        raise click.UsageError("what is it to cost, and where? name the device with --profile")
    found = attempts_from_ledger(model, engine) if from_ledger else attempts_in(attempts)
    promise: Promise = promised.get("promise") or ("regret" if found.header.cloud else "selective")
    epsilon = promised.get("epsilon") or (0.2 if promise == "selective" else 0.02)
    delta = promised.get("delta") or 0.1
    device = target_of(target["profile"], found, model, target) if target else None
    fit_into(found, promise, epsilon, delta, out, sources=attempts, seed=seed, as_json=as_json, target=device)


@calibrate.command()
@click.argument("fitted", type=FILE)
@click.argument("attempts", nargs=-1, required=True, type=FILE)
@click.option("--out", "-o", type=OUT, required=True, help="The new fitted file.")
@as_json
def refit(fitted: Path, attempts: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Move FITTED to another quantisation of its model, by 30 or more ATTEMPTS of that one."""
    from edgecascade.calibrate.refit import refit
    from edgecascade.fitted import Fitted
    from edgecascade.store.attempts import read_attempts
    from edgecascade.store.fitted_files import check_out, write_fitted

    check_out(out, ".json", [fitted, *attempts])
    found = refit(Fitted(fitted), read_attempts(attempts), today=date.today().isoformat())
    write_fitted(out, found.file, found.onnx)
    say_fitted(found.file, out, as_json=as_json)


@calibrate.command()
@click.argument("fitted", type=FILE)
@click.option("--out", "-o", type=OUT, help="The page. [default: beside FITTED, as .html]")
@click.option("--open", "show", is_flag=True, help="Show it in a browser.")
def report(fitted: Path, out: Path | None, show: bool) -> None:
    """Write what FITTED knows as one page for people."""
    report_into(fitted, out or fitted.with_suffix(".html"), show=show)


@calibrate.command()
@click.argument("fitted", type=FILE, required=False)
@click.option("-m", "--model", metavar="SPEC", shell_complete=complete_spec, help="Which model; see `models list`.")
@click.option("--forget", "anew", is_flag=True, help="First begin the monitors anew: what they saw is forgotten.")
@as_json
@engine_options
def check(fitted: Path | None, model: str | None, anew: bool, as_json: bool, engine: dict[str, Any]) -> None:
    """Ask whether FITTED (or the one that `ask` would use) still holds on this device: exit code 0 if so, else 4.

    Compares identities, asks 64 fixed prompts again, and looks at the drift of the estimates seen since.
    """
    from edgecascade.calibrate.check import check, forget
    from edgecascade.cli.opening import open_model
    from edgecascade.errors import FittedFileError
    from edgecascade.records import Sampling
    from edgecascade.store.paths import Folders

    with open_model(model, settings_of(engine)) as opened, counter("prompts") as show:
        judge = opened.judge(Sampling(), fitted)
        if judge is None:
            raise FittedFileError(
                f"no fitted file for {opened.name}: found none, wanted one; run edgecascade calibrate"
            )
        if anew:
            count = forget(judge.fitted, Folders.of(os.environ))
            click.echo(f"{counted(count, 'monitor')} of {judge.fitted.file.id} begun anew", err=True)
            judge = opened.judge(Sampling(), fitted) or judge
        here = opened.identity(Sampling())
        result = check(judge.fitted, opened.engine, here, judge.watch, say=lambda done: show(done, 64))
    if as_json:
        click.echo(json.dumps(result.as_json()))
    else:
        apart = "not asked" if result.fingerprint is None else f"{result.fingerprint:.4f} nats apart"
        click.echo(f"{result.verdict}: {result.reason}")
        click.echo(f"  identity     {result.identity}: {result.identity_reason}")
        click.echo(f"  fingerprint  {apart}")
        drift = "too few answers yet" if result.drift == "unknown" else result.drift
        click.echo(f"  drift        {drift}: PSI {result.psi:.3f} over {result.answers} answers")
    if result.verdict != "fresh":
        sys.exit(NOT_FRESH)


def _pairs(columns: tuple[str, ...]) -> dict[str, str] | None:
    wrong = next((column for column in columns if "=" not in column), None)
    if wrong:
        raise click.BadParameter(f"{wrong!r} is no pair; wanted FIELD=NAME, like gold=Answer", param_hint="--column")
    return dict(column.split("=", 1) for column in columns) or None
