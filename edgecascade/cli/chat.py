"""``edgecascade chat``: a conversation on this device; Ctrl-C stops an answer, not the program."""

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecascade.cli.ask import interruptible
from edgecascade.cli.models import complete_spec
from edgecascade.cli.options import as_text, engine_options, sampling_of, sampling_options, settings_of
from edgecascade.errors import ContextLengthError, EdgeCascadeError

if TYPE_CHECKING:
    from edgecascade.cli.opening import Opened
    from edgecascade.records import Sampling, Token

HISTORY_LINES = 1000
DEFAULTS = {"temperature": 0.7, "min_p": 0.05, "max_tokens": 1024}
"""A conversation is livelier than an answer: greedy small models repeat themselves."""

HELP = """\
/reset           forget what was said        /save FILE   write the conversation
/system [TEXT]   show or set the system      /load FILE   take one up again
/model [SPEC]    show or change the model    /stats       speed and probabilities so far
/help            this                        /exit        or Ctrl-D
Ctrl-C stops an answer. Yellow: probability below 0.6, red: below 0.3, in the model's own view (not calibrated)."""


@click.command()
@click.option("-m", "--model", metavar="SPEC", shell_complete=complete_spec, help="Which model; see `models list`.")
@click.option("-s", "--system", metavar="TEXT", help="System message. [default: the model's own]")
@sampling_options
@engine_options
def chat(model: str | None, system: str | None, sampling: dict[str, Any], engine: dict[str, Any]) -> None:
    """Talk to the model on this device; /help lists what else can be typed."""
    from edgecascade.cli.opening import open_model

    if sys.stdin is None:
        raise click.UsageError("chat reads lines: found no standard input, wanted a terminal or a pipe")
    chosen, settings = sampling_of(sampling, **DEFAULTS), settings_of(engine)
    with ExitStack() as stack:
        talk = _Talk(lambda spec: open_model(spec, settings), chosen, system, stack)
        talk.change_model(model)
        _with_history(talk)


def _with_history(talk: "_Talk") -> None:
    """Run the conversation with line editing and a history, where the platform has them."""
    from edgecascade.store.paths import Folders

    try:
        import readline
    except ModuleNotFoundError:  # Windows: its console edits lines by itself
        talk.run()
        return
    kept = Folders.of(os.environ).state / "chat_history"
    with suppress(OSError):  # no history yet, or a folder that cannot be read
        readline.read_history_file(kept)
    readline.set_history_length(HISTORY_LINES)
    try:
        talk.run()
    finally:
        with suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(kept)


class _Talk:
    """What a session keeps: the open model and what was said."""

    def __init__(
        self,
        open_model: "Callable[[str | None], AbstractContextManager[Opened]]",
        sampling: "Sampling",
        system: str | None,
        stack: ExitStack,
    ) -> None:
        from edgecascade.conversation import Conversation

        self._open_model, self._sampling, self._system, self._stack = open_model, sampling, system, stack
        self._conversation = Conversation(system)
        self._opened: Opened | None = None
        self._commands: dict[str, Callable[[str], None]] = {
            "/reset": lambda _: self._conversation.reset(),
            "/system": self._show_or_set_system,
            "/save": self._save,
            "/load": self._load,
            "/model": lambda spec: self.change_model(spec) if spec else click.echo(self._model.name),
            "/stats": lambda _: click.echo(self._stats()),
            "/help": lambda _: click.echo(HELP),
        }

    @property
    def _model(self) -> "Opened":
        if self._opened is None:
            raise click.UsageError("no model is open; choose one with /model SPEC")
        return self._opened

    def run(self) -> None:
        """Ask for lines and answer them until the end of input."""
        click.secho(f"{self._model.name} on this device. /help for commands, Ctrl-D to leave.", dim=True)
        while True:
            try:
                line = input("> " if sys.stdin.isatty() else "").strip()
                if line in ("/exit", "/quit"):
                    break
                if line:
                    self._take(line)
            except EOFError:
                break
            except KeyboardInterrupt:  # at the prompt, or while a model was being fetched or opened
                click.echo()

    def change_model(self, spec: str | None) -> None:
        """Open another model; what was said stays, and the old model stays when the new one fails."""
        opened = ExitStack()
        model = opened.enter_context(self._open_model(spec))
        self._stack.close()
        self._stack.push(opened.pop_all())
        self._opened = model
        self._conversation.system = model.system if self._system is None else self._system

    def _take(self, line: str) -> None:
        """Run a command or answer a question; an error is told, and the conversation goes on."""
        word, _, rest = line.partition(" ")
        try:
            if word in self._commands:
                self._commands[word](rest.strip())
            elif word.startswith("/"):
                click.echo(f"unknown command {word}; /help lists them", err=True)
            else:
                self._answer(line)
        except ContextLengthError as error:
            click.secho(f"error: {error}; /reset forgets what was said", err=True, fg="red")
        except EdgeCascadeError as error:
            click.secho(f"error: {error}", err=True, fg="red")

    def _answer(self, text: str) -> None:
        from edgecascade import evidence

        question = self._conversation.question(as_text(text), self._sampling)
        with interruptible() as cancel:
            draft = evidence.draft(self._model.engine, question, show=_show, cancel=cancel)
        click.echo()
        if draft.finish_reason == "cancelled":
            click.secho("stopped", err=True, dim=True)
        if draft.text:
            self._conversation.add(text, draft)

    def _show_or_set_system(self, text: str) -> None:
        if text:
            self._system = self._conversation.system = text
        click.echo(f"system: {self._conversation.system or '(none)'}")

    def _save(self, name: str) -> None:
        path = _path(name, "/save")
        self._conversation.save(path)
        click.echo(f"saved {len(self._conversation.turns)} messages to {path}")

    def _load(self, name: str) -> None:
        from edgecascade.conversation import Conversation

        self._conversation = Conversation.load(_path(name, "/load"))
        self._system = self._conversation.system
        click.echo(f"{len(self._conversation.turns)} messages taken up")

    def _stats(self) -> str:
        drafts = self._conversation.drafts
        if not drafts:
            return "nothing was answered yet"
        tokens = [token for draft in drafts for token in draft.tokens]
        written = sum(draft.usage.completion_tokens for draft in drafts)
        last = drafts[-1]
        return (
            f"{len(drafts)} answers, {written} tokens\n"
            f"mean token probability {sum(token.probability for token in tokens) / len(tokens):.2f} (not calibrated)\n"
            f"last answer: first token after {last.timings.ttft_s * 1000:.0f} ms, "
            f"{last.timings.decode_tps:.0f} tokens/s, mean token probability {last.mean_token_probability or 0:.2f}"
        )


def _path(name: str, command: str) -> Path:
    from edgecascade.errors import InputError

    if not name:
        raise InputError(f"{command} needs a file: found none, wanted for example {command} talk.json")
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise InputError(f"{command} {name}: {error}; wanted a file in a folder that exists") from error


def _show(token: "Token") -> None:
    click.echo(shade(token.text, token.probability), nl=False)
    sys.stdout.flush()


def shade(text: str, probability: float) -> str:
    r"""Return the text in the colour of its probability.

    >>> shade("sure", 0.9), shade("guess", 0.1)
    ('sure', '\x1b[31mguess\x1b[0m')
    """
    if not text or probability >= 0.6:
        return text
    return click.style(text, fg="yellow" if probability >= 0.3 else "red")
