"""From a model's name to an engine, on this device."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from edgecascade import Question, Sampling, open_local, sensors
from edgecascade.cli import main
from edgecascade.cli.options import settings_of
from edgecascade.diagnosis import profile_in_use
from edgecascade.errors import DeviceError, ModelFileError, ProfileError
from edgecascade.llama.engine import Engine
from edgecascade.llama.probe import Verdict, apply
from edgecascade.llama.settings import EngineSettings
from edgecascade.local import chosen_by, device_profile, footprint_of, open_engine, probed, settings_that_fit
from edgecascade.profile import Curve, EngineChoice, Profile, Speed
from edgecascade.store.decoding import Decoding
from edgecascade.store.gguf import read_gguf
from edgecascade.store.paths import Folders
from edgecascade.store.profiles import write_profile
from edgecascade.store.verdicts import recall, remember, verdict_path
from edgecascade.testing import gguf_bytes

MINE = Profile(
    name="mine", title="My device", kind="board", engine=EngineChoice(threads=1, chunk=32, context=1024, kv_type="q8_0")
)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A user with nothing remembered."""
    return Folders.of({"EDGECASCADE_HOME": str(tmp_path / "home")})


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    """A whole GGUF that is larger than this machine's memory; the disk holds a hole."""
    path = tmp_path / "huge.gguf"
    path.write_bytes(gguf_bytes(weights=1000))
    with path.open("r+b") as file:
        file.truncate(psutil.virtual_memory().total * 2)
    return path


@pytest.fixture
def wordy(tmp_path: Path) -> Path:
    """A small file whose cache takes half a MiB a token: its longest context fits on no machine."""
    shape = {"block_count": 32, "embedding_length": 4096, "attention.head_count": 32, "context_length": 1 << 30}
    path = tmp_path / "wordy.gguf"
    path.write_bytes(gguf_bytes({f"llama.{name}": value for name, value in shape.items()}))
    return path


@pytest.fixture
def mine(folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This device's profile, named by the environment."""
    write_profile(path := tmp_path / "mine.toml", MINE)
    monkeypatch.setenv("EDGECASCADE_HOME", str(folders.config.parent))
    monkeypatch.setenv("EDGECASCADE_PROFILE", str(path))
    monkeypatch.chdir(tmp_path)
    return path


def threads_while_decoding(engine: Engine) -> int:
    """Return how many threads the library decodes with, in the middle of an answer."""
    stream = engine.stream(Question.of("Hi", sampling=Sampling(max_tokens=2)))
    next(stream)
    assert engine._context
    threads: int = engine._context.native.llama_n_threads(engine._context._context)
    stream.close()
    return threads


def test_a_model_is_probed_once(model_path: Path, folders: Folders) -> None:
    """The first opening decodes in a child; later ones remember, until asked again."""
    settings = EngineSettings()
    asked = [
        probed(model_path, settings, folders=folders)[1],
        probed(model_path, settings, folders=folders)[1],
        probed(model_path, settings, folders=folders, again=True)[1],
    ]

    assert asked == [True, False, True]


def test_nothing_is_said_when_all_is_well(model_path: Path) -> None:
    """A notice is for what changed; a library that works is no news, and a verdict that is known is none either."""
    folders, lines = Folders.of(os.environ), list[str]()
    probed(model_path, EngineSettings(), folders=folders)

    open_engine(model_path, folders=folders, notice=lines.append).close()

    assert lines == []


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


def test_a_model_that_would_swap_is_refused(folders: Folders, huge: Path) -> None:
    """A model that is larger than free memory is refused with both sizes and one that would fit, and nothing is run."""
    with pytest.raises(DeviceError, match=r"context of 128: found \d+ MiB.* wanted \d+ MiB; .* would fit"):
        open_engine(huge, folders=folders)
    assert not (folders.state / "verdicts").exists()


def test_a_refusal_is_exit_code_4(folders: Folders, huge: Path) -> None:
    """The command line says it in one line."""
    home = {"EDGECASCADE_HOME": str(folders.config.parent), "EDGECASCADE_MODEL": str(huge)}
    done = CliRunner().invoke(main, ["ask", "Hi"], env=home)

    assert (done.exit_code, done.stdout) == (4, "")
    assert "not enough free memory" in done.stderr


def test_a_context_that_would_swap_is_shortened(folders: Folders, wordy: Path) -> None:
    """What is left of a context leaves memory free, is whole steps of 256, and is said once."""
    lines: list[str] = []
    free = sensors.free_memory()
    found = settings_that_fit(wordy, EngineSettings(context=1 << 30), folders=folders, notice=lines.append)

    assert 512 <= found.context < 1 << 30 and found.context % 256 == 0
    assert footprint_of(read_gguf(wordy), found).needed(found.context) < free * 1.01
    (line,) = lines
    assert re.fullmatch(rf"context {1 << 30} needs .* [GM]iB, .* are free: opened with {found.context}", line)


def test_a_context_that_fits_is_left_alone(folders: Folders, wordy: Path, model_path: Path) -> None:
    """Neither is a word said, nor is one longer than the model's own counted."""
    lines: list[str] = []
    for path, context in ((wordy, 600), (model_path, 1 << 40)):
        settings = EngineSettings(context=context)

        assert settings_that_fit(path, settings, folders=folders, notice=lines.append) == settings
    assert lines == []


def test_layers_on_a_gpu_are_counted_where_there_is_none(model_path: Path) -> None:
    """In a library for processors alone asking for a GPU changes nothing."""
    gguf = read_gguf(model_path)
    plans = {footprint_of(gguf, EngineSettings(gpu_layers=layers)) for layers in (-1, 0, 7)}

    assert len(plans) == 1 or sensors.machine().gpus


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, {"context": 1024, "chunk": 32, "kv_type": "q8_0", "threads": None}),
        ({"context": 2048}, {"context": 2048, "chunk": 32, "kv_type": "q8_0", "threads": None}),
        ({"threads": 5, "kv_type": "f16"}, {"context": 1024, "kv_type": "f16", "threads": 5}),
        ({"sequences": 9}, {"sequences": 9, "gpu_layers": -1, "flash_attention": "auto"}),
    ],
)
def test_what_is_said_comes_before_the_profile_and_that_before_defaults(
    mine: Path, given: dict[str, Any], wanted: dict[str, Any]
) -> None:
    """The precedence of every setting; the profile's threads are a limit and not a setting."""
    found = settings_of(given)

    assert {name: getattr(found, name) for name in wanted} == wanted


def test_without_a_profile_the_engines_own_hold() -> None:
    """No profile, or one that says nothing, changes nothing."""
    silent = Profile(name="p", title="P", kind="phone")

    assert chosen_by(None) == chosen_by(silent) == EngineSettings()


def test_an_engine_by_the_profile(mine: Path, model_path: Path) -> None:
    """Opened without settings an engine has the profile's, and the threads of its own row; else just those given."""
    size = model_path.stat().st_size
    curves = {"prefill": Curve(((0, 0.0), (64, 1.0))), "decode": Curve(((0, 0.01),))}
    row = Speed(model="m", parameters=size, bytes=size, mark="measured", source="here", threads=1, **curves)
    write_profile(mine, replace(MINE, engine=replace(MINE.engine, threads=2), speeds=(row,)))
    with open_local(str(model_path)) as by_profile, open_local(str(model_path), EngineSettings(context=512)) as by_hand:
        assert (by_profile.context_length, by_profile.settings.kv_type, by_profile.settings.threads) == (
            1024,
            "q8_0",
            1,
        )
        assert (by_hand.context_length, by_hand.settings.kv_type, by_hand.settings.threads) == (512, "f16", 1)


def test_the_doctor_names_the_profile(mine: Path, folders: Folders) -> None:
    """It says which one is used, whose it is, and what it sets; and what is wrong with one that cannot be read."""
    found = profile_in_use(folders)
    assert found and (found["name"], found["origin"], found["speeds"]) == ("mine", "file", [])
    assert found["engine"] == {"threads": 1, "chunk": 32, "context": 1024, "kv_type": "q8_0"}

    mine.write_text("name = 3")
    assert "fault" in (profile_in_use(folders) or {})


def test_the_profile_is_the_configs(folders: Folders, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `devices use` writes into the config holds in Python too."""
    monkeypatch.delenv("EDGECASCADE_PROFILE")
    folders.config.mkdir(parents=True)
    (folders.config / "config.toml").write_text(f"profile = {str(mine)!r}\n")

    assert device_profile(folders) == MINE


def test_a_name_of_no_profile_says_where_it_stands(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable or the file, whichever holds."""
    folders.config.mkdir(parents=True)
    (folders.config / "config.toml").write_text("profile = 'nope'\n")

    monkeypatch.setenv("EDGECASCADE_PROFILE", "nada")
    with pytest.raises(ProfileError, match=r"'nada'.*stands in `profile` of EDGECASCADE_PROFILE"):
        device_profile(folders)
    monkeypatch.delenv("EDGECASCADE_PROFILE")
    with pytest.raises(ProfileError, match=r"'nope'.*stands in `profile` of .*config\.toml"):
        device_profile(folders)


def test_engines_that_decode_at_once_share_the_cores(folders: Folders, model_path: Path) -> None:
    """Beside as many others as there are cores an engine takes one thread, whatever it began with; told, it obeys."""
    cores, wanted = sensors.physical_cores(), EngineSettings(context=512)
    others = [Decoding(folders.state / "decoding").held() for _ in range(cores)]
    told = EngineSettings(context=512, threads=cores + 1)
    with (
        open_engine(model_path, wanted, folders=folders) as free,
        open_engine(model_path, told, folders=folders) as obeying,
    ):
        alone = threads_while_decoding(free)
        for other in others:
            other.__enter__()
        beside, as_told = threads_while_decoding(free), threads_while_decoding(obeying)
        for other in others:
            other.__exit__(None, None, None)

        assert (alone, beside, as_told) == (free.settings.threads, 1, cores + 1)


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
    assert sensors.busy_cores(0.05) >= 0
    assert 0 < sensors.free_memory() <= psutil.virtual_memory().total
