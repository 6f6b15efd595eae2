"""``edgecascade measure``, as a user types it; the steps were done before, by a device that does not exist."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgecascade import sensors
from edgecascade.cli import main
from edgecascade.measure.device import key_of
from edgecascade.measure.journal import Journal
from edgecascade.measure.rig import QUICK
from edgecascade.measure.running import run
from edgecascade.profiles import profile_here
from edgecascade.store.config import config_of
from edgecascade.store.gguf import read_gguf
from edgecascade.store.locks import locked
from edgecascade.store.paths import Folders
from edgecascade.store.profiles import user_profile
from edgecascade.testing import gguf_bytes


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small file that is never opened."""
    (path := tmp_path / "tiny.gguf").write_bytes(gguf_bytes(weights=1000))
    return path


@pytest.fixture
def done(model: Path, tmp_path: Path, device: Any) -> Folders:
    """Folders in which every step of a quick measurement is done."""
    folders = Folders.of({"EDGECASCADE_HOME": str(tmp_path / "edge")})
    now = datetime.now(UTC).timestamp()
    run(device.rig(), Journal(folders.state / "measure", key_of(read_gguf(model), "tiny", QUICK), now=now), started=0.0)
    return folders


def command(model: Path, *words: str) -> Result:
    """Run it in a home of its own."""
    environment = {
        "EDGECASCADE_HOME": str(model.parent / "edge"), "EDGECASCADE_OFFLINE": "1", "EDGECASCADE_PROFILE": None,
        "EDGECASCADE_CLOUD": None, "EDGECASCADE_MODEL": None,
    }  # fmt: skip
    return CliRunner().invoke(main, ["measure", "--model", str(model), *words], env=environment)


def test_the_table_says_what_was_found_and_what_it_means(model: Path, done: Folders) -> None:
    """Speeds, what each setting would gain, and what `ask` does from now on; the journal is gone."""
    result = command(model, "--quick")

    assert result.exit_code == 0, result.output
    assert "| write with 4 threads | 39" in result.stdout
    assert "| with kv_type q8_0 | reads 1.00 x, writes 1.25 x as fast | not adopted |" in result.stdout
    assert "`edgecascade ask` uses 4 threads from now on" in result.stdout
    assert "going on with what was begun" in result.stderr
    assert [path.name for path in done.data.glob("devices/*")] == ["this-device.toml"]
    assert not [*(done.state / "measure").glob("*")]


def test_json_is_the_profile_alone(model: Path, done: Folders) -> None:
    """One line, with curves as points and every figure with its mark."""
    (line,) = command(model, "--quick", "--json").stdout.splitlines()

    record = json.loads(line)
    assert record["name"] == "this-device"
    assert record["engine"]["threads"] == 4
    assert record["speeds"][0]["mark"] == record["power"]["decode"]["mark"] == "measured"
    assert record["speeds"][0]["prefill"][0] == [0, 0]


def test_a_second_name_is_what_the_device_goes_by(model: Path, done: Folders, device: Any) -> None:
    """Two that fit as well would stop every question: the one just measured is chosen, and that is said."""
    command(model, "--quick")
    again = Journal(done.state / "measure", key_of(read_gguf(model), "tiny", QUICK), now=datetime.now(UTC).timestamp())
    run(device.rig(), again, started=device.now)

    result = command(model, "--quick", "--name", "travel", "--json")

    assert json.loads(result.stdout)["name"] == "travel"
    chosen = config_of(done, model.parent, {}).settings.profile
    here = profile_here(done, chosen=chosen, machine=sensors.machine())
    assert here and here.name == chosen == "travel"
    assert "profile = travel" in result.stderr


def test_a_broken_profile_of_ones_own_says_how_to_begin_anew(model: Path, done: Folders) -> None:
    """Not to measure, which is what the user does."""
    path = user_profile(done, "this-device")
    path.parent.mkdir(parents=True)
    path.write_text("schema_version = 1\nnam = 'this-device'\n")

    result = command(model, "--quick")

    assert result.exit_code == 3
    assert "nam: found an unknown key, wanted name; mend it, or delete it to measure into a new one" in result.stderr


def test_a_date_in_the_provenance_can_be_told_as_json(model: Path, done: Folders, device: Any) -> None:
    """A hand may have written one, and TOML knows dates."""
    command(model, "--quick")
    path = user_profile(done, "this-device")
    path.write_text(path.read_text(encoding="utf-8").replace("[provenance]", "[provenance]\nbought = 2025-01-02", 1))
    again = Journal(done.state / "measure", key_of(read_gguf(model), "tiny", QUICK), now=datetime.now(UTC).timestamp())
    run(device.rig(), again, started=device.now)

    result = command(model, "--quick", "--json")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["name"] == "this-device"


def test_another_file_is_not_what_the_device_goes_by(model: Path, done: Folders, tmp_path: Path) -> None:
    """It is written there, under its name, and that is said."""
    result = command(model, "--quick", "--out", str(tmp_path / "elsewhere.toml"))

    assert result.exit_code == 0, result.output
    assert "it is not what this device goes by" in result.stdout
    assert 'name = "elsewhere"' in (tmp_path / "elsewhere.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--model", "http://127.0.0.1:9"), "found a server"),
        (("--out", "profile.json"), "then .toml"),
        (("--name", "No Name"), "no name for a profile"),
        (("--name", "../evil"), "found '../evil', wanted small letters"),
    ],
)
def test_bad_input_is_refused_at_once(model: Path, words: tuple[str, ...], says: str) -> None:
    """With exit code 3, before anything is measured."""
    result = command(model, *words)

    assert result.exit_code == 3, result.output
    assert says in result.stderr


def test_a_disturbed_measurement_is_marked_row_by_row(model: Path, done: Folders, device: Any) -> None:
    """With --anyway the table says which figures mean nothing, and threads of a disturbed sweep are not used."""
    device.disturbed, now = 10**6, datetime.now(UTC).timestamp()
    key = key_of(read_gguf(model), "tiny", QUICK)
    Journal(done.state / "measure", key, now=now).remove()
    run(device.rig(), Journal(done.state / "measure", key, now=now), started=device.now, anyway=True)

    result = command(model, "--quick", "--anyway")

    assert result.exit_code == 0, result.output
    for row in ("read 64 tokens", "write behind 5", "load", "write with 4 threads", "energy to write", "with chunk"):
        (line, *_) = [line for line in result.stdout.splitlines() if line.startswith(f"| {row}")]
        assert line.endswith("disturbed |")
    assert "not adopted; disturbed" in result.stdout
    assert "`edgecascade ask` goes by it from now on" in result.stdout


def test_two_modes_at_once_are_refused(model: Path) -> None:
    """As every wrong call of a command: exit code 2."""
    result = command(model, "--quick", "--full")

    assert result.exit_code == 2 and "found both, wanted one" in result.stderr


def test_a_second_measurement_is_refused_at_once(model: Path, done: Folders) -> None:
    """Each would slow the other, and both would write one journal."""
    with locked(done.state / "measure.lock"):
        result = command(model, "--quick")

    assert result.exit_code == 4 and "another measurement runs on this device: found" in result.stderr


def test_a_home_that_cannot_be_written_is_refused_before_anything_is_measured(model: Path, done: Folders) -> None:
    """A figure that cannot be kept is not taken; what was measured before stays."""
    done.data.mkdir(parents=True)
    (done.data / "devices").write_text("no folder")

    result = command(model, "--quick")

    assert (
        result.exit_code == 4
        and "cannot be written: found" in result.stderr
        and "set EDGECASCADE_HOME" in result.stderr
    )
    assert [*(done.state / "measure").glob("*.jsonl")]
