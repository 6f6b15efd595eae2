"""``edgecascade measure``, as a user types it; the steps were done before, by a device that does not exist."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgecascade.cli import main
from edgecascade.measure.device import key_of
from edgecascade.measure.journal import Journal
from edgecascade.measure.rig import QUICK
from edgecascade.measure.running import run
from edgecascade.store.gguf import read_gguf
from edgecascade.store.paths import Folders
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
        (("--out", "profile.json"), "then '.toml'"),
        (("--name", "No Name"), "no name for a profile"),
    ],
)
def test_bad_input_is_refused_at_once(model: Path, words: tuple[str, ...], says: str) -> None:
    """With exit code 3, before anything is measured."""
    result = command(model, *words)

    assert result.exit_code == 3, result.output
    assert says in result.stderr
