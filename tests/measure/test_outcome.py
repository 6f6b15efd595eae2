"""From findings to a profile: what was measured replaces, what belongs to others stays, an estimate is called one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgecascade.measure.journal import Finding, Journal
from edgecascade.measure.outcome import Subject, match_of, profile_of
from edgecascade.measure.running import run
from edgecascade.profile import Conditions, Curve, Figure, Machine, Power, Profile, Speed, Weights
from edgecascade.store.profiles import read_profile, write_profile

MACHINE = Machine(
    system="linux", arch="aarch64", cpu="Cortex-A76 (r4)", board="Raspberry Pi 5+", cores=4, memory_bytes=8 << 30
)
LIKE = Profile(
    name="raspberry-pi-5",
    title="Raspberry Pi 5",
    kind="single-board computer",
    power=Power(decode=Figure(9.0, "literature prior", "https://example.org"), meter="wall"),
)
SUBJECT = Subject(
    name="this-device",
    mode="quick",
    machine=MACHINE,
    model="tiny",
    parameters=1_000_000,
    bytes=600_000,
    date="2026-11-22",
    library="llama-cpp-python 0.3.36",
    facts={"backend": "cpu"},
    begin=Conditions(celsius=50.0),
    end=Conditions(celsius=60.0),
    like=LIKE,
)


@pytest.fixture
def found(device: Any, tmp_path: Path) -> dict[str, Finding]:
    """What the steps find on a device with a meter."""
    return run(device.rig(), Journal(tmp_path / "state", {}, now=0.0), started=0.0)


def test_it_can_be_written_and_read_again(found: dict[str, Finding], tmp_path: Path) -> None:
    """The file holds what the record holds, and the machine fits it."""
    profile = profile_of(found, SUBJECT)
    write_profile(path := tmp_path / "this-device.toml", profile)

    again = read_profile(path)

    assert (again.speeds, again.engine, again.match) == (profile.speeds, profile.engine, profile.match)
    assert again.power == profile.power
    assert again.match.fits(MACHINE) == 6
    assert again.engine.threads == 4
    assert again.speeds[0].mark == "measured"
    assert "quick" in again.speeds[0].source


@pytest.mark.parametrize(
    "other",
    [
        replace(MACHINE, cpu="Cortex-A76 (r5)"),
        replace(MACHINE, board="Raspberry Pi 55"),
        replace(MACHINE, cores=2),
        replace(MACHINE, memory_bytes=16 << 30),
        replace(MACHINE, arch="armv7l"),
    ],
)
def test_another_machine_does_not_match(other: Machine) -> None:
    """Names are taken by the letter, sizes by their range."""
    assert match_of(MACHINE).fits(other) is None


def test_a_second_model_joins_the_first(found: dict[str, Finding]) -> None:
    """Only the row of the same name and bytes is replaced; weights and names that a user set stay."""
    first = replace(profile_of(found, SUBJECT), title="Mine", weights=Weights(value_usd=0.1))
    second = profile_of(found, replace(SUBJECT, model="large", bytes=900_000), first)
    third = profile_of(found, replace(SUBJECT, date="2026-11-23"), second)

    assert [row.model for row in third.speeds] == ["tiny", "large"]
    assert third.speeds[1] == second.speeds[0]
    assert (third.title, third.weights) == ("Mine", Weights(value_usd=0.1))
    assert {*dict(third.provenance["models"])} == {"tiny 600000", "large 900000"}  # type: ignore[call-overload]


def test_without_a_meter_the_watts_of_such_devices_are_an_estimate(found: dict[str, Finding]) -> None:
    """Marked so, with where they are from; without such a profile they are unknown."""
    bare = found | {"energy": {"skipped": "no meter"}, "idle": {}}

    estimated, unknown = profile_of(bare, SUBJECT).power, profile_of(bare, replace(SUBJECT, like=None)).power

    assert estimated.decode is not None
    assert (estimated.decode.value, estimated.decode.mark) == (9.0, "estimate")
    assert "raspberry-pi-5 (literature prior: https://example.org)" in estimated.decode.source
    assert unknown == Power()


def test_measured_watts_hold_those_at_rest(found: dict[str, Finding]) -> None:
    """Power is gross, and that at rest stands beside it."""
    power = profile_of(found, SUBJECT).power

    assert power.idle and power.decode and power.prefill
    assert (power.idle.value, power.decode.value, power.prefill.value) == pytest.approx((2.0, 6.0, 8.0), rel=0.01)
    assert power.meter == "rapl"


def test_what_was_not_measured_this_time_stays(found: dict[str, Finding]) -> None:
    """A quick run forgets neither the ten minutes of a full one nor the way to the cloud."""
    full = found | {"sustained": {"share": 0.8, "seconds": 600.0, "tokens_per_second": []}}
    offline = found | {"round trip": {"skipped": "offline"}}

    later = profile_of(offline, SUBJECT, profile_of(full, SUBJECT))

    assert later.limits.sustained and later.limits.sustained.value == 0.8
    assert later.round_trip_s and later.round_trip_s.value == 0.05


def test_disturbed_figures_say_so_in_their_source(found: dict[str, Finding]) -> None:
    """Whoever reads the speed sees that it means nothing."""
    disturbed = found | {"decode": found["decode"] | {"remarks": ["worthless: 1.3 cores busy"]}}

    profile = profile_of(disturbed, SUBJECT)

    assert profile.speeds[0].source.startswith("worthless: 1.3 cores busy; ")
    assert str(profile.provenance).count("worthless: 1.3 cores busy") == 1


def test_speeds_are_curves_of_what_was_found(found: dict[str, Finding]) -> None:
    """Reading starts at nothing, writing gets no faster with depth."""
    speed: Speed = profile_of(found, SUBJECT).speeds[0]

    assert speed.prefill(0) == 0
    assert speed.reading(256) == pytest.approx(2.56, rel=0.02)
    assert isinstance(speed.decode, Curve)
    assert speed.decode(2048) >= speed.decode(0) > 0


@pytest.mark.parametrize(
    ("watts", "kept"),
    [((7.0, 8.0, 6.5), (None, 8.0, 6.5)), ((2.0, 1500.0, 8.0), None), ((2.0, 6.0, 1500.0), (2.0, 6.0, None))],
)
def test_a_meter_that_says_what_cannot_be_costs_no_measurement(
    make_device: Any, tmp_path: Path, watts: tuple[float, ...], kept: tuple[float | None, ...] | None
) -> None:
    """Rest above work, or more than a profile holds, is left out, and the rest can be written."""
    found = run(make_device(watts=watts).rig(), Journal(tmp_path / "state", {}, now=0.0), started=0.0)
    profile = profile_of(found, replace(SUBJECT, like=None))

    write_profile(tmp_path / "this-device.toml", profile)

    power = read_profile(tmp_path / "this-device.toml").power
    figures = (power.idle, power.decode, power.prefill)
    assert [figure and figure.value for figure in figures] == (
        [None, None, None] if kept is None else [value and pytest.approx(value, rel=0.1) for value in kept]
    )


def test_what_a_hand_wrote_into_the_provenance_is_no_error(found: dict[str, Finding]) -> None:
    """It says nothing of models, and is replaced."""
    before = replace(profile_of(found, SUBJECT), provenance={"models": 3})

    assert {*dict(profile_of(found, SUBJECT, before).provenance["models"])} == {"tiny 600000"}  # type: ignore[call-overload]


def test_each_row_knows_its_threads(found: dict[str, Finding]) -> None:
    """Those that it was measured with, whatever the next model is measured with."""
    first = profile_of(found, SUBJECT)
    fewer = found | {"threads": found["threads"] | {"threads": 2}}
    second = profile_of(fewer, replace(SUBJECT, model="large", bytes=900_000), first)

    assert (second.threads_of(600_000), second.threads_of(900_000), second.engine.threads) == (4, 2, 2)


def test_figures_that_others_disturbed_are_estimates(found: dict[str, Finding]) -> None:
    """The reason comes first in the source; what was not disturbed stays measured."""
    why = {"remarks": ["at 80 °C", "worthless: 1.3 cores busy"]}
    disturbed = {step: finding | why if step in ("prefill", "energy") else finding for step, finding in found.items()}

    profile = profile_of(disturbed, SUBJECT)

    decode, trip = profile.power.decode, profile.round_trip_s
    assert decode and trip
    for figure in (profile.speeds[0], decode):
        assert figure.mark == "estimate" and figure.source.startswith("worthless: 1.3 cores busy; edgecascade measure")
    assert profile.speeds[0].source.endswith("; at 80 °C")
    assert (trip.mark, trip.source[:19]) == ("measured", "edgecascade measure")


@pytest.mark.parametrize(
    ("change", "adopted"),
    [
        ({}, 4),
        ({"remarks": ["at 80 °C"]}, 4),
        ({"remarks": ["worthless: 1.3 cores busy"]}, None),
        ({"write_s": {"4": 0.1}, "left_out": ["2 threads (no time)"]}, None),
        ({"write_s": {"4": 0.1}, "left_out": []}, 4),
    ],
)
def test_threads_are_adopted_only_where_they_were_compared(
    found: dict[str, Finding], change: Finding, adopted: int | None
) -> None:
    """Neither a sweep that others disturbed nor a single count says which is fastest; a single core has one."""
    profile = profile_of(found | {"threads": found["threads"] | change}, SUBJECT)

    assert profile.engine.threads == profile.speeds[0].threads == adopted
