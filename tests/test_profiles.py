"""The profile of this device: which one is taken, and what it says about the engine."""

import logging
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from edgecascade.errors import ProfileError
from edgecascade.llama.settings import EngineSettings
from edgecascade.profile import Curve, EngineChoice, Machine, Match, Profile, Speed
from edgecascade.profiles import engine_of, profile_here
from edgecascade.store.paths import Folders, shipped
from edgecascade.store.profiles import listed, read_profile, user_profile, write_profile

GIB = 2**30
PI = Machine(
    system="linux",
    arch="aarch64",
    cpu="Cortex-A76",
    board="Raspberry Pi 5 Model B Rev 1.0",
    cores=4,
    memory_bytes=8 * GIB,
    battery=False,
)
PHONE = Machine(
    system="linux",
    arch="aarch64",
    cpu="QTI SM8550",
    board="samsung SM-S911B",
    gpus=("Adreno740v2",),
    cores=8,
    memory_bytes=7 * GIB,
    battery=True,
    termux=True,
)
LAPTOP = Machine(
    system="linux",
    arch="x86_64",
    cpu="11th Gen Intel(R) Core(TM) i5-1135G7 @ 2.40GHz",
    board="LENOVO 20XW004AGE",
    gpus=("Intel 0x9a49",),
    cores=4,
    memory_bytes=16 * GIB,
    virtual=False,
    battery=True,
)
MAC = Machine(
    system="darwin",
    arch="arm64",
    cpu="Apple M2",
    board="Mac14,2",
    gpus=("Apple M2 GPU",),
    cores=8,
    memory_bytes=16 * GIB,
    virtual=False,
    battery=True,
)
VM = Machine(system="linux", arch="x86_64", cpu="AMD EPYC", cores=2, memory_bytes=24 * GIB, virtual=True)
N100 = replace(
    LAPTOP, cpu="Intel(R) N100", board="AZW MINI S", gpus=("Intel 0x46d1",), memory_bytes=15 * GIB, battery=False
)
JETSON = Machine(
    system="linux",
    arch="aarch64",
    cpu="Cortex-A78AE",
    board="NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
    gpus=("NVIDIA Orin",),
    cores=6,
    memory_bytes=int(7.4 * GIB),
)
RTX = "NVIDIA GeForce RTX 4060 Laptop GPU"
RADXA = "Radxa Computer (Shenzhen) Co., Ltd. Radxa Orion O6"

MACHINES = [
    ("raspberry-pi-5", PI),
    ("raspberry-pi-5", replace(PI, board="Raspberry Pi 500 Rev 1.0", memory_bytes=16 * GIB)),
    ("raspberry-pi-5", replace(PI, board="Raspberry Pi Compute Module 5 Rev 1.0")),
    ("raspberry-pi-4", replace(PI, board="Raspberry Pi 4 Model B Rev 1.4", cpu="Cortex-A72", memory_bytes=2 * GIB)),
    ("raspberry-pi-4", replace(PI, board="Raspberry Pi 400 Rev 1.0", cpu="Cortex-A72")),
    (None, replace(PI, board="Raspberry Pi 3 Model B Plus Rev 1.3", cpu="Cortex-A53", memory_bytes=GIB)),
    (None, replace(PI, board="")),
    (None, replace(PI, arch="armv7l")),
    ("jetson-orin-nano", JETSON),
    (None, replace(JETSON, memory_bytes=int(3.4 * GIB))),
    (None, replace(JETSON, memory_bytes=0)),
    (None, replace(JETSON, board="NVIDIA Jetson AGX Orin Developer Kit", memory_bytes=30 * GIB)),
    ("mini-pc-n100", N100),
    ("mini-pc-n100", replace(N100, cpu="Intel(R) N150")),
    ("mini-pc-n100", replace(N100, battery=True)),
    ("mini-pc-n100", replace(N100, virtual=True)),
    (None, replace(N100, cpu="Intel(R) Core(TM) i3-N305", cores=8)),
    ("laptop-x86", LAPTOP),
    ("laptop-x86", replace(LAPTOP, system="windows", arch="amd64", cpu="Intel64 Family 6 Model 140", virtual=None)),
    ("laptop-x86", replace(LAPTOP, cpu="AMD Ryzen 7 8840U w/ Radeon 780M Graphics", cores=8, gpus=("AMD 0x1900",))),
    ("laptop-x86", replace(LAPTOP, virtual=True, cores=8)),
    ("laptop-x86-nvidia", replace(LAPTOP, gpus=(RTX, "AMD 0x1681"), cores=8)),
    ("laptop-x86-nvidia", replace(LAPTOP, gpus=("NVIDIA GeForce MX150",))),
    ("laptop-x86-nvidia", replace(LAPTOP, gpus=(RTX,), virtual=True)),
    (None, replace(LAPTOP, gpus=("NVIDIA GeForce RTX 4090",), battery=False, cores=16)),
    (None, replace(LAPTOP, battery=None)),
    ("apple-m-base", MAC),
    ("apple-m5", replace(MAC, cpu="Apple M5")),
    ("apple-m-pro", replace(MAC, cpu="Apple M4 Pro")),
    ("apple-m-max", replace(MAC, cpu="Apple M1 Max")),
    ("apple-m-ultra", replace(MAC, cpu="Apple M2 Ultra", battery=False)),
    (None, replace(MAC, arch="x86_64", cpu="Intel(R) Core(TM) i5-8257U CPU @ 1.40GHz", battery=False)),
    ("android-phone", PHONE),
    ("android-phone", replace(PHONE, cpu="Google Tensor G4", board="Google Pixel 9", gpus=())),
    ("android-phone", replace(PHONE, cpu="", board="")),
    ("android-phone-snapdragon-elite", replace(PHONE, cpu="QTI SM8750", memory_bytes=15 * GIB)),
    ("android-phone-snapdragon-elite", replace(PHONE, cpu="QTI SM8850")),
    ("android-phone-dimensity-8400", replace(PHONE, cpu="Mediatek MT6899")),
    (None, replace(PHONE, termux=False)),
    (
        "snapdragon-x",
        replace(LAPTOP, system="windows", arch="arm64", cpu="ARMv8 (64-bit) Family 8, Qualcomm Technologies Inc"),
    ),
    ("radxa-orion-o6", replace(PI, cpu="Cortex-A720 + Cortex-A520", board=RADXA, cores=12)),
    ("radxa-dragon-q6a", replace(PI, cpu="", board="Radxa Dragon Q6A", cores=8)),
    ("radxa-dragon-q8b", replace(PI, cpu="", board="Radxa Dragon Q8B", cores=8)),
    ("spacemit-k1", replace(PI, arch="riscv64", cpu="Spacemit(R) X60", board="BPI-F3", cores=8)),
    ("spacemit-k3", replace(PI, arch="riscv64", cpu="Spacemit(R) A100", board="", cores=8)),
    ("cloud-vm-small", VM),
    ("cloud-vm-small", replace(VM, arch="aarch64", cpu="Neoverse-N1", cores=4)),
    ("cloud-vm-small", replace(VM, battery=True)),
    (None, replace(VM, cores=16)),
    (None, replace(VM, virtual=None)),
    (None, Machine(system="linux", arch="x86_64")),
]


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A user without anything."""
    return Folders.of({"EDGECASCADE_HOME": str(tmp_path)})


def own(folders: Folders, name: str, match: Match) -> Profile:
    """Return a profile of the user's own, written."""
    profile = Profile(name=name, title=name, kind="laptop", match=match)
    write_profile(user_profile(folders, name), profile)
    return profile


@pytest.mark.parametrize(
    ("name", "machine"),
    MACHINES,
    ids=[f"{name}-{machine.board or machine.cpu or machine.arch}" for name, machine in MACHINES],
)
def test_each_machine_has_its_profile_and_no_other(folders: Folders, name: str | None, machine: Machine) -> None:
    """Real ones are recognised, near misses are not, and no two shipped profiles claim the same one."""
    profile = profile_here(folders, chosen=None, machine=machine)

    assert (profile and profile.name) == name


def test_every_shipped_profile_is_somebodys() -> None:
    """Each class of devices has a machine above that it is chosen for."""
    assert {name for name, _ in MACHINES if name} == {path.stem for path in shipped("devices").glob("*.toml")}


def test_what_was_chosen_is_taken_whatever_the_machine(folders: Folders) -> None:
    """By name and by path, before all rules."""
    path = user_profile(folders, "mine")
    mine = own(folders, "mine", Match())

    assert profile_here(folders, chosen="mine", machine=PI) == mine
    assert profile_here(folders, chosen=str(path), machine=PI) == mine


def test_a_choice_that_is_not_there_is_an_error(folders: Folders) -> None:
    """It is not passed over for one that fits."""
    with pytest.raises(ProfileError, match="called 'mini'"):
        profile_here(folders, chosen="mini", machine=PI)


def test_the_users_own_comes_before_a_shipped_one_with_more_rules(folders: Folders) -> None:
    """Who measured does not get a prior."""
    mine = own(folders, "mine", Match(system="linux"))

    assert profile_here(folders, chosen=None, machine=PI) == mine


def test_of_the_users_own_the_most_specific_is_taken(folders: Folders) -> None:
    """More rules that hold mean a narrower class."""
    own(folders, "wide", Match(system="linux"))
    narrow = own(folders, "narrow", Match(system="linux", cores=(4, 4)))

    assert profile_here(folders, chosen=None, machine=PI) == narrow


def test_two_that_fit_as_well_are_an_error_that_names_both(folders: Folders) -> None:
    """Which one is meant is not guessed."""
    own(folders, "a", Match(system="linux", arch="aarch64"))
    own(folders, "b", Match(system="linux", cores=(1, 4)))

    with pytest.raises(ProfileError, match="found a and b, wanted one; choose one with `edgecascade devices use NAME`"):
        profile_here(folders, chosen=None, machine=PI)


def test_a_profile_without_rules_fits_no_machine(folders: Folders) -> None:
    """It is taken by name only."""
    own(folders, "bare", Match())

    assert profile_here(folders, chosen=None, machine=Machine(system="haiku", arch="x86_64")) is None


def test_a_broken_profile_is_passed_over_and_said(folders: Folders, caplog: pytest.LogCaptureFixture) -> None:
    """One mistyped file does not stop the device, and is not passed over in silence."""
    path = user_profile(folders, "mine")
    path.parent.mkdir(parents=True)
    path.write_text("name = ")

    with caplog.at_level(logging.WARNING, "edgecascade"):
        profile = profile_here(folders, chosen=None, machine=PI)

    assert profile and profile.name == "raspberry-pi-5"
    assert "mine.toml" in caplog.text


def test_what_a_machine_does_not_say_holds_no_rule() -> None:
    """Unknown is neither yes nor no, and a profile that asks for it does not fit."""
    silent = Machine(system="linux", arch="x86_64", cores=0)
    match = Match(cpu=".*", board=".*", gpu=".*", cores=(0, 9), memory_gib=(0, 9), virtual=False, battery=False)

    answers = match.rules(silent)

    assert set(answers.values()) == {None}
    assert match.fits(silent) is None


def test_texts_are_searched_and_capitals_do_not_matter() -> None:
    """A rule is a regular expression that may be found anywhere, in any of the graphics processors."""
    machine = replace(PI, gpus=("Intel 0x9a49", "NVIDIA GeForce"))

    assert Match(board="raspberry pi [45]", gpu="geforce", system="LIN").rules(machine) == {
        "system": True,
        "board": True,
        "gpu": True,
    }
    assert Match(board="raspberry pi [45]$").fits(machine) is None


def test_spans_hold_at_both_ends() -> None:
    """From and to are meant with themselves."""
    assert Match(cores=(4, 4), memory_gib=(8, 9)).fits(PI) == 2
    assert Match(memory_gib=(8.01, 9)).fits(PI) is None


def test_what_a_profile_sets_is_what_the_engine_takes(folders: Folders) -> None:
    """Every field of a choice is one of the engine's settings, and the shipped ones are within their limits."""
    assert set(EngineChoice.__dataclass_fields__) <= set(EngineSettings.__dataclass_fields__)
    assert engine_of(Profile(name="p", title="P", kind="phone")) == {}
    for entry in listed(folders):
        assert entry.profile
        EngineSettings(**engine_of(entry.profile))  # type: ignore[arg-type]


def row(bytes: float, a_token: float, threads: int | None = None) -> Speed:
    """Return how fast a model of that size runs, a byte a parameter."""
    return Speed(
        model=f"{bytes:g} bytes", parameters=bytes, bytes=bytes, prefill=Curve(((0, 0.0), (512, a_token * 100))),
        decode=Curve(((0, a_token), (1000, a_token * 2))), mark="measured", source="here", load_s=1.0, threads=threads,
    )  # fmt: skip


def of(*speeds: Speed) -> Profile:
    """Return a profile with these rows."""
    return Profile(name="p", title="P", kind="phone", engine=EngineChoice(threads=4), speeds=speeds)


def a_token(profile: Profile, bytes: float) -> float:
    """Return the seconds of one token of a model of that size."""
    found = profile.speed_of(bytes, bytes)
    assert found
    return found.decode(0)


def test_no_shipped_row_would_be_promised_much_faster_than_it_was_published() -> None:
    """Each row that is left out is worked out from the others: at most a quarter too fast, and 2.6 times too slow."""
    shares = []
    for profile in map(read_profile, shipped("devices").glob("*.toml")):
        for left_out in profile.speeds if len(profile.speeds) > 1 else ():
            others = replace(profile, speeds=tuple(other for other in profile.speeds if other is not left_out))
            found = others.speed_of(left_out.parameters, left_out.bytes)
            assert found and found.mark == "estimate"
            shares.append(found.decode(0) / left_out.decode(0))

    assert len(shares) >= 20
    assert min(shares) >= 0.8 and max(shares) <= 2.6


@pytest.mark.parametrize("rows", [(row(1e9, 0.1),), (row(1e8, 0.02), row(1e9, 0.1)), (row(1e8, 0.01), row(2e8, 0.05))])
def test_a_smaller_model_is_no_slower_and_none_beats_its_bytes(rows: tuple[Speed, ...]) -> None:
    """Between the row itself and the row in proportion to the bytes, at every size; and larger ones take longer."""
    profile, sizes = of(*rows), [10**power for power in (6.0, 7.0, 8.0, 8.2, 8.9, 9.0, 9.5, 10.0)]
    for size in sizes:
        nearest = min(rows, key=lambda one: max(one.bytes / size, size / one.bytes))
        least, most = sorted((nearest.decode(0), nearest.decode(0) * size / nearest.bytes))
        assert least <= a_token(profile, size) <= most * (1 + 1e-9)

    assert all(a_token(profile, one) <= a_token(profile, other) for one, other in pairwise(sizes))


def test_two_rows_make_a_straight_line() -> None:
    """The costs of a token that do not shrink with the file are seen by two rows; each row itself is as it was."""
    rows = row(1e8, 0.02), row(1e9, 0.11)
    profile = of(*rows)

    assert [profile.speed_of(one.parameters, one.bytes) for one in rows] == [*rows]
    assert a_token(profile, 5e8) == pytest.approx(0.06)
    assert a_token(profile, 5e7) == pytest.approx(0.015)


def test_a_line_that_promises_too_much_is_not_followed_below_all_rows() -> None:
    """Where the larger model is slower than its bytes say, a smaller one is not taken to cost nothing."""
    assert a_token(of(row(1e8, 0.01), row(1e9, 0.5)), 1.25e7) == pytest.approx(0.01 / 4)


def test_an_estimate_says_what_it_is_scaled_from_and_how_far() -> None:
    """Fifty times is not as good as twice, and whoever reads it sees which."""
    found = of(row(5e9, 0.1, threads=4)).speed_of(1e8, 1e8)

    assert found and found.source == "scaled from 5e+09 bytes, 50 times as large (measured: here)"
    assert (found.mark, found.load_s, found.threads) == ("estimate", pytest.approx(0.02), None)
    assert found.reading(512) == pytest.approx(0.1 * 100 / 50)


def test_a_model_runs_with_the_threads_that_it_was_measured_with() -> None:
    """Two models may each have their own; what was never measured has the device's."""
    profile = of(row(1e8, 0.02, threads=1), row(1e9, 0.1, threads=2), row(2e9, 0.2))

    assert [profile.threads_of(bytes) for bytes in (1e8, 1e9, 2e9, 3e9)] == [1, 2, 4, 4]


def test_as_many_bytes_are_the_same_file() -> None:
    """A manifest rounds the parameters: what was measured stays measured."""
    measured = row(5e9, 0.1, threads=4)

    assert of(measured).speed_of(measured.parameters * 1.004, measured.bytes) == measured


def test_a_chosen_name_that_is_none_says_where_it_stands(folders: Folders) -> None:
    """In the place that the caller knows, with the command that mends it."""
    with pytest.raises(
        ProfileError, match=r"called 'nope'.*it stands in here: mend it there, or `edgecascade devices use none`"
    ):
        profile_here(folders, chosen="nope", machine=PI, place="here")
