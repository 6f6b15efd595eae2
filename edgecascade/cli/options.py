"""Options that several commands share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edgecascade.llama.settings import EngineSettings
    from edgecascade.records import Sampling

Command = Callable[..., Any]

ENGINE_OPTIONS = (
    click.option("--threads", type=click.IntRange(1), help="Threads. [default: idle physical cores]"),
    click.option("--context", type=click.IntRange(16), help="Longest conversation in tokens. [default: 4096]"),
    click.option("--gpu-layers", type=click.IntRange(-1), help="Layers on the GPU, -1 for all. [default: -1]"),
    click.option("--kv-type", type=click.Choice(["f32", "f16", "q8_0", "q4_0"]), help="Type of the key-value cache."),
    click.option("--flash-attention", type=click.Choice(["auto", "on", "off"]), help="[default: auto]"),
    click.option("--template", metavar="NAME|FILE", help="Chat format instead of the model's own."),
)

SAMPLING_OPTIONS = (
    click.option("--max-tokens", type=int, help="Longest answer. [default: ask 512, chat 1024]"),
    click.option("--temperature", type=float, help="0 takes the likeliest token each time. [default: ask 0, chat 0.7]"),
    click.option("--top-k", type=int, help="Choose among the K likeliest tokens only."),
    click.option("--top-p", type=float, help="Choose among the likeliest tokens of this total probability only."),
    click.option("--min-p", type=float, help="Drop tokens below this share of the likeliest. [default: 0, chat 0.05]"),
    click.option("--repeat-penalty", type=float, help="Above 1: avoid the last 64 tokens."),
    click.option("--stop", multiple=True, metavar="TEXT", help="End the answer here; may be repeated."),
    click.option("--seed", type=int, help="Repeat a random answer."),
)


def with_options(options: tuple[Callable[[Command], Command], ...]) -> Callable[[Command], Command]:
    """Return a decorator that adds the options in the order in which help is to list them."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@dataclass(frozen=True, slots=True)
class Given:
    """What the user gave of a group of options; the rest keeps its default."""

    values: dict[str, Any]

    @classmethod
    def of(cls, options: tuple[Callable[[Command], Command], ...], parameters: dict[str, Any]) -> "Given":
        """Take the options of the group out of a command's parameters."""
        named = click.command()(with_options(options)(lambda: None))
        names = [str(parameter.name) for parameter in named.params]
        return cls({name: value for name in names if (value := parameters.pop(name)) not in (None, ())})


def sampling_of(given: Given, **defaults: Any) -> "Sampling":
    """Return the sampling that the user asked for."""
    from edgecascade.records import Sampling

    return Sampling(**{**defaults, **given.values})


def settings_of(given: Given, **defaults: Any) -> "EngineSettings":
    """Return the engine settings that the user asked for."""
    from edgecascade.llama.settings import EngineSettings

    values = {**defaults, **given.values}
    if "template" in values and Path(values["template"]).is_file():
        values["template"] = Path(values["template"]).read_text(encoding="utf-8")
    return EngineSettings(**values)


def model_spec(given: str | None, environment: Mapping[str, str]) -> str:
    """Return which model is meant: the option, ``EDGECASCADE_MODEL``, or the embedded default."""
    from edgecascade.pull import DEFAULT_MODEL

    return given or environment.get("EDGECASCADE_MODEL") or DEFAULT_MODEL
