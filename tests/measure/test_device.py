"""The real machine: the default model measured in seconds, the way to a cloud, and whose profile it is."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edgecascade import sensors
from edgecascade.cloud.specs import cloud_spec
from edgecascade.errors import ProfileError
from edgecascade.llama.settings import EngineSettings
from edgecascade.measure.device import kept_before, key_of, measure, round_trip_to
from edgecascade.measure.journal import Journal
from edgecascade.measure.outcome import match_of
from edgecascade.measure.rig import Mode
from edgecascade.measure.trial import Trial, trying
from edgecascade.profile import Match, Profile
from edgecascade.profiles import profile_here
from edgecascade.store.gguf import read_gguf
from edgecascade.store.paths import Folders
from edgecascade.store.profiles import write_profile
from edgecascade.testing import LoopbackCloud

SHORT = Mode(name="short", seconds=60, rounds=1, lengths=(64,), depths=(0,))


def test_the_default_model_on_this_machine(model_path: Path, tmp_path: Path) -> None:
    """In seconds there is a profile of it that this device goes by, with speeds that a device can have."""
    folders = Folders.of(os.environ | {"EDGECASCADE_HOME": str(tmp_path)})
    journal = Journal(folders.state / "measure", key_of(read_gguf(model_path), "tiny", SHORT), now=time.time())
    trial = trying(model_path)(EngineSettings(threads=1, context=512), 16, 8, 60.0)
    assert isinstance(trial, Trial) and trial.write_s
    assert trial.bytes > model_path.stat().st_size / 2
    pace = {"read_s": trial.read_s / trial.read, "write_s": trial.write_s, "first_s": trial.load_s, "context": 512}
    journal.append("load", pace)
    for step in ("idle", "variants", "energy", "first token"):
        journal.append(step, {"skipped": "takes long"})
    journal.append("threads", {"threads": 1})  # two of them take minutes where others compute

    measure(model_path, name="tiny", mode=SHORT, folders=folders, anyway=True)

    here = profile_here(folders, chosen=None, machine=sensors.machine())
    assert here is not None and here.name == "this-device"
    assert 1 < 1 / here.speeds[0].decode(64) < 10_000
    assert here.speeds[0].reading(64) > 0
    assert here.provenance["mode"] == "short"
    assert not [*(folders.state / "measure").glob("*")]


def test_the_way_to_a_cloud_costs_no_token() -> None:
    """A few requests without a key, and none of them a question."""
    with LoopbackCloud("unused") as cloud:
        found = round_trip_to(cloud_spec(cloud.spec(), {}))(5.0)
        asked = list(cloud.requests)

    assert isinstance(found, tuple)
    assert 0 < found[0] < 5 and 0 <= found[1] < 5
    assert len(asked) == 10 and all(request.body is None for request in asked)
    assert all("authorization" not in request.headers for request in asked)


def test_the_way_to_a_cloud_ends_with_its_time() -> None:
    """A slow cloud is asked once, whatever it takes: two requests instead of ten."""
    with LoopbackCloud("unused") as cloud:
        found = round_trip_to(cloud_spec(cloud.spec(), {}))(0.0)
        asked = len(cloud.requests)

    assert isinstance(found, tuple) and asked == 2


def test_a_cloud_that_is_not_there_is_unknown() -> None:
    """The reason is told, and nothing is raised."""
    with LoopbackCloud.refusing() as cloud:
        found = round_trip_to(cloud_spec(cloud.spec(), {}))(5.0)

    assert isinstance(found, str) and "was not reached" in found
    assert round_trip_to("no cloud is set up")(5.0) == "no cloud is set up"


def test_another_devices_profile_is_not_written_over(tmp_path: Path) -> None:
    """Which rule does not hold here is told, and that another name may be chosen."""
    path, here = tmp_path / "other.toml", sensors.machine()
    write_profile(path, Profile(name="other", title="Other", kind="phone", match=Match(system="^plan9$")))

    with pytest.raises(ProfileError, match=r"found system unlike here.*--name"):
        kept_before(path, here)


def test_a_profile_of_this_device_is_gone_on_with(tmp_path: Path) -> None:
    """What fits is read, and what is not there is none."""
    path, here = tmp_path / "mine.toml", replace(sensors.machine(), cores=2)
    write_profile(path, Profile(name="mine", title="Mine", kind="this device", match=match_of(here)))

    assert (before := kept_before(path, here)) is not None and before.title == "Mine"
    assert kept_before(tmp_path / "none.toml", here) is None


def test_a_process_that_dies_is_told_as_what_it_is(
    model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was tried, how it died, and who looks into it: it is all that a user sees of a native crash."""
    (tmp_path / "sitecustomize.py").write_text("import os, sys; 'trial' in str(sys.orig_argv) and os._exit(9)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    found = trying(model_path)(EngineSettings(threads=1, context=512), 16, 8, 60.0)

    assert found == (
        "the model cannot be tried so: found that its process died (without a word, exit code 9), wanted an answer; "
        "`edgecascade doctor` looks into it"
    )
