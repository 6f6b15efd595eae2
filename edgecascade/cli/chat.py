"""``edgecascade chat``: a conversation on this device, and with a cloud; Ctrl-C stops an answer alone."""

import os
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from edgecascade.cli.ask import follow, interruptible, say_late
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
from edgecascade.cli.showing import Showing, counted, shade
from edgecascade.errors import ContextLengthError, EdgeCascadeError
from edgecascade.records import PRIVACY, dollars, mean_token_probability

if TYPE_CHECKING:
    from edgecascade.cascade.cascade import Cascade
    from edgecascade.cascade.running import DeviceTier
    from edgecascade.cascade.waiting import LateAnswer
    from edgecascade.llama.settings import EngineSettings
    from edgecascade.records import Answer, Attempt, Ending, Sampling, Token
    from edgecascade.store.config.settings import Settings

HISTORY_LINES = 1000
LONGEST = {"max_tokens": 1024}
LIVELY = {"temperature": 0.7, "min_p": 0.05, **LONGEST}
"""A conversation is livelier than an answer: greedy small models repeat themselves. With a cloud behind them they are
greedy all the same: p_correct is calibrated for that, and a drawn answer would never be kept."""

HELP = """\
/reset           forget what was said        /save FILE   write the conversation
/system [TEXT]   show or set the system      /load FILE   take one up again
/model [SPEC]    show or change the model    /stats       answers, speed, cost so far
/mode [MODE]     who answers                 /cloud [SPEC|off]     who is asked where the device is not sure
/privacy [WHAT]  what may leave the device   /budget [CAPS|off]    the most that clouds may cost
/help            this                        /exit        or Ctrl-D
Ctrl-C stops an answer. Yellow: probability below 0.6, red: below 0.3, in the model's own view (not calibrated).
The temperature is 0.7; with a cloud it is 0, for which p_correct is calibrated, unless --temperature says otherwise."""


@click.command()
@click.option("-m", "--model", metavar="SPEC", shell_complete=complete_spec, help="Which model; see `models list`.")
@click.option("-s", "--system", metavar="TEXT", help="System message. [default: the model's own]")
@cascade_options
@sampling_options
@engine_options
def chat(
    model: str | None,
    system: str | None,
    cascade: dict[str, Any],
    sampling: dict[str, Any],
    engine: dict[str, Any],
) -> None:
    """Talk to the model on this device, and to a cloud where it is not sure; /help lists what else can be typed."""
    if sys.stdin is None:
        raise click.UsageError("chat reads lines: found no standard input, wanted a terminal or a pipe")
    sampling_of(sampling)  # refused before a model is fetched or loaded
    with ExitStack() as stack:
        talk = _Talk(flags_of(model, cascade), settings_of(engine), sampling, system, stack)
        talk.change({})
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


@dataclass(slots=True)
class Overheard:
    """A tier on this device that lets the probability of its last token be known: a piece of text has none."""

    tier: "DeviceTier"
    probability: float = 1.0

    def stream(self, *words: Any, **options: Any) -> "Generator[Token, None, Ending]":
        """Yield the tier's tokens, and return how they ended."""
        stream = self.tier.stream(*words, **options)
        try:
            while True:
                token = next(stream)
                self.probability = token.probability if token.told else 1.0
                yield token
        except StopIteration as stop:
            ending: Ending = stop.value
            return ending
        finally:
            stream.close()

    def shade(self, text: str) -> str:
        """Return a piece in the colour of the token that it came with."""
        return shade(text, self.probability)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tier, name)


class _Talk:
    """What a session keeps: the open cascade and what was said."""

    def __init__(
        self,
        flags: Mapping[str, object],
        engine: "EngineSettings",
        sampling: Mapping[str, Any],
        system: str | None,
        stack: ExitStack,
    ) -> None:
        from edgecascade.conversation import Conversation

        self._flags, self._engine, self._given, self._system, self._stack = flags, engine, sampling, system, stack
        self._conversation = Conversation(system)
        self._cascade: Cascade | None = None
        self._settings: Settings | None = None
        self._heard: Overheard | None = None
        self._late: list[LateAnswer] = []
        self._said: set[str] = set()
        self._commands: dict[str, Callable[[str], None]] = {
            "/reset": lambda _: self._conversation.reset(),
            "/system": self._show_or_set_system,
            "/save": self._save,
            "/load": self._load,
            "/model": lambda spec: self._show_or_change("model", spec),
            "/mode": lambda mode: self._show_or_change("mode", mode),
            "/privacy": lambda privacy: self._show_or_change("privacy", privacy),
            "/cloud": lambda spec: self._show_or_change("cloud", spec),
            "/budget": lambda caps: self._show_or_change("budget", caps),
            "/stats": lambda _: click.echo(self._stats()),
            "/help": lambda _: click.echo(HELP),
        }

    @property
    def _open(self) -> "Cascade":
        if self._cascade is None:
            raise click.UsageError("no model is open; choose one with /model SPEC")
        return self._cascade

    def run(self) -> None:
        """Ask for lines and answer them until the end of input."""
        click.secho(f"{self._who()}. /help for commands, Ctrl-D to leave.", dim=True)
        while True:
            try:
                say_late(self._late)
                line = input("> " if sys.stdin.isatty() else "").strip()
                if line in ("/exit", "/quit"):
                    break
                if line:
                    self._take(line)
            except EOFError:
                break
            except KeyboardInterrupt:  # at the prompt, or while a model was being fetched or opened
                click.echo()

    def change(self, flags: Mapping[str, object]) -> None:
        """Open the cascade with these flags besides; what was said stays, and the old one where the new one fails."""
        from edgecascade.cli.opening import open_cascade, settings_with

        flags = {**self._flags, **flags}
        settings = settings_with(flags, on_terminal={"stream.show": "draft"})
        before = self._settings
        opened = ExitStack()
        cascade = opened.enter_context(open_cascade(settings, self._engine, on_late=self._late.append))
        self._stack.close()
        self._stack.push(opened.pop_all())
        self._flags, self._settings, self._cascade = flags, settings, cascade
        self._heard = _overheard(cascade)
        if before and _looser(before, settings):
            self._leave_behind()
        self._conversation.system = cascade.system if self._system is None else self._system

    def _leave_behind(self) -> None:
        """Begin the conversation anew: what was said while it could not leave the device is not sent later."""
        if self._conversation.turns or self._system:
            said = "what was said so far, the system message too, stays on this device: the conversation begins anew"
            click.secho(said, err=True, fg="yellow")
        self._conversation.turns.clear()
        self._system = None

    def _show_or_change(self, name: str, value: str) -> None:
        if value:
            self.change({name: value})
        settings = self._settings
        assert settings is not None
        shown = {"model": self._who(), "privacy": settings.privacy.default}
        click.echo(f"{name}: {shown.get(name) or getattr(settings, name) or '(none)'}")

    def _who(self) -> str:
        """Return who answers."""
        setup = self._open.setup
        here = [f"{tier.name} on this device" for tier in setup.devices]
        there = [f"{tier.name} in the cloud" for tier in setup.clouds]
        return f"{', '.join([*here, *there])}{f' ({setup.options.mode})' if there else ''}"

    def _sampling(self) -> "Sampling":
        """Return how tokens are chosen: the likeliest where a cloud stands behind the device, unless told otherwise."""
        setup = self._open.setup
        alone = not setup.clouds or setup.options.mode == "only_on_device"
        return sampling_of(dict(self._given), **(LIVELY if alone else LONGEST))

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
        question = self._conversation.question(as_text(text), self._sampling())
        self._open.system = self._conversation.system or None  # a conversation without one is asked without one
        clouds = {tier.name for tier in self._open.setup.clouds}
        at_once = not clouds or self._open.setup.options.show == "draft"
        showing = Showing(clouds, shade=self._heard.shade if self._heard and at_once else str)
        with interruptible() as cancel:
            answer = follow(self._open, question, showing, cancel)
        if answer.code == "cancelled":
            click.secho("stopped", err=True, dim=True)
        self._say(answer, showing)
        if answer.text:
            self._conversation.add(text, answer)

    def _say(self, answer: "Answer", showing: Showing) -> None:
        """Print what an answer is worth; what was said before of all answers is not said again."""
        hint = "no_cloud" not in self._said and not (self._settings and self._settings.cloud)
        click.secho(showing.line(answer, hint=hint), err=True, dim=True)
        note = answer.promise if answer.kept else None
        if answer.calibration and not answer.promise:
            note = f"no promise: {answer.calibration.reason}"
        notes = [text for text in (showing.advice(answer), note) if text and text not in self._said]
        for text in notes:
            click.secho(text, err=True, dim=True)
        self._said |= {answer.code, *notes}

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
        answers = self._conversation.answers
        if not answers:
            return "nothing was answered yet"
        written = sum(answer.usage.completion_tokens for answer in answers)
        local = [answer for answer in answers if answer.tier == "local"]
        known = [answer.usd for answer in answers if answer.usd is not None]
        unknown = f", the price of {len(answers) - len(known)} is unknown" if len(known) < len(answers) else ""
        tiers = f"local {len(local)}, cloud {len(answers) - len(local)}"
        said = f"{counted(len(answers), 'answer')}, {counted(written, 'token')}"
        lines = [f"{said}: {tiers}; {dollars(sum(known))}{unknown}"]
        tokens = [token for answer in answers for attempt in answer.attempts for token in _told(attempt)]
        if tokens:
            lines.append(f"mean token probability {mean_token_probability(tokens):.2f} (not calibrated)")
        last = answers[-1]
        lines.append(f"last answer: first token after {last.timings.ttft_s * 1000:.0f} ms; {last.line(hint=False)}")
        return "\n".join(lines)


def _looser(before: "Settings", after: "Settings") -> bool:
    """Return whether more may leave the device than before."""
    stood, stands = (PRIVACY.index(settings.privacy.default) for settings in (before, after))
    return stands < stood or before.mode == "only_on_device" != after.mode


def _told(attempt: "Attempt") -> "tuple[Token, ...]":
    return attempt.draft.tokens if attempt.draft and attempt.place == "device" else ()


def _overheard(cascade: "Cascade") -> Overheard | None:
    """Stand between a cascade and its model; None where it has none."""
    heard = next((Overheard(tier) for tier in cascade.setup.devices), None)
    if heard:
        here = cast("DeviceTier", heard)
        tiers = tuple(here if tier is heard.tier else tier for tier in cascade.setup.tiers)
        cascade.setup = replace(cascade.setup, tiers=tiers)
    return heard


def _path(name: str, command: str) -> Path:
    from edgecascade.errors import InputError

    if not name:
        raise InputError(f"{command} needs a file: found none, wanted for example {command} talk.json")
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise InputError(f"{command} {name}: {error}; wanted a file in a folder that exists") from error
