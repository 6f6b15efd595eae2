"""``edgecascade devices compare``: what the cascade costs on each device profile, beside the cloud alone."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecascade.cli.comparison import print_comparison
from edgecascade.cli.models import complete_spec
from edgecascade.cli.options import options_as
from edgecascade.cli.progress import counter

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from edgecascade.profile import Conditions, Profile, Weights
    from edgecascade.simulate.playing import CloudFacts
    from edgecascade.simulate.rows import Row
    from edgecascade.simulate.side_by_side import Comparison
    from edgecascade.store.config.settings import Settings
    from edgecascade.store.fitted_files import FittedFile
    from edgecascade.store.paths import Folders
    from edgecascade.store.prices import Price

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT = click.Path(dir_okay=False, path_type=Path)
AT_LEAST_0 = click.FloatRange(0)
LARGEST = 1e12
"""Of dollars, seconds and the like: larger ones overflow where they are multiplied."""


def finite(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Return the number; UsageError for what is none, or cannot be reckoned with."""
    if value is not None and not abs(value) <= LARGEST:  # nan lies in every range, infinity in one without an end
        span = parameter.type if isinstance(parameter.type, click.FloatRange) else None
        most = LARGEST if span is None or span.max is None else span.max
        raise click.BadParameter(f"found {value}, wanted a number between 0 and {most:g}")
    return value


weight_options = options_as(
    "given",
    (
        click.option(
            "--value-usd",
            type=AT_LEAST_0,
            callback=finite,
            help="What a right answer is worth. [default: as in your config]",
        ),
        click.option(
            "--usd-per-second", type=AT_LEAST_0, callback=finite, help="The price of a second of waiting. [likewise]"
        ),
        click.option(
            "--usd-per-joule", type=AT_LEAST_0, callback=finite, help="The price of a joule of the device. [likewise]"
        ),
    ),
)
cloud_options = options_as(
    "beside",
    (
        click.option("--cloud", metavar="SPEC", help="The cloud beside the device; off for none. [default: yours]"),
        click.option("--cloud-seconds", type=click.FloatRange(0, min_open=True), callback=finite, metavar="S",
                     help="Its mean seconds an answer. [default: from the ledger]"),
        click.option("--cloud-usd", type=AT_LEAST_0, callback=finite, metavar="X",
                     help="Its dollars an answer. [default: its price]"),
        click.option("--cloud-quality", type=click.FloatRange(0, 1), callback=finite, metavar="Q",
                     help="How often it is right, 0 to 1. [default: as the fitted file knows]"),
    ),
)  # fmt: skip


def complete_profile(context: click.Context, parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Return the profiles' names that start so."""
    from click.shell_completion import CompletionItem

    from edgecascade.store.paths import Folders
    from edgecascade.store.profiles import profile_files

    names = sorted({path.stem for _, path in profile_files(Folders.of(os.environ))})
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=complete_profile)
@click.option("--fitted", type=FILE, required=True, help="The fitted file whose questions are replayed.")
@click.option("-m", "--model", metavar="SPEC", shell_complete=complete_spec, help="Its model, if no manifest has it.")
@click.option("--attempts", type=FILE, multiple=True, help="Replay these instead of the file's own questions.")
@cloud_options
@weight_options
@click.option("--on-battery", type=click.FloatRange(0, 1), callback=finite, metavar="LEVEL",
              help="As if on battery, so full: 0 to 1.")  # fmt: skip
@click.option("--hot", is_flag=True, help="As if the device throttles for heat.")
@click.option("--metered", is_flag=True, help="As if the link costs by volume.")
@click.option("--json", "as_json", is_flag=True, help="Print the records themselves.")
@click.option("--out", "-o", type=OUT, help="Write a page with plots, HTML.")
@click.option("--open", "in_browser", is_flag=True, help="Show the page in a browser.")
def compare(
    names: tuple[str, ...],
    fitted: Path,
    model: str | None,
    attempts: tuple[Path, ...],
    beside: dict[str, Any],
    given: dict[str, float],
    on_battery: float | None,
    hot: bool,
    metered: bool,
    as_json: bool,
    out: Path | None,
    in_browser: bool,
) -> None:
    """Replay recorded answers on the profiles NAME (or all), and say what an answer takes and costs on each.

    Seconds, dollars and joules follow from the profile's figures; who answers, from the very policy that runs live.
    """
    from edgecascade.calibrate.extras import TO_REPORT, check_installed
    from edgecascade.profile import Conditions
    from edgecascade.store.fitted_files import check_out

    if in_browser and not out:
        raise click.UsageError("--open shows the page: where is it to be written? give --out FILE.html too")
    if out:
        check_installed(*TO_REPORT)
        check_out(out, ".html", [fitted, *attempts])
    stands = Conditions(
        on_battery=None if on_battery is None else True,
        battery=on_battery,
        throttled=hot or None,
        metered=metered or None,
    )
    found = comparison(names, fitted, model, attempts, beside, given, stands)
    if as_json:
        click.echo(json.dumps(found.as_json(), allow_nan=False, default=str))
    else:
        print_comparison(found)
    if out:
        _write(found, out, show=in_browser)


def comparison(
    names: Sequence[str],
    fitted: Path,
    model: str | None,
    attempts: Sequence[Path],
    beside: Mapping[str, Any],
    given: Mapping[str, float],
    stands: "Conditions",
) -> "Comparison":
    """Return the profiles compared, the best first."""
    from edgecascade.cascade.assembling import read_config
    from edgecascade.cli.steps import size_of_weights
    from edgecascade.errors import ProfileError
    from edgecascade.local import device_profile
    from edgecascade.simulate.side_by_side import side_by_side
    from edgecascade.store.fitted_files import read_fitted
    from edgecascade.store.paths import Folders

    folders, settings, file = Folders.of(os.environ), read_config({}).settings, read_fitted(fitted)
    profiles, cloud = _profiles(names, folders), cloud_facts(file, settings, folders, beside)
    parameters, size = size_of(model, folders) if model else size_of_weights(file.identity, folders)
    here = None
    with suppress(ProfileError):  # that none can be chosen here is no reason not to compare
        here = device_profile(folders)
    with counter("profiles") as show:
        found = side_by_side(
            profiles,
            file,
            parameters=parameters,
            bytes=size,
            cloud=cloud,
            weights=_weights(settings, given),
            conditions=stands,
            rows=_rows(fitted, attempts),
            here=here.name if here else None,
            tell=show,
        )
    return replace(found, model=f"{found.model}, as large as {model},") if model else found


def size_of(spec: str, folders: "Folders") -> tuple[float, float]:
    """Return a model's parameters and bytes, by its manifest or its file; ModelNotFoundError where neither is here."""
    from edgecascade.errors import ModelNotFoundError
    from edgecascade.pull import locate
    from edgecascade.store.gguf import read_gguf
    from edgecascade.store.manifests import find_manifest
    from edgecascade.store.specs import is_server

    if manifest := find_manifest(spec, folders):
        return manifest.parameters, manifest.bytes
    file = None if is_server(spec) else locate(spec, folders=folders, environment=os.environ, home=Path.home())
    if file is None:
        raise ModelNotFoundError(
            f"the size of {spec} is unknown: found no file of it on this device, wanted one; fetch it with "
            f"`edgecascade models pull {spec}`"
        )
    header = read_gguf(file.path)
    return header.parameters, header.bytes


def cloud_facts(
    file: "FittedFile", settings: "Settings", folders: "Folders", beside: Mapping[str, Any]
) -> "CloudFacts | None":
    """Return the cloud beside the devices, None for none; ConfigError where its price or its seconds are unknown."""
    from edgecascade.cascade.assembling import price_of
    from edgecascade.cloud.specs import cloud_spec
    from edgecascade.errors import ConfigError
    from edgecascade.simulate.playing import CloudFacts

    name = beside.get("cloud") or settings.cloud
    if not name or name == "off":
        return None
    spec = cloud_spec(name, os.environ, lambda variable: "any")  # nothing is asked, so no key is wanted
    price: Price | None = price_of(settings, spec)
    if price is None and "cloud_usd" not in beside:
        raise ConfigError(
            f"the price of {spec.name} is unknown: found none, wanted one; give --cloud-usd, or set "
            f'[prices."{spec.name}"] in the config'
        )
    tokens, seconds = usual_answer(folders, spec.name)
    seconds = beside.get("cloud_seconds", seconds)
    if seconds is None:
        raise ConfigError(
            f"how long {spec.name} takes is unknown: found no answer of it in the ledger, wanted one; give "
            "--cloud-seconds, its mean seconds an answer"
        )
    known = 1.0 if file.cloud_quality is None else file.cloud_quality
    return CloudFacts(spec.name, price, seconds, tokens, beside.get("cloud_quality", known), beside.get("cloud_usd"))


def usual_answer(folders: "Folders", name: str) -> tuple[float | None, float | None]:
    """Return the mean tokens and seconds of a cloud's latest answers, as ``ask`` expects them; None: none are known."""
    from edgecascade.store.ledger import Ledger

    path = folders.state / "ledger.db"
    if not path.exists():
        return None, None
    with Ledger(path, clock=time.time) as ledger:
        return ledger.usual_tokens(name), ledger.usual_seconds(name)


def _profiles(names: Sequence[str], folders: "Folders") -> list["Profile"]:
    """Return the profiles that are named, else all; one that cannot be read is told and left out."""
    from edgecascade.errors import ProfileError
    from edgecascade.store.profiles import find_profile, listed

    if names:
        return [find_profile(name, folders) for name in dict.fromkeys(names)]
    there = listed(folders)
    for entry in there:
        if entry.fault:
            click.secho(f"note: passed over: {entry.fault}", err=True, fg="yellow")
    if not (profiles := [entry.profile for entry in there if entry.profile]):
        raise ProfileError("nothing to compare: found no device profile, wanted one; run `edgecascade measure`")
    return profiles


def _rows(fitted: Path, attempts: Sequence[Path]) -> "tuple[Row, ...] | None":
    """Return the attempts as rows to replay; None where the fitted file's own questions are."""
    from edgecascade.cli.steps import attempts_in
    from edgecascade.fitted import Fitted
    from edgecascade.simulate.rows import rows_of_attempts

    return rows_of_attempts(attempts_in(attempts), Fitted(fitted)) if attempts else None


def _weights(settings: "Settings", given: Mapping[str, float]) -> "Weights":
    """Return the weights of the config, those that were given before them; the same for every profile."""
    from edgecascade.profile import Weights

    wanted = {field.name: given.get(field.name, getattr(settings.policy, field.name)) for field in fields(Weights)}
    return Weights(**{name: value for name, value in wanted.items() if value is not None})


def _write(found: "Comparison", out: Path, *, show: bool) -> None:
    from edgecascade.simulate.page import page_of
    from edgecascade.store.files import write_whole

    write_whole(out, page_of(found))
    click.echo(f"page: {out}", err=True)
    if show:
        click.launch(out.absolute().as_uri())
