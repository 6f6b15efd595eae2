"""``edgecascade measure``: this device's own profile, measured here and now."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecascade.cli.models import complete_spec
from edgecascade.cli.progress import counter, progress_bar

if TYPE_CHECKING:
    from edgecascade.cloud.specs import CloudSpec
    from edgecascade.measure.device import Measured
    from edgecascade.profile import Profile
    from edgecascade.store.config.settings import Settings
    from edgecascade.store.paths import Folders

Row = tuple[str, str, str]


@click.command()
@click.option("-m", "--model", metavar="SPEC", shell_complete=complete_spec, help="Which model; see `models list`.")
@click.option("--quick", "mode", flag_value="quick", help="At most 3 minutes, whatever the model.")
@click.option("--full", "mode", flag_value="full", help="More repeats, and 10 minutes of writing without a pause.")
@click.option("--cloud", metavar="SPEC", help="Whose distance is measured; off. [default: the configured one]")
@click.option("--name", default="this-device", show_default=True, help="What the profile is called.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Another file for it, NAME.toml.")
@click.option("--anyway", is_flag=True, help="Keep figures that other processes disturbed, marked.")
@click.option("--json", "as_json", is_flag=True, help="Print the profile as one line of JSON only.")
def measure(
    model: str | None,
    mode: str | None,
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

    folders, settings = Folders.of(os.environ), _settings(model, cloud)
    spec = _in_this_process(settings.model or DEFAULT_MODEL)
    with progress_bar() as progress:
        file = pull(spec, folders=folders, environment=os.environ, home=Path.home(), progress=progress)
    try:
        with counter("steps") as tell:
            found = device.measure(
                file.path,
                name=file.name,
                mode={"quick": QUICK, "full": FULL}.get(mode or "", USUAL),
                folders=folders,
                profile=name,
                out=out,
                cloud=_cloud(settings),
                cores=_logical_cores(),
                anyway=anyway,
                say=lambda line: click.secho(line, err=True, dim=True),
                tell=tell,
            )
    except KeyboardInterrupt:
        click.secho("stopped; the same command goes on where it was, within a day", err=True)
        raise
    if as_json:
        import json

        click.echo(json.dumps(record_of(found.profile), ensure_ascii=False))
        return
    click.echo(table(found))
    click.echo("\n".join(_meaning(found, folders, settings)))


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


def _logical_cores() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def record_of(profile: "Profile") -> dict[str, Any]:
    """Return the profile as plain values."""
    curves = [asdict(row) | {"prefill": row.prefill.points, "decode": row.decode.points} for row in profile.speeds]
    return asdict(profile) | {"speeds": curves}


def table(found: "Measured") -> str:
    """Return the figures as a Markdown table."""
    rows = [*_speeds(found.profile), *_once(found.found), *_power(found.profile, found.found), *_gains(found.found)]
    lines = [f"| {found.profile.title}: {found.profile.speeds[0].model} | found | |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _speeds(profile: "Profile") -> list[Row]:
    speed = profile.speeds[0]
    reading = [
        (f"read {tokens:.0f} tokens", f"{seconds:.2f} s", f"{tokens / seconds:.1f} tokens/s")
        for tokens, seconds in speed.prefill.points[1:]
    ]
    writing = [
        (f"write behind {depth:.0f} tokens", f"{seconds * 1e3:.1f} ms a token", f"{1 / seconds:.1f} tokens/s")
        for depth, seconds in speed.decode.points
    ]
    return reading + writing


def _once(found: Mapping[str, Any]) -> list[Row]:
    """Return what is measured once: loading, the first token, threads, memory, the way to the cloud."""
    load, threads, trip = found["load"], found.get("threads", {}), found["round trip"]
    rows = [("first token of a short question", _seconds(found["first token"]), "")]
    rows.append(("load", f"{load['first_s']:.2f} s", f"again {load['warm_s']:.2f} s" if "warm_s" in load else ""))
    for count, seconds in threads.get("write_s", {}).items():
        best = "chosen" if int(count) == threads["threads"] else ""
        rows.append((f"write with {count} thread{'s' * (count != '1')}", f"{1 / seconds:.1f} tokens/s", best))
    if "skipped" in threads:
        rows.append(("threads", "not tried", threads["skipped"]))
    gpu = found["gpu"]
    rows.append(("layers on a GPU", str(gpu.get("gpu_layers", "none")), gpu.get("skipped", gpu.get("why", ""))))
    if "model_bytes" in load:
        per_1k = f"{load['bytes_per_1k_context'] / 2**20:.0f} MiB a 1024 tokens of context"
        rows.append(("memory of the model", f"{load['model_bytes'] / 2**20:.0f} MiB", per_1k))
    connect = f"and {trip['connect_s']:.3f} s to connect" if "connect_s" in trip else ""
    rows.append(("round trip to the cloud", _seconds(trip, digits=3), connect or trip["skipped"]))
    if "share" in (long := found["sustained"]):
        hottest = f"hottest {long['hottest_celsius']:.0f} °C" if "hottest_celsius" in long else "no thermometer"
        rows.append((f"speed left after {long['seconds'] / 60:.0f} minutes", f"{long['share']:.0%}", hottest))
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
            rows.append((f"energy to {what}", f"{part['joules']:.3f} J{net}", f"{energy['meter']}: {energy['scope']}"))
    if rows:
        return rows
    if (watts := profile.power.decode) is not None:
        return [("power while writing", f"{watts.value:g} W, {watts.mark}", watts.source)]
    why = energy.get("skipped") or energy.get("decode", {}).get("unknown", "")
    return [("energy", "unknown", why)]


def _gains(found: Mapping[str, Any]) -> list[Row]:
    part = found["variants"]
    rows = [
        (f"with {name}", f"reads {gain['reading']:.2f} x, writes {gain['writing']:.2f} x as fast", "not adopted")
        for name, gain in part.get("gains", {}).items()
    ]
    return rows + [(f"with {name}", "not measured", why) for name, why in part.get("failed", {}).items()]


def _meaning(found: "Measured", folders: "Folders", settings: "Settings") -> list[str]:
    """Return what it means for whoever asks from now on."""
    profile, lines = found.profile, list[str]()
    engine = profile.engine
    if _is_used(found, folders, settings):
        threads = "" if engine.threads is None else f" uses {engine.threads} thread{'s' * (engine.threads != 1)}"
        layers = "" if engine.gpu_layers is None else f", {engine.gpu_layers} layers on a GPU (-1: all)"
        lines.append(f"`edgecascade ask`{threads or ' goes by it'} from now on{layers}: {found.path}")
    else:
        lines.append(f"Written to {found.path}; it is not what this device goes by: `edgecascade devices use`.")
    if found.found["variants"].get("gains"):
        lines.append(
            "Not adopted: chunk, cache type and flash attention change tokens, and a calibration is bound to them."
        )
    remarks = [
        f"{step}: {remark}" for step, finding in found.found.items() for remark in finding.get("remarks", ())
    ]  # fmt: skip
    return ["", *lines, *remarks]


def _is_used(found: "Measured", folders: "Folders", settings: "Settings") -> bool:
    """Return whether this device goes by the profile now."""
    from edgecascade import sensors
    from edgecascade.profiles import profile_here
    from edgecascade.store.profiles import user_profile

    if found.path != user_profile(folders, found.profile.name):
        return False
    here = profile_here(folders, chosen=settings.profile, machine=sensors.machine())
    return here is not None and here.name == found.profile.name
