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
from edgecascade.cli.showing import Showing, shade
from edgecascade.errors import ContextLengthError, EdgeCascadeError
from edgecascade.records import dollars, mean_token_probability

if TYPE_CHECKING:
    from edgecascade.cascade import Cascade
    from edgecascade.llama.settings import EngineSettings
    from edgecascade.records import Answer, Attempt, Ending, Sampling, Token
    from edgecascade.running import DeviceTier
    from edgecascade.store.config.settings import Settings
    from edgecascade.waiting import LateAnswer

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
                self.probability = token.probability
                yield token
        except StopIteration as stop:
            ending: Ending = stop.value
            return ending
        finally:
            stream.close()
