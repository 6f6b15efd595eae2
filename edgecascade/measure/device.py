"""This machine and a model file on it, measured: the rig of real clocks, sensors and children, and the profile kept."""

import platform
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from edgecascade import __version__, sensors
from edgecascade.cloud.reach import reach
from edgecascade.cloud.specs import CloudSpec
from edgecascade.errors import CloudError, ProfileError
from edgecascade.llama import native
from edgecascade.llama.settings import EngineSettings
from edgecascade.local import open_engine
from edgecascade.measure.journal import Finding, Journal
from edgecascade.measure.outcome import Subject, profile_of
from edgecascade.measure.rig import Mode, Rig
from edgecascade.measure.running import Say, Tell, run
from edgecascade.measure.trial import trying
from edgecascade.profile import Machine, Profile
from edgecascade.profiles import engine_of
from edgecascade.store.gguf import Gguf, read_gguf
from edgecascade.store.paths import Folders
from edgecascade.store.profiles import listed, read_profile, user_profile, write_profile

NAME = "this-device"


@dataclass(frozen=True, slots=True)
class Measured:
    """The profile, the file that it was written to, and what each step found."""

    profile: Profile
    path: Path
    found: Mapping[str, Finding]


def measure(
    model: Path,
    *,
    name: str,
    mode: Mode,
    folders: Folders,
    profile: str = NAME,
    out: Path | None = None,
    cloud: CloudSpec | str = "no cloud is set up",
    cores: int | None = None,
    anyway: bool = False,
    say: Say = lambda line: None,
    tell: Tell = lambda done, total, what: None,
) -> Measured:
    """Measure a model on this device, and write its speeds into the device's own profile, which is used from now on.

    model, name  the file, and what it is called     profile, out  the profile's name, or another file for it
    cloud        whose distance is taken, or why none is            cores  logical ones

    Raises ProfileError for a profile of another device, DeviceError where others compute or the model is too slow.
    """
    started, machine, now = time.perf_counter(), sensors.machine(), datetime.now(UTC)
    path = out or user_profile(folders, profile)
    before = kept_before(path, machine)
    gguf, like = read_gguf(model), class_of(machine, folders)
    rig = _rig(gguf, mode, before or like, folders=folders, cloud=cloud, cores=cores, say=say)
    journal = Journal(folders.state / "measure", key_of(gguf, name, mode), now=now.timestamp())
    if journal.remark:
        say(journal.remark)
    begin = sensors.conditions()
    found = run(rig, journal, started=started, anyway=anyway, say=say, tell=tell)
    subject = Subject(
        name=path.stem,
        mode=mode.name,
        machine=machine,
        model=name,
        parameters=gguf.parameters,
        bytes=gguf.bytes,
        date=now.date().isoformat(),
        library=f"llama-cpp-python {native.version()}",
        facts=_facts(found),
        begin=begin,
        end=sensors.conditions(),
        like=like,
    )
    made = profile_of(found, subject, before)
    write_profile(path, made)
    journal.remove()
    return Measured(made, path, found)


def kept_before(path: Path, machine: Machine) -> Profile | None:
    """Return the profile that is measured into, None where there is none yet; ProfileError for another device's."""
    if path.suffix != ".toml" or not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", path.stem):
        raise ProfileError(
            f"{path} is no name for a profile: found {path.name!r}, wanted small letters, digits, '.', '_' and '-', "
            "then '.toml'; choose another --name or --out"
        )
    if not path.exists():
        return None
    before = read_profile(path)
    if before.match.fits(machine) is None:
        wrong = ", ".join(rule for rule, holds in before.match.rules(machine).items() if not holds)
        raise ProfileError(
            f"{path} is another device's profile: found {wrong} unlike here, wanted this device's own; choose another "
            "--name"
        )
    return before


def class_of(machine: Machine, folders: Folders) -> Profile | None:
    """Return the shipped profile of such devices; None where none fits."""
    shipped = [entry.profile for entry in listed(folders) if entry.profile and entry.origin == "shipped"]
    return max(
        (profile for profile in shipped if profile.match.fits(machine)),
        key=lambda profile: profile.match.fits(machine) or 0,
        default=None,
    )


def _rig(
    gguf: Gguf,
    mode: Mode,
    profile: Profile | None,
    *,
    folders: Folders,
    cloud: CloudSpec | str,
    cores: int | None,
    say: Say,
) -> Rig:
    physical, meter = sensors.physical_cores(), sensors.power_meter()
    usual: dict[str, Any] = {**engine_of(profile)} if profile else {}
    return Rig(
        settings=EngineSettings(**{**usual, "threads": physical, "gpu_layers": -1}),
        mode=mode,
        layers=(gguf.layers or 1) + 1,
        cores=(physical, max(cores or physical, physical)),
        offloads=bool(native.load().llama_supports_gpu_offload()),
        clock=time.perf_counter,
        wait=time.sleep,
        trial=trying(gguf.path),
        open=lambda settings: open_engine(gguf.path, settings, folders=folders, notice=say),
        watching=sensors.watching,
        conditions=sensors.conditions,
        round_trip=round_trip_to(cloud),
        metering=partial(sensors.metering, meter) if meter else None,
        meter=meter,
        no_meter="" if meter else sensors.why_no_meter(),
    )


def round_trip_to(cloud: CloudSpec | str) -> Callable[[], tuple[float, float] | str]:
    """Return what measures the way to a cloud; without one, or where it is not reached, it says why."""

    def measured() -> tuple[float, float] | str:
        if isinstance(cloud, str):
            return cloud
        try:
            there = reach(cloud)
        except CloudError as error:
            return str(error)
        return there.round_trip_s, there.connect_s

    return measured


def key_of(gguf: Gguf, name: str, mode: Mode) -> dict[str, object]:
    """Return what must be the same for a measurement to be gone on with."""
    return {
        "model": name,
        "bytes": gguf.bytes,
        "quantisation": gguf.quantisation,
        "library": native.build_id(),
        "cpu": native.cpu_id(),
        "mode": mode.name,
        "edgecascade": __version__,
    }


def _facts(found: Mapping[str, Finding]) -> dict[str, object]:
    layers = int(found.get("gpu", {}).get("gpu_layers", -1))
    return {
        "edgecascade": __version__,
        "backend": native.backend(layers),
        "build": native.build_id(),
        "system": platform.platform(),
        "cpu": native.cpu_id(),
        "python": platform.python_version(),
    }
