"""``edgecascade measure``: this device's own profile, measured here and now."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecascade.cli.models import complete_spec
from edgecascade.cli.progress import progress_bar

if TYPE_CHECKING:
    from edgecascade.cloud.specs import CloudSpec
    from edgecascade.measure.device import Measured
    from edgecascade.profile import Profile
    from edgecascade.store.config.settings import Settings
    from edgecascade.store.paths import Folders

Row = tuple[str, str, str, str]
"""Step, what, found, remark."""


@click.command()
@click.option("-m", "--model", metavar="SPEC", shell_complete=complete_spec, help="Which model; see `models list`.")
@click.option("--quick", is_flag=True, help="At most 3 minutes, whatever the model.")
@click.option("--full", is_flag=True, help="More repeats, and 10 minutes of writing without a pause.")
@click.option("--cloud", metavar="SPEC", help="Whose distance is measured; off. [default: the configured one]")
@click.option("--name", default="this-device", show_default=True, help="What the profile is called.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Another file for it, NAME.toml.")
@click.option("--anyway", is_flag=True, help="Keep figures that other processes disturbed, marked.")
@click.option("--json", "as_json", is_flag=True, help="Print the profile as one line of JSON only.")
def measure(
    model: str | None,
    quick: bool,
    full: bool,
    cloud: str | None,
    name: str,
    out: Path | None,
    anyway: bool,
    as_json: bool,
) -> None:
    """Measure this device, and use what was found from now on.

    Speeds, load time, threads, memory, energy where there is a meter, the way to the cloud. Stopped, it goes on where
    it was with the same command.
    """
    from edgecascade.measure import device
    from edgecascade.measure.rig import FULL, QUICK, USUAL
    from edgecascade.pull import DEFAULT_MODEL, pull
    from edgecascade.store.paths import Folders

    if quick and full:
        raise click.UsageError("--quick and --full: found both, wanted one of them at most; leave one out")
    folders, settings = Folders.of(os.environ), _settings(model, cloud)
    device.file_of(folders, name, out)
    spec = _in_this_process(settings.model or DEFAULT_MODEL)
    with progress_bar() as progress:
        file = pull(spec, folders=folders, environment=os.environ, home=Path.home(), progress=progress)
    try:
        found = device.measure(
            file.path,
            name=file.name,
            mode=QUICK if quick else FULL if full else USUAL,
            folders=folders,
            profile=name,
            out=out,
            cloud=_cloud(settings),
            anyway=anyway,
            say=lambda line: click.secho(line, err=True, dim=True),
            tell=_tell,
        )
    except KeyboardInterrupt:
        click.secho("stopped; the same command goes on where it was, within a day", err=True)
        raise
    click.echo(_as_json(found.profile) if as_json else table(found))
    used = _put_in_use(found, folders, settings)
    if not as_json:
        click.echo("\n".join(_meaning(found, used)))


def _tell(done: int, total: int, what: str, seconds: float) -> None:
    left = f"; at most {seconds:,.0f} s left" if seconds else ""
    click.echo(f"{done} of {total} steps: {what}{left}", err=True)


def _settings(model: str | None, cloud: str | None) -> "Settings":
    from edgecascade.cascade.assembling import read_config

    settings = read_config({"model": model, "cloud": None if cloud == "off" else cloud}).settings
    return settings.model_copy(update={"cloud": None}) if cloud == "off" else settings


def _in_this_process(spec: str) -> str:
    from edgecascade.errors import ModelNotFoundError
    from edgecascade.store.specs import is_server

    if is_server(spec):
        raise ModelNotFoundError(
            f"{spec} cannot be measured: found a server, wanted a model in this process; name a file with --model"
        )
    return spec


def _cloud(settings: "Settings") -> "CloudSpec | str":
    """Return the configured cloud, or why there is none."""
    from edgecascade.cloud.specs import cloud_spec
    from edgecascade.errors import KeyMissingError
    from edgecascade.store.keys import kept_key

    if settings.cloud is None:
        return "no cloud is set up"
    if settings.offline:
        return "this device is set to be offline"
    try:
        return cloud_spec(settings.cloud, os.environ, kept_key)
    except KeyMissingError as error:
        return str(error)


def _as_json(profile: "Profile") -> str:
    import json

    return json.dumps(record_of(profile), ensure_ascii=False, default=str)


def record_of(profile: "Profile") -> dict[str, Any]:
    """Return the profile as plain values."""
    curves = [asdict(row) | {"prefill": row.prefill.points, "decode": row.decode.points} for row in profile.speeds]
    return asdict(profile) | {"speeds": curves}


def table(found: "Measured") -> str:
    """Return the figures as a Markdown table."""
    rows = [*_speeds(found.profile), *_once(found.found), *_power(found.profile, found.found), *_gains(found.found)]
    lines = [f"| {found.profile.title}: {found.profile.speeds[0].model} | found | |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(_line(row, found.found) for row in rows)])


def _line(row: Row, found: Mapping[str, Any]) -> str:
    """Return a row of the table, marked where other processes disturbed its step."""
    from edgecascade.measure.journal import disturbed

    step, what, value, remark = row
    marks = (remark, "disturbed" if disturbed(found.get(step, {})) else "")
    return f"| {what} | {value} | {'; '.join(filter(None, marks))} |"


def _speeds(profile: "Profile") -> list[Row]:
    speed = profile.speeds[0]
    reading = [
        ("prefill", f"read {tokens:.0f} tokens", f"{seconds:.2f} s", f"{tokens / seconds:.1f} tokens/s")
        for tokens, seconds in speed.prefill.points[1:]
    ]
    writing = [
        ("decode", f"write behind {depth:.0f} tokens", f"{seconds * 1e3:.1f} ms a token", f"{1 / seconds:.1f} tokens/s")
        for depth, seconds in speed.decode.points
    ]
    return reading + writing


def _once(found: Mapping[str, Any]) -> list[Row]:
    """Return what is measured once: loading, the first token, threads, memory, the way to the cloud."""
    from edgecascade.measure.journal import counted
    from edgecascade.measure.rig import adopted_threads

    load, threads, trip = found["load"], found.get("threads", {}), found["round trip"]
    again = f"again {load['warm_s']:.2f} s" if "warm_s" in load else ""
    rows = [
        ("first token", "first token of a short question", _seconds(found["first token"]), ""),
        ("load", "load", f"{load['first_s']:.2f} s", again),
    ]
    for count, seconds in threads.get("write_s", {}).items():
        best = "" if int(count) != threads["threads"] else "chosen" if adopted_threads(found) else "not adopted"
        what = f"write with {counted(int(count), 'thread')}"
        rows.append(("threads", what, f"{1 / seconds:.1f} tokens/s", best))
    if "skipped" in threads:
        rows.append(("threads", "threads", "not tried", threads["skipped"]))
    gpu = found["gpu"]
    rows.append(("gpu", "layers on a GPU", str(gpu.get("gpu_layers", "none")), gpu.get("skipped", gpu.get("why", ""))))
    if "model_bytes" in load:
        per_1k = f"{load['bytes_per_1k_context'] / 2**20:.0f} MiB a 1024 tokens of context"
        rows.append(("load", "memory of the model", f"{load['model_bytes'] / 2**20:.0f} MiB", per_1k))
    connect = f"and {trip['connect_s']:.3f} s to connect" if "connect_s" in trip else ""
    rows.append(("round trip", "round trip to the cloud", _seconds(trip, digits=3), connect or trip["skipped"]))
    if "share" in (long := found["sustained"]):
        hottest = f"hottest {long['hottest_celsius']:.0f} °C" if "hottest_celsius" in long else "no thermometer"
        minutes = f"speed left after {long['seconds'] / 60:.0f} minutes"
        rows.append(("sustained", minutes, f"{long['share']:.0%}", hottest))
    return rows


def _seconds(finding: Mapping[str, Any], *, digits: int = 2) -> str:
    return f"{finding['seconds']:.{digits}f} s" if "seconds" in finding else "unknown"


def _power(profile: "Profile", found: Mapping[str, Any]) -> list[Row]:
    """Return joules a token as measured; else watts that are called an estimate, or why nothing is known."""
    energy, rows = found["energy"], list[Row]()
    for kind, what in (("decode", "write a token"), ("prefill", "read a token")):
        part = energy.get(kind, {})
        if "joules" in part:
            net = f", {part['net_joules']:.3f} J above rest" if "net_joules" in part else ""
            meter = f"{energy['meter']}: {energy['scope']}"
            rows.append(("energy", f"energy to {what}", f"{part['joules']:.3f} J{net}", meter))
    if rows:
        return rows
    if (watts := profile.power.decode) is not None:
        return [("", "power while writing", f"{watts.value:g} W, {watts.mark}", watts.source)]
    why = energy.get("skipped") or energy.get("decode", {}).get("unknown", "")
    return [("energy", "energy", "unknown", why)]


def _gains(found: Mapping[str, Any]) -> list[Row]:
    part = found["variants"]
    if "skipped" in part:
        return [("variants", "other settings", "not compared", part["skipped"])]
    rows = [
        (
            "variants",
            f"with {name}",
            f"reads {gain['reading']:.2f} x, writes {gain['writing']:.2f} x as fast",
            "not adopted",
        )
        for name, gain in part.get("gains", {}).items()
    ]
    return rows + [("variants", f"with {name}", "not measured", why) for name, why in part.get("failed", {}).items()]


def _meaning(found: "Measured", used: str) -> list[str]:
    """Return what it means for whoever asks from now on."""
    lines = [used]
    if found.found["variants"].get("gains"):
        lines.append("Not adopted: chunk, cache type and flash attention, because a calibration is bound to them.")
    remarks = [
        f"{step}: {remark}" for step, finding in found.found.items() for remark in finding.get("remarks", ())
    ]  # fmt: skip
    return ["", *lines, *remarks]


def _put_in_use(found: "Measured", folders: "Folders", settings: "Settings") -> str:
    """Return what the device goes by now; where another one of the user's fits as well, the new one is chosen."""
    from edgecascade import sensors
    from edgecascade.errors import ProfileError
    from edgecascade.profiles import profile_here
    from edgecascade.store.config import user_file
    from edgecascade.store.config.writing import write_settings
    from edgecascade.store.profiles import user_profile

    name, engine = found.profile.name, found.profile.engine
    threads = f"uses {engine.threads} thread{'s' * (engine.threads != 1)}" if engine.threads else "goes by it"
    layers = "" if engine.gpu_layers is None else f", {engine.gpu_layers} layers on a GPU (-1: all)"
    used = f"`edgecascade ask` {threads} from now on{layers}: {found.path}"
    other = f"Written to {found.path}; it is not what this device goes by: `edgecascade devices use`."
    if found.path != user_profile(folders, name):
        return other
    try:
        here = profile_here(folders, chosen=settings.profile, machine=sensors.machine())
    except ProfileError:
        if settings.profile:
            return other
        write_settings(user_file(folders), {"profile": name})
        click.secho(f"profile = {name} # {user_file(folders)}: another one of yours fits as well", err=True)
        return used
    return used if here and here.name == name else other
