"""From a model's name to an engine, on this device."""

import json
from pathlib import Path

import psutil
import pytest

from edgecascade import open_local, sensors
from edgecascade.errors import DeviceError, ModelFileError
from edgecascade.llama.probe import Verdict, apply
from edgecascade.llama.settings import EngineSettings
from edgecascade.local import open_engine, probed
from edgecascade.store.paths import Folders
from edgecascade.store.verdicts import recall, remember, verdict_path


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A user with nothing remembered."""
    return Folders.of({"EDGECASCADE_HOME": str(tmp_path / "home")})


def test_a_model_is_probed_once(model_path: Path, folders: Folders) -> None:
    """The first opening decodes in a child; later ones remember, until asked again."""
    settings = EngineSettings()
    asked = [
        probed(model_path, settings, folders=folders)[1],
        probed(model_path, settings, folders=folders)[1],
        probed(model_path, settings, folders=folders, again=True)[1],
    ]

    assert asked == [True, False, True]


def test_nothing_is_said_when_all_is_well(model_path: Path, folders: Folders) -> None:
    """A notice is for what changed; a library that works is no news."""
    verdict, _ = probed(model_path, EngineSettings(), folders=folders)
    lines: list[str] = []
    open_engine(model_path, folders=folders, notice=lines.append).close()

    assert bool(lines) is (verdict.verdict == "fallback")


def test_the_default_model_needs_no_name() -> None:
    """open_local() without a name opens the embedded default."""
    with open_local() as engine:
        assert engine.context_length == 4096


@pytest.mark.parametrize(
    ("damage", "named"),
    [(lambda data: data[:-1000], r"found .*98,?361,?432"), (lambda data: b"<!DOCTYPE html>" + data[:500], "web page")],
)
def test_a_damaged_file_is_refused_before_the_library_sees_it(
    model_path: Path, folders: Folders, tmp_path: Path, damage: object, named: str
) -> None:
    """Cut off, or another kind of file: told as what it is, and no verdict is remembered."""
    path = tmp_path / "damaged.gguf"
    path.write_bytes(damage(model_path.read_bytes()))  # type: ignore[operator]

    with pytest.raises(ModelFileError, match=named):
        open_engine(path, folders=folders)
    assert not (folders.state / "verdicts").exists()


def test_a_model_that_would_swap_is_refused(folders: Folders, tmp_path: Path) -> None:
    """A whole GGUF that is larger than the free memory is refused with both sizes, before it is loaded."""
    from edgecascade.testing import gguf_bytes

    path = tmp_path / "huge.gguf"
    path.write_bytes(gguf_bytes(weights=1000))
    with path.open("r+b") as file:
        file.truncate(psutil.virtual_memory().total * 2)

    with pytest.raises(DeviceError, match=r"found \d+ MiB, wanted \d+ MiB"):
        open_engine(path, folders=folders)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 0}', '{"schema": 1, "facts": {"a": 2}, "verdict": {}}'])
def test_a_verdict_that_cannot_be_trusted_is_forgotten(folders: Folders, text: str) -> None:
    """A torn, older or foreign file counts as no verdict."""
    facts = {"a": 1}
    remember(folders, facts, {"verdict": "ok"})
    verdict_path(folders, facts).write_text(text)

    assert recall(folders, facts) is None


def test_a_verdict_is_remembered_for_its_facts_alone(folders: Folders) -> None:
    """Other facts know nothing of it."""
    remember(folders, {"a": 1}, {"verdict": "ok"})

    assert recall(folders, {"a": 1}) == {"verdict": "ok"}
    assert recall(folders, {"a": 2}) is None
    assert json.loads(verdict_path(folders, {"a": 1}).read_text())["facts"] == {"a": 1}


def test_verdicts_change_the_settings_that_they_name() -> None:
    """Ok changes nothing, fallback turns repacking off."""
    settings = EngineSettings(threads=3)

    assert apply(Verdict("ok", {}, ""), settings) == settings
    assert apply(Verdict("fallback", {"use_extra_bufts": False}, ""), settings).use_extra_bufts is False
    with pytest.raises(DeviceError, match="GGML_NATIVE=OFF"):
        apply(Verdict("broken", {}, "it dies"), settings)


def test_sensors_keep_their_bounds() -> None:
    """Threads are at least one and at most the physical cores; memory is what the system has."""
    assert 1 <= sensors.free_threads() <= sensors.physical_cores()
    assert 0 <= sensors.busy_cores(0.05) <= (psutil.cpu_count() or 1)
    assert 0 < sensors.free_memory() <= psutil.virtual_memory().total
