"""Options that several commands share."""

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecascade.records import MODES, PRIVACY

if TYPE_CHECKING:
    from edgecascade.llama.settings import EngineSettings
    from edgecascade.records import Sampling

Command = Callable[..., Any]

ENGINE_OPTIONS = (
    click.option("--threads", type=click.IntRange(1), help="Threads. [default: idle cores, shared with other engines]"),
    click.option("--context", type=click.IntRange(16), help="Longest conversation in tokens. [default: profile, 4096]"),
    click.option("--gpu-layers", type=click.IntRange(-1), help="Layers on the GPU, -1 for all. [default: profile, -1]"),
    click.option("--kv-type", type=click.Choice(["f32", "f16", "q8_0", "q4_0"]), help="Type of the key-value cache."),
    click.option("--flash-attention", type=click.Choice(["auto", "on", "off"]), help="[default: profile, auto]"),
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

FITTED = click.Path(exists=True, dir_okay=False, path_type=Path)

CASCADE_OPTIONS = (
    click.option("--mode", type=click.Choice(MODES), help="Who answers. [default: prefer_on_device]"),
    click.option("--cloud", metavar="SPEC", help="Who is asked where the device is not sure, as openai:MODEL; off."),
    click.option("--privacy", type=click.Choice(PRIVACY), help="What may leave this device. [default: redact]"),
    click.option("--budget", metavar="CAPS", help="The most that clouds may cost: 1usd/day,100calls/hour."),
    click.option("--fitted", type=FITTED, help="Fitted file for p_correct. [default: your own, else a shipped one]"),
    click.option("--epsilon", type=float, help="Promise at this risk, one of the fitted file's ladder."),
    click.option("--show", type=click.Choice(["hold", "gate", "draft"]), help="When a draft is shown."),
    click.option("--deadline", type=float, metavar="SECONDS", help="The longest that an answer may take."),
    click.option("--offline", is_flag=True, default=None, help="Ask no cloud."),
)  # fmt: skip


def options_as(name: str, options: tuple[Callable[[Command], Command], ...]) -> Callable[[Command], Command]:
    """Return a decorator that adds the options, and hands those that were given to the command as one dictionary."""

    def add(command: Command) -> Command:
        names: list[str] = []

        @functools.wraps(command)
        def gathered(**parameters: Any) -> Any:
            values = {key: parameters.pop(key) for key in names}
            given = {key: value for key, value in values.items() if value not in (None, ())}
            return command(**parameters, **{name: given})

        with_options: Any = gathered
        for option in reversed(options):  # click lists them in the order in which decorators stand, the last one first
            with_options = option(with_options)
        names += [str(parameter.name) for parameter in with_options.__click_params__[-len(options) :]]
        return gathered

    return add


engine_options = options_as("engine", ENGINE_OPTIONS)
sampling_options = options_as("sampling", SAMPLING_OPTIONS)
cascade_options = options_as("cascade", CASCADE_OPTIONS)


def sampling_of(given: dict[str, Any], **defaults: Any) -> "Sampling":
    """Return the sampling that the user asked for."""
    from edgecascade.records import Sampling

    return Sampling(**{**defaults, **given})


def settings_of(given: dict[str, Any], **defaults: Any) -> "EngineSettings":
    """Return the engine settings that the user asked for; those of this device's profile where nothing is said."""
    from edgecascade.local import chosen_by, device_profile
    from edgecascade.store.paths import Folders

    values = {**defaults, **given}
    if "template" in values:
        values["template"] = _template(values["template"])
    return replace(chosen_by(device_profile(Folders.of(os.environ))), **values)


def flags_of(model: str | None, given: Mapping[str, object]) -> dict[str, object]:
    """Return the flags by the config's names."""
    return {"model": model, **{"stream.show" if name == "show" else name: value for name, value in given.items()}}


def _template(given: str) -> str:
    """Return the name of a format, the text of a file, or the Jinja text that was given itself."""
    from edgecascade.errors import ChatTemplateError
    from edgecascade.llama.chat_template import FAMILIES

    if given in FAMILIES or "{" in given:
        return given
    try:
        return Path(given).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ChatTemplateError(
            f"{given[:80]!r} is no chat format: found neither a name nor a readable text file ({error}), "
            f"wanted one of {', '.join(FAMILIES)}, a file, or Jinja text"
        ) from error


def as_text(given: str) -> str:
    """Return what was typed as text; bytes that the terminal did not decode are read as UTF-8, or become U+FFFD."""
    return given.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def model_spec(given: str | None, environment: Mapping[str, str]) -> str:
    """Return which model is meant: the option, ``EDGECASCADE_MODEL``, or the embedded default."""
    from edgecascade.pull import DEFAULT_MODEL

    return given or environment.get("EDGECASCADE_MODEL") or DEFAULT_MODEL
