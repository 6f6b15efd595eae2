"""``edgecascade config``: what is set, where it was set, what is wrong with it, and a first config of your own."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecascade.records import MODES, PRIVACY

if TYPE_CHECKING:
    from edgecascade.profile import Profile
    from edgecascade.store.config import Settings
    from edgecascade.store.config.check import Finding
    from edgecascade.store.paths import Folders

BAD_INPUT = 3
NOBODY = "off"
NOBODYS = (NOBODY, "none")
COLOURS = {"ok": "green", "note": "yellow", "error": "red"}


@click.group()
def config() -> None:
    """Show, check or write what is set."""


@config.command()
@click.option("--origin", is_flag=True, help="Say where each setting comes from.")
@click.option("--json", "as_json", is_flag=True, help="Print settings and origins as JSON.")
def show(origin: bool, as_json: bool) -> None:
    """Print the settings that hold in this folder."""
    import json

    from edgecascade.store.config import config_of
    from edgecascade.store.paths import Folders

    found = config_of(Folders.of(os.environ), Path.cwd(), os.environ)
    settings = found.settings.model_dump(mode="json")
    if as_json:
        click.echo(json.dumps({"settings": settings, "origin": dict(found.origin)}, ensure_ascii=False))
        return
    for key, source in found.origin.items():
        line = f"{key} = {json.dumps(_at(settings, key), ensure_ascii=False)}"
        click.echo(f"{line:<40} # {source}" if origin else line)


@config.command()
def check() -> None:
    """Say what is wrong with the settings, whether model and key are there, and what a token costs."""
    from edgecascade.store.config import config_of
    from edgecascade.store.config.check import check_config
    from edgecascade.store.paths import Folders

    folders = Folders.of(os.environ)
    found = check_config(folders, Path.cwd(), os.environ)
    if all(finding.level != "error" for finding in found):
        settings = config_of(folders, Path.cwd(), os.environ).settings
        found += [*_of_model(settings, folders), *_of_cloud(settings), *_of_device(settings, folders)]
    for finding in found:
        click.echo(f"{click.style(f'{finding.level:<5}', fg=COLOURS[finding.level])} {finding.text}")
    sys.exit(BAD_INPUT if any(finding.level == "error" for finding in found) else 0)


@config.command()
def path() -> None:
    """Print where your config lies, or would lie."""
    from edgecascade.store.config import user_file
    from edgecascade.store.paths import Folders

    click.echo(user_file(Folders.of(os.environ)))


@config.command()
@click.option("-m", "--model", metavar="SPEC", help="Model on this device.")
@click.option("--cloud", metavar="SPEC", help="Who is asked where the device is not trusted; off for nobody.")
@click.option("--mode", type=click.Choice(MODES), help="Who answers.")
@click.option("--privacy", type=click.Choice(PRIVACY), help="What may leave this device.")
@click.option(
    "--budget", metavar="CAPS", help="The most that clouds may cost, as 1usd/day,100calls/hour; off for no cap."
)
@click.option("--test/--no-test", default=None, help="Ask the cloud for one token, to test the key.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing: take the flags, and what is set already.")
def init(test: bool | None, yes: bool, **given: str | None) -> None:
    """Write your config: a few questions, each with a default.

    A config that is there already is changed, not replaced: comments and other settings stay.
    """
    from edgecascade.store.config import user_file
    from edgecascade.store.config.writing import write_settings
    from edgecascade.store.paths import Folders

    file = user_file(Folders.of(os.environ))
    with _answered():
        wanted = _answers(_set_in(file), given, ask=not yes)
        cloud = wanted["cloud"]
        keyed = _has_key(cloud, ask=not yes) if cloud else False
        if file.exists() and not yes and not click.confirm(f"Change {file}?", default=True):
            click.echo("nothing was written", err=True)
            return
        write_settings(file, {("privacy.default" if key == "privacy" else key): value for key, value in wanted.items()})
        click.echo(file)
        if cloud and test is None:
            test = keyed and not yes and click.confirm(f"Ask {cloud} for one token?", default=False)
    if cloud and test:
        probe(cloud)
        click.echo(f"{cloud} answers", err=True)


def probe(cloud: str) -> str:
    """Return what the cloud answers to a question of two words, in one token; raise what any call to it may."""
    from edgecascade.cloud.client import CloudClient
    from edgecascade.cloud.specs import cloud_spec
    from edgecascade.records import Question, Sampling
    from edgecascade.store.keys import kept_key

    with CloudClient(cloud_spec(cloud, os.environ, kept_key)) as client:
        return client.answer(Question.of("Say yes.", sampling=Sampling(max_tokens=1)))


def _at(settings: dict[str, Any], key: str) -> Any:
    """Return the value of a dotted key; the name of a priced cloud may hold dots itself."""
    name, _, rest = key.partition(".")
    if name == "prices" and rest:
        return settings[name][rest]
    return _at(settings[name], rest) if rest else settings[name]


def _of_model(settings: "Settings", folders: "Folders") -> list["Finding"]:
    """Return whether the model is on this device; a server is not asked."""
    from edgecascade.errors import InputError
    from edgecascade.pull import DEFAULT_MODEL, locate
    from edgecascade.store.config.check import Finding
    from edgecascade.store.specs import is_server

    model = settings.model or DEFAULT_MODEL
    if settings.mode == "only_in_cloud" or is_server(model):
        return []
    try:
        there = locate(model, folders=folders, environment=os.environ, home=Path.home())
    except InputError as error:
        return [Finding("error", f"model: {error}")]
    return [] if there else [Finding("note", f"{model} is not on this device yet: the first question fetches it")]


def _of_cloud(settings: "Settings") -> list["Finding"]:
    """Return whether the cloud can be asked, its key not shown, and what it costs, by the rule of a run."""
    from datetime import date

    from edgecascade.cascade.assembling import price_of
    from edgecascade.cloud.specs import cloud_spec
    from edgecascade.errors import InputError
    from edgecascade.store.config.check import Finding, price_finding
    from edgecascade.store.keys import kept_key

    if not settings.cloud:
        return []
    try:
        spec = cloud_spec(settings.cloud, os.environ, kept_key)
    except InputError as error:
        return [Finding("error", str(error))]
    key = Finding("ok", f"{settings.cloud}: {'its key is there' if spec.key else 'is asked without a key'}")
    return [price_finding(settings, spec.base_url, price_of(settings, spec), date.today()), key]


def _of_device(settings: "Settings", folders: "Folders") -> list["Finding"]:
    """Return which profile this device runs by, and whether what a joule is worth can be counted."""
    from edgecascade import sensors
    from edgecascade.errors import ProfileError
    from edgecascade.profiles import profile_here
    from edgecascade.store.config.check import Finding

    try:
        profile = profile_here(folders, chosen=settings.profile, machine=sensors.machine())
    except ProfileError as error:
        return [Finding("error", f"profile: {error}")]
    found = [Finding("ok", f"profile {profile.name}: {profile.title}")] if profile else []
    power = profile.power if profile else None
    working = settings.watts is not None or bool(power and power.decode)
    if settings.policy.usd_per_joule and not (working and power and power.idle):
        what = "power at rest" if working else "power"
        advice = "let `edgecascade measure` find it, or take a profile that has it"
        found.append(Finding("note", f"policy.usd_per_joule has no effect: this device's {what} is unknown; {advice}"))
    return [*found, *_of_weights(settings, profile, folders)]


def _of_weights(settings: "Settings", profile: "Profile | None", folders: "Folders") -> list["Finding"]:
    """Return whether the weights leave anything of what the fitted file keeps, where both are known by now."""
    from edgecascade.cascade.assembling import price_of, weights_of
    from edgecascade.cloud.specs import cloud_spec
    from edgecascade.errors import FittedFileError, InputError
    from edgecascade.pull import DEFAULT_MODEL
    from edgecascade.store.config.check import kept_finding
    from edgecascade.store.fitted_files import fitted_files, read_fitted
    from edgecascade.store.manifests import find_manifest

    weights, manifest = weights_of(settings.policy, profile), find_manifest(settings.model or DEFAULT_MODEL, folders)
    if weights is None or not settings.cloud:
        return []
    try:
        price = price_of(settings, cloud_spec(settings.cloud, os.environ, lambda variable: None))
        files = map(read_fitted, [settings.fitted] if settings.fitted else fitted_files(folders))
        file = next(file for file in files if settings.fitted or (manifest and file.identity.sha256 == manifest.sha256))
    except (FittedFileError, InputError, StopIteration):  # told elsewhere, or there is none
        return []
    found = kept_finding(settings, weights, file, price)
    return [found] if found else []


def _set_in(file: Path) -> "Settings":
    from edgecascade.errors import ConfigError
    from edgecascade.store.config import Settings
    from edgecascade.store.config.faults import faults
    from edgecascade.store.config.layers import file_layer

    layer = file_layer(file)
    if wrong := faults(layer):
        raise ConfigError(wrong[0])
    return Settings.model_validate(layer.values)


def _answers(now: "Settings", given: dict[str, str | None], *, ask: bool) -> dict[str, str | None]:
    """Return what is wanted: the flag, else the user's word, else what is set already; each is checked when given."""
    from edgecascade.pull import DEFAULT_MODEL

    asked = (
        ("model", "Model on this device", now.model if not ask else now.model or DEFAULT_MODEL, None),
        ("cloud", "Cloud, as openai:MODEL, anthropic:MODEL, gemini:MODEL or ADDRESS#MODEL", now.cloud, None),
        ("mode", "Who answers", now.mode, click.Choice(MODES)),
        ("privacy", "What may leave this device", now.privacy.default, click.Choice(PRIVACY)),
        ("budget", "The most that clouds may cost, as 1usd/day,100calls/hour", now.budget, None),
    )
    answers = {name: _usable(name, answer) for name, answer in given.items() if answer}
    for name, words, default, kind in asked:
        if name not in answers:
            answers[name] = _answer(name, words, default or NOBODY, kind) if ask else _usable(name, default)
    return answers


def _answer(name: str, words: str, default: str, kind: click.Choice[str] | None) -> str | None:
    """Return the user's word, asked for again until it can be used."""
    from edgecascade.errors import ConfigError

    while True:
        try:
            return _usable(name, click.prompt(words, default=default, type=kind))
        except ConfigError as error:
            click.secho(f"error: {error}", err=True, fg="red")


def _usable(name: str, answer: str | None) -> str | None:
    """Return the answer, None for nobody and for no cap; raise ConfigError for one that cannot be used."""
    from edgecascade.cloud.specs import cloud_spec
    from edgecascade.errors import ConfigError
    from edgecascade.store.config.faults import faults
    from edgecascade.store.config.layers import flag_layers
    from edgecascade.store.ledger import caps_of

    if not answer or answer.strip() in NOBODYS:
        return None
    if wrong := [fault for layer in flag_layers({name: answer}) for fault in faults(layer)]:
        raise ConfigError(wrong[0])
    if name == "budget":
        caps_of(answer)
    if name == "cloud":
        cloud_spec(answer, os.environ, lambda variable: "any")  # the key is looked for later
    return answer


def _has_key(cloud: str, *, ask: bool) -> bool:
    """Return whether the cloud's key is there, or none is wanted; where a keyring works, a missing one is asked for."""
    from edgecascade.cloud.specs import PROVIDERS
    from edgecascade.errors import ConfigError
    from edgecascade.store.keys import keeps_keys, key_of, set_key

    provider = PROVIDERS.get(cloud.partition(":")[0])
    if provider is None or any(key_of(name, os.environ) for name in provider.keys):
        return True
    variable = provider.keys[0]
    if not (ask and keeps_keys()):
        _note(f"{variable} is not set, and {cloud} answers nobody without a key: set {variable} in your environment")
        return False
    words = f"{variable} is not set. The key, for the system's keyring (empty: set the variable yourself)"
    if not (key := click.prompt(words, default="", show_default=False, hide_input=True)):
        return False
    try:
        set_key(variable, key)
    except ConfigError as error:
        _note(str(error))
        return False
    return True


@contextmanager
def _answered() -> Iterator[None]:
    """Tell the end of the input, at a question, from Ctrl-C."""
    from edgecascade.errors import ConfigError

    try:
        yield
    except click.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise ConfigError(
            "a question without an answer: found the end of the input, wanted a line; answer, or give --yes and flags"
        ) from error


def _note(line: str) -> None:
    click.secho(f"note: {line}", err=True, fg="yellow")
