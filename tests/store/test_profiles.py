"""Profiles of devices are checked when they are read, and what is shipped is sound."""

import re
from pathlib import Path

import pytest

from edgecascade.errors import ProfileError
from edgecascade.profile import (
    Curve,
    DeviceLimits,
    EngineChoice,
    Figure,
    Match,
    Power,
    Profile,
    Speed,
    Weights,
)
from edgecascade.store.paths import Folders, shipped
from edgecascade.store.profiles import find_profile, listed, read_profile, user_profile, write_profile

SHIPPED = sorted(shipped("devices").glob("*.toml"))

GOOD = """schema_version = 1
name = "board"
title = "Board"
kind = "single-board computer"

[match]
board = "Board 1"
memory_gib = [1, 8]

[engine]
threads = 4

[limits]
celsius = 80

[power]
meter = "wall"

[power.idle_watts]
value = 3
mark = "measured"
source = "a plug meter"

[power.decode_watts]
value = 9.5
mark = "measured"
source = "a plug meter"

[[speeds]]
model = "Llama 3.2 3B Q4_K_M"
parameters = 3_210_000_000
bytes = 2_020_000_000
prefill_tps = 20
decode_tps = 5
mark = "literature prior"
source = "https://example.org/bench"
"""

WHOLE = Profile(
    name="whole",
    title='A "whole" one',
    kind="laptop",
    match=Match(system="linux", cpu=r"N\d+\b", cores=(2, 4), memory_gib=(1.5, 8.0), virtual=False, termux=False),
    engine=EngineChoice(threads=3, gpu_layers=-1, chunk=64, context=2048, kv_type="q8_0", flash_attention="on"),
    speeds=(
        Speed(
            model="m",
            parameters=135e6,
            bytes=98362432.0,
            prefill=Curve(((0.0, 0.0), (16.0, 0.1), (64.0, 1 / 3))),
            decode=Curve(((0.0, 0.0123456789012345), (512.0, 0.02))),
            mark="measured",
            source="measured, 1e-5 s apart",
            load_s=1e-05,
            threads=3,
        ),
    ),
    power=Power(
        idle=Figure(2.0, "measured", "rapl"),
        decode=Figure(7.1, "measured", "rapl"),
        prefill=Figure(9.9, "estimate", "guess"),
        meter="rapl",
    ),
    limits=DeviceLimits(
        memory_bytes=25131245568.0,
        model_bytes=5e9,
        sustained=Figure(0.85, "measured", "ten minutes"),
        celsius=85.0,
    ),
    weights=Weights(value_usd=0.01, usd_per_second=1e-6, seconds=4.0),
    round_trip_s=Figure(0.031, "measured", "five connections"),
    provenance={"date": "2026-11-22", "busy": {"cores": 0.1, "seen": [1, 2.5, "ü"]}, "anyway": False, "list": []},
    notes="line one\nline two \\ three",
)


def folders(root: Path) -> Folders:
    """Return the folders below a temporary home."""
    return Folders.of({"EDGECASCADE_HOME": str(root)})


def written(root: Path, text: str, name: str = "board") -> Path:
    """Return the path of a user's profile with this text."""
    path = user_profile(folders(root), name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_profile_is_whole_and_says_where_its_figures_are_from(path: Path, tmp_path: Path) -> None:
    """Each is read, survives writing, can be recognised, and every figure has an address or a file of ours."""
    profile = read_profile(path)

    write_profile(tmp_path / path.name, profile)

    assert read_profile(tmp_path / path.name) == profile
    assert profile.speeds and profile.match != Match() and profile.round_trip_s is None
    power = profile.power
    figures = [figure for figure in (power.idle, power.decode, power.prefill, profile.limits.sustained) if figure]
    for entry in (*profile.speeds, *figures):
        assert re.search(r"https://\S+\.\w+|bench/results/\S+\.json of this repository", entry.source), entry
        assert entry.mark != "measured"
    if power != Power():
        assert power.meter


def test_no_shipped_profile_changes_tokens() -> None:
    """A calibration is bound to chunk, KV type and flash attention, so no class of devices sets them."""
    for path in SHIPPED:
        engine = read_profile(path).engine
        assert engine == EngineChoice(threads=engine.threads, gpu_layers=engine.gpu_layers)


def test_the_readme_shows_a_file_that_is_one(tmp_path: Path) -> None:
    """The example is read as it stands, and every key of the form is in it or named beside it."""
    text = (shipped("devices") / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(.+?)```", text, re.DOTALL)
    assert example

    profile = read_profile(written(tmp_path, example[1], "my-board"))

    assert profile.weights and profile.round_trip_s and profile.limits.sustained and profile.power.decode
    assert None not in (getattr(profile.match, name) for name in Match.__dataclass_fields__)


def test_a_profile_survives_writing_to_the_last_digit(tmp_path: Path) -> None:
    """What is written is read back the same, and says who wrote it."""
    path = tmp_path / "whole.toml"

    write_profile(path, WHOLE)

    assert read_profile(path) == WHOLE
    assert path.read_text(encoding="utf-8").startswith("# Written by edgecascade ")


def test_an_empty_profile_survives_writing(tmp_path: Path) -> None:
    """What is unknown stays unknown."""
    bare = Profile(name="bare", title="Bare", kind="phone")

    write_profile(tmp_path / "bare.toml", bare)

    assert read_profile(tmp_path / "bare.toml") == bare


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    """A profile with an impossible value leaves no file."""
    wrong = Profile(name="w", title="W", kind="phone", power=Power(decode=Figure(5000.0, "measured", "a lie")))

    with pytest.raises(ProfileError, match=r"w\.toml: power\.decode_watts\.value: found 5000"):
        write_profile(tmp_path / "w.toml", wrong)

    assert not list(tmp_path.iterdir())


def test_published_speeds_become_curves(tmp_path: Path) -> None:
    """Tokens a second and the curve's seconds say the same."""
    (speed,) = read_profile(written(tmp_path, GOOD)).speeds

    assert (speed.prefill(512), speed.reading(1024), speed.decode(77)) == (512 / 20, 1024 / 20, 1 / 5)
    assert (speed.mark, speed.source) == ("literature prior", "https://example.org/bench")


def test_where_only_writing_was_published_reading_is_an_estimate_no_faster(tmp_path: Path) -> None:
    """Nothing is promised that nobody measured, and the row says so."""
    (speed,) = read_profile(written(tmp_path, GOOD.replace("prefill_tps = 20\n", ""))).speeds

    assert speed.reading(100) == pytest.approx(100 * speed.decode(0))
    assert speed.mark == "estimate" and "reading: not published" in speed.source


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("decode_tps", "decode_ms", r"speeds\[0\]\.decode_ms: found an unknown key, wanted decode_tps;"),
        ("prefill_tps", "prefill_tokens", r"prefill_tokens: found an unknown key, wanted prefill_tps;"),
        ("power.idle_watts", "power.watt", r"power\.watt: found an unknown key, wanted idle_watts or decode_watts or"),
        ("power.decode_watts", "power.decode_mw", r"power\.decode_mw: found an unknown key, wanted decode_watts;"),
        ('meter = "wall"', "mw = 3", r"power\.mw: found an unknown key, wanted idle_watts or decode_watts or prefill"),
        ("memory_gib", "memory_gb", r"match\.memory_gb: found an unknown key, wanted memory_gib;"),
        ("celsius = 80", "fahrenheit = 176", r"limits\.fahrenheit: found an unknown key, wanted celsius;"),
        ("threads = 4", "thread = 4", r"engine\.thread: found an unknown key, wanted threads;"),
        ("value = 3\n", "watts = 3\n", r"power\.idle_watts\.watts: found an unknown key, wanted value or mark or"),
        ("[engine]", "[motor]", r"motor: found an unknown key, wanted schema_version or name or"),
        ("threads = 4", "threads = 1024", r"engine\.threads: found 1024, wanted less than or equal to 512;"),
        ("threads = 4", 'threads = "4"', r"engine\.threads: found '4', wanted a valid integer;"),
        ("celsius = 80", "celsius = 176", r"limits\.celsius: found 176, wanted less than or equal to 130;"),
        ("celsius = 80", "celsius = 8", r"limits\.celsius: found 8, wanted greater than or equal to 30;"),
        ("celsius = 80", "celsius = nan", r"limits\.celsius: found nan, wanted a finite number;"),
        ("value = 9.5", "value = 9500", r"power\.decode_watts\.value: found 9500, wanted less than or equal to 1000;"),
        ("value = 9.5", "value = 2", r"power: found decode_watts 2 below idle_watts 3, wanted the whole power"),
        ("value = 3\n", "value = 0\n", r"power\.idle_watts\.value: found 0, wanted greater than 0;"),
        ("decode_tps = 5", "decode_tps = 0.0009", r"decode_tps: found 0\.0009, wanted greater than or equal"),
        ("prefill_tps = 20", "prefill_tps = 2e6", r"speeds\[0\]\.prefill_tps: found 2000000\.0, wanted less than or"),
        ("decode_tps = 5", "decode_tps = 5000", r"speeds\[0\]: found decode at 5000 tokens a second, wanted 4950 at"),
        ("bytes = 2_020_000_000", "bytes = 2_020", r"speeds\[0\]: found 2020 bytes for 3\.21e\+09 parameters, wanted"),
        ("decode_tps = 5", "decode = [[9, 0.1], [9, 0.1]]", r"found decode at \[9\.0, 9\.0\] tokens, wanted rising"),
        ("decode_tps = 5", "decode = [[0, 0]]", r"found decode in 0 seconds, wanted the seconds of one token"),
        ("prefill_tps = 20", "prefill = [[0, 0], [9, 3], [18, 2]]", r"found prefill that takes less time for more"),
        ("decode_tps = 5", "decode = [[0, 0.2], [512, 0.1]]", r"found decode that takes less time for more tokens"),
        (
            "prefill_tps = 20",
            "prefill = [[512, 12.8]]",
            r"found prefill of \[\[512\.0, 12\.8\]\], wanted \[0, 0\] and at",
        ),
        ("prefill_tps = 20", "prefill = [[9, 1], [512, 12.8]]", r"found prefill of \[\[9\.0, 1\.0\], \[512\.0"),
        ("prefill_tps = 20", "prefill = [[0, 0], [512, 0.001]]", r"found prefill faster than 100000 tokens a second"),
        ("prefill_tps = 20", "prefill = [[0, 0, 1]]", r"prefill\[0\]: found \[0, 0, 1\], wanted"),
        ("decode_tps = 5\n", "", r"speeds\[0\]: found both or neither of decode and decode_tps, wanted one"),
        ("prefill_tps = 20", "prefill_tps = 20\nprefill = [[0, 0]]", r"found both prefill and prefill_tps, wanted one"),
        ('"literature prior"', '"read somewhere"', r"speeds\[0\]\.mark: found 'read somewhere', wanted 'measured', "),
        ('source = "https://example.org/bench"\n', "", r"speeds\[0\]\.source: found nothing, wanted it to be set;"),
        ('board = "Board 1"', 'board = "Board (1"', r"match\.board: found 'Board \(1', wanted a regular expression"),
        ("[1, 8]", "[8, 1]", r"match\.memory_gib: found \[8\.0, 1\.0\], wanted the smaller first;"),
        (
            "celsius = 80",
            "[limits.sustained]\nvalue = 85\nmark = 'measured'\nsource = 's'",
            r"sustained\.value: found 85",
        ),
        ("[1, 8]", "[-8, 1]", r"match\.memory_gib\[0\]: found -8, wanted greater than or equal to 0;"),
        ('name = "board"', 'name = "Board"', r"name: found 'Board', wanted small letters, digits"),
        ('title = "Board"', 'title = ""', r"title: found '', wanted some text;"),
        ("[engine]", "[[engine]]", r"engine: found \[\{'threads': 4\}\], wanted a table of keys;"),
        ("[[speeds]]", "[speeds]", r"speeds: found .*, wanted a list;"),
        (
            "threads = 4",
            "kv_type = 'q8_0'\nflash_attention = 'off'",
            r"engine: found kv_type 'q8_0' with flash_attention 'off', wanted auto or on, or kv_type 'f16';",
        ),
        ('name = "board"', 'name = "bord"', r"name: found 'bord', wanted 'board' as the file is called; rename one"),
        ("schema_version = 1", "schema_version = 2", r"schema_version: found 2, wanted 1;"),
        (
            "schema_version = 1",
            "schema_version = ",
            r"cannot be read as TOML: .*line 1.*; wanted a device profile; mend",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_key_found_and_wanted(tmp_path: Path, old: str, new: str, message: str) -> None:
    """The message leads to the file and the key, and to the key that was meant."""
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))

    with pytest.raises(ProfileError, match=rf"board\.toml.*{message}"):
        read_profile(path)


def test_a_mark_before_the_first_line_does_no_harm(tmp_path: Path) -> None:
    """Some editors put one there."""
    assert read_profile(written(tmp_path, "\ufeff" + GOOD)).title == "Board"


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """Bytes and absence have a message too."""
    (tmp_path / "p.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(ProfileError, match=r"p\.toml cannot be read as TOML"):
        read_profile(tmp_path / "p.toml")
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ProfileError, match=r"cannot be read: .*wanted a TOML file; name another, or one of"):
            read_profile(path)


def test_a_users_profile_hides_the_shipped_one(tmp_path: Path) -> None:
    """The user's folder comes first, in the list and by name."""
    written(tmp_path, GOOD.replace('"board"', '"raspberry-pi-5"', 1), "raspberry-pi-5")

    there = [entry for entry in listed(folders(tmp_path)) if entry.path.stem == "raspberry-pi-5"]

    assert [(entry.origin, entry.profile and entry.profile.title) for entry in there] == [("yours", "Board")]
    assert find_profile("raspberry-pi-5", folders(tmp_path)).title == "Board"


def test_a_broken_profile_is_listed_with_its_fault_and_hides_no_other(tmp_path: Path) -> None:
    """Whoever mistypes in one file still sees all the rest, the shipped one of that name among them."""
    path = written(tmp_path, GOOD.replace("threads", "thread"), "raspberry-pi-5")

    there = listed(folders(tmp_path))

    assert (there[0].path, there[0].profile, there[0].origin) == (path, None, "yours")
    assert "wanted threads" in there[0].fault
    assert [entry.path for entry in there if entry.profile] == SHIPPED


def test_a_profile_is_found_by_path(tmp_path: Path) -> None:
    """What has a separator or ends in .toml is a path."""
    path = written(tmp_path, GOOD)

    assert find_profile(str(path), folders(tmp_path / "other")).name == "board"


def test_an_unknown_name_is_answered_with_near_ones(tmp_path: Path) -> None:
    """Whoever mistypes sees what was meant."""
    with pytest.raises(ProfileError, match=r"called 'rasberry-pi-5': found none, wanted raspberry-pi-5 or"):
        find_profile("rasberry-pi-5", folders(tmp_path))
