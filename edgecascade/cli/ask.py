"""``edgecascade ask``: one question, one answer, one line of what it is worth."""

import signal
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecascade.cli.models import complete_spec
from edgecascade.cli.options import as_text, engine_options, sampling_of, sampling_options, settings_of

if TYPE_CHECKING:
    from edgecascade.records import Answer, Draft

SAMPLES_TEMPERATURE = 0.7
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("question", required=False)
@click.option("-m", "--model", metavar="SPEC", shell_complete=complete_spec, help="Which model; see `models list`.")
@click.option("-s", "--system", metavar="TEXT", help="System message. [default: the model's own]")
@click.option("--schema", type=FILE, help="Answer in this JSON schema.")
@click.option("--choice", "choices", multiple=True, metavar="TEXT", help="Choose among these; repeat for each.")
@click.option("--fitted", type=FILE, help="Fitted file for p_correct. [default: the user's own, else a shipped one]")
@click.option("--epsilon", type=float, help="Promise at this risk, one of the fitted file's ladder. [default: its own]")
@click.option("--samples", type=click.IntRange(1, 64), metavar="K", help="Also write K samples, and how many agree.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole record as JSON.")
@click.option("--no-stream", is_flag=True, help="Print the answer when it is whole.")
@sampling_options
@engine_options
def ask(
    question: str | None,
    model: str | None,
    system: str | None,
    schema: Path | None,
    choices: tuple[str, ...],
    fitted: Path | None,
    epsilon: float | None,
    samples: int | None,
    as_json: bool,
    no_stream: bool,
    sampling: dict[str, Any],
    engine: dict[str, Any],
) -> None:
    """Answer QUESTION (or standard input) with the model on this device.

    The answer goes to standard output; the line under it - tier, p_correct, speed - to standard error, with the promise
    that a calibration makes. Without one, the mean token probability stands there, which promises nothing.
    """
    from edgecascade import evidence
    from edgecascade.cli.opening import open_model
    from edgecascade.errors import FittedFileError
    from edgecascade.prompts import question_of
    from edgecascade.records import Question

    question = _standard_input() if question in (None, "-") else as_text(question or "")
    system = as_text(system) if system else system
    grammar = _grammar(schema) if schema else None
    chosen = sampling_of(sampling, grammar=grammar)
    settings = settings_of(engine, sequences=max(samples or 1, 8))
    question_of(question, choices, sampling=chosen)  # refused before a model is fetched or loaded
    with open_model(model, settings) as opened, interruptible() as cancel:
        asked = question_of(question, choices, system=opened.system if system is None else system, sampling=chosen)
        judge = opened.judge(chosen, fitted, epsilon=epsilon)
        if judge is None and epsilon is not None:
            raise FittedFileError(
                f"no promise at {epsilon:g} for {opened.name}: found no fitted file, wanted one; "
                "run `edgecascade calibrate`"
            )
        streaming = not (as_json or no_stream)
        draft = evidence.draft(
            opened.engine,
            asked,
            show=lambda token: _show(token.text, streaming),
            hidden=judge is not None and judge.wants_hidden,
            cancel=cancel,
        )
        drafts: tuple[Draft, ...] = ()
        if samples and not cancel.is_set():
            warm = sampling_of(sampling, grammar=grammar, temperature=SAMPLES_TEMPERATURE)
            drafts = evidence.samples(opened.engine, Question(asked.messages, warm), samples, cancel=cancel)
        answer = evidence.answer_of(asked, draft, model=opened.name, id=uuid.uuid4().hex, samples=drafts, judge=judge)
        _print(answer, as_json=as_json, streamed=streaming)
        if cancel.is_set():
            raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event that ends the answer; a second one ends the program."""
    cancel = threading.Event()

    def first(number: int, frame: object) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    if threading.current_thread() is not threading.main_thread():
        yield cancel
        return
    before = signal.signal(signal.SIGINT, first)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)


def _standard_input() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError('no question: give one, like `edgecascade ask "Why is the sky blue?"`, or pipe it in')
    return sys.stdin.buffer.read().decode("utf-8", "replace")


def _grammar(schema: Path) -> str:
    from edgecascade.errors import SchemaError
    from edgecascade.llama.sampling import grammar_of_schema

    try:
        return grammar_of_schema(schema.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise SchemaError(f"{schema} is not UTF-8 text: {error}; wanted a JSON schema") from error


def _show(text: str, streaming: bool) -> None:
    if streaming:
        sys.stdout.write(text)
        sys.stdout.flush()


def _print(answer: "Answer", *, as_json: bool, streamed: bool) -> None:
    if as_json:
        import json

        click.echo(json.dumps(answer.as_json(), ensure_ascii=False))
        return
    click.echo("" if streamed else answer.text)
    for number, sample in enumerate(answer.samples, 1):
        click.echo(f"[{number}] {sample.mean_token_probability or 0:.2f}  {sample.text}")
    click.secho(answer.line(), err=True, dim=True)
    if answer.promise and answer.kept:
        click.secho(answer.promise, err=True, dim=True)
    elif answer.calibration and not answer.promise:
        click.secho(f"no promise: {answer.calibration.reason}", err=True, dim=True)
    if "length" in {answer.finish_reason, *(sample.finish_reason for sample in answer.samples)}:
        click.secho("cut off at the longest answer allowed; more with --max-tokens", err=True, dim=True)
