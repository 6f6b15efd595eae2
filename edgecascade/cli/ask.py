"""``edgecascade ask``: one question, one answer, one line of what it is worth."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecascade.cli.models import complete_spec
from edgecascade.cli.options import (
    as_text,
    cascade_options,
    engine_options,
    flags_of,
    sampling_of,
    sampling_options,
    settings_of,
)
from edgecascade.cli.showing import Showing
from edgecascade.records import Done

if TYPE_CHECKING:
    from edgecascade.cascade.cascade import Cascade
    from edgecascade.cascade.waiting import LateAnswer
    from edgecascade.records import Answer, Question, Sampling

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("question", required=False)
@click.option("-m", "--model", metavar="SPEC", shell_complete=complete_spec, help="Which model; see `models list`.")
@click.option("-s", "--system", metavar="TEXT", help="System message. [default: the model's own]")
@click.option("--schema", type=FILE, help="Answer in this JSON schema.")
@click.option("--choice", "choices", multiple=True, metavar="TEXT", help="Choose among these; repeat for each.")
@click.option("--samples", type=click.IntRange(1, 64), metavar="K", help="Also write K samples, and how many agree.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole record as JSON.")
@click.option("--no-stream", is_flag=True, help="Print the answer when it is whole.")
@cascade_options
@sampling_options
@engine_options
def ask(
    question: str | None,
    model: str | None,
    system: str | None,
    schema: Path | None,
    choices: tuple[str, ...],
    samples: int | None,
    as_json: bool,
    no_stream: bool,
    cascade: dict[str, Any],
    sampling: dict[str, Any],
    engine: dict[str, Any],
) -> None:
    """Answer QUESTION (or standard input) with the model on this device, or with a cloud where it is not sure.

    The answer goes to standard output; the line under it - tier, p_correct, speed or cost - to standard error, with the
    promise that a calibration makes. Without one, the mean token probability stands there, which promises nothing.
    """
    from edgecascade.cascade.running import SAMPLES_TEMPERATURE
    from edgecascade.cli.opening import open_cascade, settings_with
    from edgecascade.prompts import question_of

    # 1. What is asked; refused before a model is fetched or loaded.
    question = _standard_input() if question in (None, "-") else as_text(question or "")
    system = as_text(system) if system else system
    chosen, shape = sampling_of(sampling), _schema(schema) if schema else None
    asked = question_of(question, choices, system=system, sampling=chosen)

    # 2. Who answers.
    settings = settings_with(flags_of(model, cascade), on_terminal={})
    sequences = max(samples or 1, settings.policy.samples, 8)
    late: list[LateAnswer] = []
    with (
        open_cascade(settings, settings_of(engine, sequences=sequences), on_late=late.append) as opened,
        interruptible() as cancel,
    ):
        if system is None:
            asked = question_of(question, choices, system=opened.system, sampling=chosen)
        else:
            opened.system = None  # the one that was given stands in the question, or is not wanted at all
        asked = replace(asked, schema=shape)
        _check_promise(opened, asked, cascade.get("epsilon"))

        # 3. The answer, and what it is worth.
        streaming = not (as_json or no_stream)
        clouds = {tier.name for tier in opened.setup.clouds}
        showing = Showing(clouds, streaming=streaming, telling=not as_json)
        answer = follow(opened, asked, showing, cancel)
        if samples and not cancel.is_set():
            warm = sampling_of(sampling, temperature=SAMPLES_TEMPERATURE)
            answer = _with_samples(opened, asked, answer, samples, warm, cancel)
        _print(answer, showing, hint=not settings.cloud, as_json=as_json, streamed=streaming)
        if cancel.is_set():
            raise KeyboardInterrupt
        if opened.queue and settings.queue and not answer.queued:
            opened.queue.catch_up()
    say_late(late)


def follow(cascade: "Cascade", question: "Question", showing: Showing, cancel: threading.Event) -> "Answer":
    """Show an answer while it is written, and return it."""
    with showing:
        for event in cascade.stream(question, cancel=cancel):
            if isinstance(event, Done):
                return event.answer
            showing.take(event)
    raise AssertionError("a stream ends with its answer")


def say_late(late: "list[LateAnswer]") -> None:
    """Print the answers to questions that had to wait, each once."""
    while late:
        answer = late.pop(0)
        click.echo(f"late answer to {answer.answer_id[:12]}, by {answer.model}: {answer.text}", err=True)


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


def _schema(path: Path) -> str:
    """Return the text of a JSON schema that can be followed; SchemaError of any other file."""
    from edgecascade.errors import SchemaError
    from edgecascade.llama.sampling import grammar_of_schema

    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SchemaError(f"{path} is not UTF-8 text: {error}; wanted a JSON schema") from error
    grammar_of_schema(text)
    return text


def _check_promise(cascade: "Cascade", question: "Question", epsilon: float | None) -> None:
    """Raise FittedFileError where a risk was named, and there is nothing that could promise it."""
    from edgecascade.errors import FittedFileError

    for tier in cascade.setup.devices:
        if epsilon is not None and tier.judge(question) is None:
            raise FittedFileError(
                f"no promise at {epsilon:g} for {tier.name}: found no fitted file, wanted one; "
                "run `edgecascade calibrate`"
            )


def _with_samples(
    cascade: "Cascade", question: "Question", answer: "Answer", count: int, warm: "Sampling", cancel: threading.Event
) -> "Answer":
    """Return the device's answer with further ones by the same model: how many of them agree, how far it lies apart."""
    from edgecascade import evidence
    from edgecascade.signals.disagreement import vector_signals, word_vectors

    if answer.tier == "cloud":
        click.secho("samples are drawn on the device, and were left out: the answer is a cloud's", err=True, dim=True)
        return answer
    asked = replace(question, sampling=warm, choices=(), turned=())
    drafts = evidence.samples(cascade.setup.devices[0], asked, count, cancel=cancel)
    texts = [draft.text for draft in drafts]
    found = {"agreement": evidence.agreement(texts)} | vector_signals(word_vectors([answer.text, *texts]))
    return replace(answer, samples=drafts, signals=answer.signals | found)


def _print(answer: "Answer", showing: Showing, *, hint: bool, as_json: bool, streamed: bool) -> None:
    if as_json:
        import json

        click.echo(json.dumps(answer.as_json(), ensure_ascii=False))
        return
    if not streamed and (answer.text or not answer.queued):
        click.echo(answer.text)
    for number, sample in enumerate(answer.samples, 1):
        click.echo(f"[{number}] {sample.mean_token_probability or 0:.2f}  {sample.text}")
    click.secho(showing.line(answer, hint=hint), err=True, dim=True)
    if advice := showing.advice(answer):
        click.secho(advice, err=True, dim=True)
    if answer.promise and answer.kept:
        click.secho(answer.promise, err=True, dim=True)
    elif answer.calibration and not answer.promise:
        click.secho(f"no promise: {answer.calibration.reason}", err=True, dim=True)
    if "length" in {answer.finish_reason, *(sample.finish_reason for sample in answer.samples)}:
        click.secho("cut off at the longest answer allowed; more with --max-tokens", err=True, dim=True)
