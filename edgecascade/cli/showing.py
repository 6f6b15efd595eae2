"""An answer while it is written: its pieces on standard output, taken away again where another tier takes over.

Standard output holds the answer alone; what is said about it goes to standard error. From a file or a pipe nothing can
be taken away, so what a cloud says, which may break off, is kept back there until it is whole.
"""

import os
import shutil
import sys
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

import click

from edgecascade.records import Delta, Handoff

Shade = Callable[[str], str]


class Showing:
    """What stands on standard output of one answer."""

    def __init__(
        self, clouds: Collection[str], *, streaming: bool = True, telling: bool = True, shade: Shade = str
    ) -> None:
        """Begin with nothing.

        clouds     names of the tiers that are asked over the network
        streaming  print pieces as they come       telling  say that another tier goes on
        shade      colours what a device says
        """
        self._clouds, self._streaming, self._telling, self._shade = clouds, streaming, telling, shade
        self._terminal = sys.stdout.isatty()
        self._kept_back = ""
        self._begun = False

    def take(self, event: Delta | Handoff) -> None:
        """Show a piece, or that another tier goes on."""
        if isinstance(event, Delta):
            self._piece(event)
            return
        if self._begun and event.replaces:
            self._take_away(event.replaces)
        self._kept_back = ""
        if not self._telling:
            return
        who = f"asking {event.tier}" if event.tier in self._clouds else "this device answers"
        click.secho(f"↪ {who}: {event.reason}", err=True, dim=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Show what was kept back, and end the line."""
        if self._streaming and (self._begun or not error):
            click.echo(self._kept_back)

    def _piece(self, piece: Delta) -> None:
        if not self._streaming:
            return
        if piece.place == "cloud" and not self._terminal:
            self._kept_back += piece.text
            return
        click.echo(self._shade(piece.text) if piece.place == "device" else piece.text, nl=False)
        sys.stdout.flush()
        self._begun = True

    def _take_away(self, text: str) -> None:
        """Take the text off the terminal; where that cannot be done, begin a new line."""
        width, height = shutil.get_terminal_size()
        rows = rows_of(text, width)
        if self._terminal and rows <= height and os.name != "nt" and os.environ.get("TERM") != "dumb":
            up = f"\x1b[{rows - 1}A" if rows > 1 else ""
            sys.stdout.write(f"\r{up}\x1b[J")  # not by click.echo, which takes the codes away without colours
            sys.stdout.flush()
        else:
            click.echo()
        self._begun = False


def rows_of(text: str, width: int) -> int:
    r"""Return how many rows of a terminal a text takes that begins at the left.

    >>> rows_of("abcdef", 4), rows_of("abcd", 4), rows_of("a\n\nb", 4), rows_of("日本", 3)
    (2, 1, 3, 2)
    """
    from rich.cells import cell_len

    return sum(max(1, -(-cell_len(line.expandtabs()) // width)) for line in text.split("\n"))


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
        opened = ExitStack()
        cascade = opened.enter_context(open_cascade(settings, self._engine, on_late=self._late.append))
        self._stack.close()
        self._stack.push(opened.pop_all())
        self._flags, self._settings, self._cascade = flags, settings, cascade
        self._heard = _overheard(cascade)
        self._conversation.system = cascade.system if self._system is None else self._system

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
        clouds = {tier.name for tier in self._open.setup.clouds}
        at_once = not clouds or self._open.setup.options.show == "draft"
        showing = Showing(clouds, shade=self._heard.shade if self._heard and at_once else str)
        with interruptible() as cancel:
            answer = follow(self._open, question, showing, cancel)
        if answer.code == "cancelled":
            click.secho("stopped", err=True, dim=True)
        self._say(answer)
        if answer.text:
            self._conversation.add(text, answer)

    def _say(self, answer: "Answer") -> None:
        """Print what an answer is worth; what was said before of all answers is not said again."""
        hint = "hint" not in self._said
        click.secho(answer.line(hint=hint), err=True, dim=True)
        note = answer.promise if answer.kept else None
        if answer.calibration and not answer.promise:
            note = f"no promise: {answer.calibration.reason}"
        if note and note not in self._said:
            click.secho(note, err=True, dim=True)
        self._said |= {"hint", *([note] if note else [])}

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
        lines = [f"{len(answers)} answers, {written} tokens: {tiers}; {dollars(sum(known))}{unknown}"]
        tokens = [token for answer in answers for attempt in answer.attempts for token in _told(attempt)]
        if tokens:
            lines.append(f"mean token probability {mean_token_probability(tokens):.2f} (not calibrated)")
        last = answers[-1]
        lines.append(
            f"last answer: first token after {last.timings.ttft_s * 1000:.0f} ms, "
            f"{last.timings.decode_tps:.0f} tokens/s; {last.line(hint=False)}"
        )
        return "\n".join(lines)


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


def shade(text: str, probability: float) -> str:
    r"""Return the text in the colour of its probability.

    >>> shade("sure", 0.9), shade("guess", 0.1)
    ('sure', '\x1b[31mguess\x1b[0m')
    """
    if not text or probability >= 0.6:
        return text
    return click.style(text, fg="yellow" if probability >= 0.3 else "red")
