"""This machine and a model file on it, measured: the rig of real clocks, sensors and children, and the profile kept."""

import platform
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from edgecascade import __version__, sensors
from edgecascade.cloud.reach import reach
from edgecascade.cloud.specs import CloudSpec
from edgecascade.errors import CloudError, DeviceError, ProfileError
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
from edgecascade.store.locks import locked
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
    anyway: bool = False,
    say: Say = lambda line: None,
    tell: Tell = lambda done, total, what, seconds: None,
) -> Measured:
    """Measure a model on this device, and write its speeds into the device's own profile, which is used from now on.

    model, name  the file, and what it is called     profile, out  the profile's name, or another file for it
    cloud        whose distance is taken, or why none is

    Raises ProfileError for a profile of another device; DeviceError where another measurement runs, others compute, the
    model is too slow, or the profile cannot be written.
    """
    path = file_of(folders, profile, out)
    with _alone(path, folders):
        started, machine, now = time.perf_counter(), sensors.machine(), datetime.now(UTC)
        before = kept_before(path, machine)
        gguf, like = read_gguf(model), class_of(machine, folders)
        sense = sensors.Sense()
        rig = _rig(gguf, mode, before or like, folders=folders, cloud=cloud, sense=sense, say=say)
        journal = Journal(folders.state / "measure", key_of(gguf, name, mode), now=now.timestamp())
        if journal.remark:
            say(journal.remark)
        begin = sense()
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
            end=sense(),
            like=like,
        )
        made = profile_of(found, subject, before)
        try:
            write_profile(path, made)
        except OSError as error:
            raise _unwritable(path, error, "make room; the same command goes on where it was") from error
        journal.remove()
        return Measured(made, path, found)


@contextmanager
def _alone(path: Path, folders: Folders) -> Iterator[None]:
    """Hold the one measurement of this home, once it is sure that its profile can be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _unwritable(path, error, "choose another --out, or set EDGECASCADE_HOME to such a folder") from error
    lock = folders.state / "measure.lock"

    def refuse() -> None:
        raise DeviceError(
            f"another measurement runs on this device: found {lock} held, wanted one at a time, because each would "
            "slow the other; wait until it ends, then give the same command"
        )

    with locked(lock, waiting=refuse):
        yield


def _unwritable(path: Path, error: OSError, advice: str) -> DeviceError:
    return DeviceError(
        f"the profile {path} cannot be written: found {error.strerror or error}, wanted a folder that can be written "
        f"to; {advice}"
    )


def file_of(folders: Folders, profile: str, out: Path | None) -> Path:
    """Return where the profile is written; ProfileError for a name that it cannot have."""
    name, end = (profile, "") if out is None else (out.name, ".toml")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*" + re.escape(end), name):
        raise ProfileError(
            f"{out or profile} is no name for a profile: found {name!r}, wanted small letters, digits, '.', '_' and '-'"
            f"{', then .toml' if end else ''}; choose another {'--out' if out else '--name'}"
        )
    return out or user_profile(folders, profile)


def kept_before(path: Path, machine: Machine) -> Profile | None:
    """Return the profile that is measured into, None where there is none yet; ProfileError for another device's."""
    if not path.exists():
        return None
    try:
        before = read_profile(path)
    except ProfileError as error:
        fault = str(error).rpartition("; ")[0]
        raise ProfileError(f"{fault}; mend it, or delete it to measure into a new one") from error
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
    sense: sensors.Sense,
    say: Say,
) -> Rig:
    physical, meter = sensors.physical_cores(), sensors.power_meter()
    usual: dict[str, Any] = {**engine_of(profile)} if profile else {}
    return Rig(
        settings=EngineSettings(**{**usual, "threads": physical, "gpu_layers": -1}),
        mode=mode,
        layers=(gguf.layers or 1) + 1,
        cores=physical,
        offloads=bool(native.load().llama_supports_gpu_offload()),
        clock=time.perf_counter,
        wait=time.sleep,
        trial=trying(gguf.path),
        open=lambda settings: open_engine(gguf.path, settings, folders=folders, notice=say),
        watching=sensors.watching,
        conditions=sense,
        round_trip=round_trip_to(cloud),
        metering=partial(sensors.metering, meter) if meter else None,
        meter=meter,
        no_meter="" if meter else sensors.why_no_meter(),
    )


def round_trip_to(cloud: CloudSpec | str) -> Callable[[float], tuple[float, float] | str]:
    """Return what measures the way to a cloud; without one, or where it is not reached, it says why."""

    def measured(seconds: float) -> tuple[float, float] | str:
        if isinstance(cloud, str):
            return cloud
        try:
            there = reach(cloud, seconds=seconds)
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
