"""``edgecascade devices``: which profiles there are, which one fits this device, and how they compare."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecascade.cli.compare import compare, complete_profile
from edgecascade.cli.listing import print_list, rate, record_of, with_used
from edgecascade.cli.models import complete_spec
from edgecascade.cli.provenance import noted

if TYPE_CHECKING:
    from edgecascade.profile import Machine, Profile, Speed

NONE = "none"
MEASURE = "no profile fits this device; run `edgecascade measure` to make its own"


as_json = click.option("--json", "as_json", is_flag=True, help="Print the record itself.")


@click.group()
def devices() -> None:
    """See the device profiles, which one is in use here, and what the cascade costs on each."""


@devices.command("list")
@as_json
def list_(as_json: bool) -> None:
    """List every profile, your own first; the arrow marks the one in use here."""
    from edgecascade.cascade.assembling import read_config
    from edgecascade.errors import ProfileError
    from edgecascade.local import device_profile
    from edgecascade.store.paths import Folders
    from edgecascade.store.profiles import listed

    folders = Folders.of(os.environ)
    found = listed(folders)
    try:
        here = device_profile(folders)
        remark = None if here else MEASURE
    except ProfileError as error:
        here, remark = None, str(error)
    found, used = with_used(found, here, read_config({}).settings.profile)
    if as_json:
        click.echo(json.dumps([record_of(entry, used) for entry in found]))
    else:
        print_list(found, used)
    for line in (*(f"passed over: {entry.fault}" for entry in found if entry.fault), *([remark] if remark else [])):
        click.secho(f"note: {line}", err=True, fg="yellow")


@devices.command()
@click.argument("name", required=False, shell_complete=complete_profile)
@click.option("-m", "--model", metavar="SPEC", shell_complete=complete_spec, help="Speeds of this model too.")
@as_json
def show(name: str | None, model: str | None, as_json: bool) -> None:
    """Show NAME, or the profile in use here: every figure with its source, and how this machine answers its rules."""
    from edgecascade import sensors
    from edgecascade.cascade.assembling import read_config
    from edgecascade.cli.compare import size_of
    from edgecascade.errors import ModelNotFoundError, ProfileError
    from edgecascade.local import device_profile
    from edgecascade.profiles import engine_of
    from edgecascade.pull import DEFAULT_MODEL
    from edgecascade.store.paths import Folders
    from edgecascade.store.profiles import find_profile

    folders = Folders.of(os.environ)
    profile = find_profile(name, folders) if name else device_profile(folders)
    if profile is None:
        raise ProfileError(
            f"{MEASURE.partition(';')[0]}: found none, wanted one; run `edgecascade measure` to make its own, or name "
            "one of `edgecascade devices list`"
        )
    spec = model or read_config({}).settings.model or DEFAULT_MODEL
    try:
        speed = profile.speed_of(*size_of(spec, folders))
    except ModelNotFoundError:
        if model:
            raise
        speed = None
    machine, now = sensors.machine(), asdict(sensors.conditions())
    if as_json:
        rules = profile.match.rules(machine)
        record = {"profile": asdict(profile), "rules": rules, "engine": engine_of(profile)}
        configured = {"model": spec, "speed": speed and asdict(speed)}
        click.echo(json.dumps(record | {"configured": configured, "sensors": now}, default=str))
        return
    if now["watts"] is None and (why := sensors.why_no_meter()):
        now["watts"] = f"unknown: {why}"
    for title, lines in _story(profile, machine, spec, speed, now):
        click.secho(title, bold=True)
        for line in lines:
            click.echo(f"  {line}".rstrip())


@devices.command()
@click.argument("name", metavar="NAME|none", shell_complete=complete_profile)
def use(name: str) -> None:
    """Write into your config that this device runs by profile NAME; none: by the one that fits."""
    from edgecascade import sensors
    from edgecascade.cascade.assembling import read_config
    from edgecascade.local import device_profile
    from edgecascade.profiles import engine_of
    from edgecascade.store.config import user_file
    from edgecascade.store.config.writing import write_settings
    from edgecascade.store.paths import Folders
    from edgecascade.store.profiles import find_profile

    folders = Folders.of(os.environ)
    chosen = None if name == NONE else find_profile(name, folders)
    wanted = str(Path(name).expanduser().absolute()) if chosen and chosen.name != name else chosen and chosen.name
    before = read_config({}).settings.profile
    write_settings(user_file(folders), {"profile": wanted})
    click.echo(f"profile = {wanted or NONE} (was {before or NONE}) # {user_file(folders)}")
    profile = device_profile(folders)
    for setting, value in (engine_of(profile) if profile else {}).items():
        click.echo(f"{setting} = {value}, unless a flag says otherwise")
    if profile is None:
        _note(MEASURE)
    elif chosen and profile != chosen:
        _note(f"{profile.name} stays in use: the project's config or EDGECASCADE_PROFILE says so")
    elif wrong := [rule for rule, holds in profile.match.rules(sensors.machine()).items() if holds is False]:
        _note(f"{profile.name} is for other machines: {', '.join(wrong)} of this one {_differ(wrong)}")


devices.add_command(compare)


def _story(
    profile: "Profile", machine: "Machine", spec: str, speed: "Speed | None", now: dict[str, Any]
) -> Iterator[tuple[str, list[str]]]:
    """Yield what is known of a profile, each part with its title."""
    from edgecascade.profiles import engine_of

    yield f"{profile.name}: {profile.title}, {profile.kind}", [profile.notes] if profile.notes else []
    yield "rules, and how this machine answers", _rules(profile, machine) or ["none: it is only taken by its name"]
    engine = [f"{name} = {value}" for name, value in engine_of(profile).items()]
    yield "engine settings", engine or ["none: the engine's own"]
    yield "speeds", [*map(_speed_line, profile.speeds)] or ["none"]
    if speed:
        yield "the model that is set here", [_speed_line(speed, spec)]
    yield "figures", _figures(profile) or ["none"]
    if lines := noted(profile.provenance):
        yield "as it was measured", lines
    yield "this device now", [f"{name.replace('_', ' '):<12}{_plain(value)}" for name, value in now.items()]


def _rules(profile: "Profile", machine: "Machine") -> list[str]:
    said = {True: "yes", False: "no", None: "unknown"}
    wanted, found = asdict(profile.match), asdict(machine)
    found |= {"gpu": machine.gpus, "memory_gib": round(machine.memory_bytes / 2**30, 1) or None}
    return [
        f"{name:<12}{said[holds]:<9}wanted {_plain(wanted[name])}, found {_plain(found[name])}"
        for name, holds in profile.match.rules(machine).items()
    ]


def _speed_line(row: "Speed", name: str | None = None) -> str:
    writes = f"writes {rate(1 / row.decode(0))}"
    reads = f"reads {rate(512 / seconds)}" if (seconds := row.reading(512)) else "reading unknown"
    load = "" if row.load_s is None else f", loads in {row.load_s:.3g} s"
    return f"{name or row.model}: {writes}, {reads}{load} [{row.mark}: {row.source}]"


def _figures(profile: "Profile") -> list[str]:
    from edgecascade.simulate.side_by_side import figures_of

    lines = [
        f"{name}: {found.value:g} {unit} [{found.mark}: {found.source}]" for name, found, unit in figures_of(profile)
    ]
    sizes = (("memory", profile.limits.memory_bytes), ("largest model", profile.limits.model_bytes))
    lines += [f"{name}: {size / 2**30:.3g} GiB" for name, size in sizes if size is not None]
    lines += [f"throttles from: {profile.limits.celsius:g} °C"] if profile.limits.celsius is not None else []
    return lines


def _plain(value: object) -> str:
    """Return a value in words: what no sensor says is unknown."""
    if value in (None, "", ()):
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        numbers = all(isinstance(one, int | float) for one in value)
        return (" to " if numbers else ", ").join(map(str, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _differ(names: list[str]) -> str:
    return "differs" if len(names) == 1 else "differ"


def _note(line: str) -> None:
    click.secho(f"note: {line}", err=True, fg="yellow")
