"""The steps on a device that does not exist: what is found is what it is, in time, undisturbed, and gone on with."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgecascade.errors import DeviceError
from edgecascade.llama.settings import EngineSettings
from edgecascade.measure.journal import Journal
from edgecascade.measure.rig import FULL, QUICK, USUAL, Mode
from edgecascade.measure.running import run
from edgecascade.measure.steps import STEPS
from edgecascade.measure.trial import Trial

TINY = Mode(name="tiny", seconds=200, rounds=1, lengths=(16, 64, 256), depths=(0, 512))

LIMIT = 180.0
"""Seconds that --quick may take."""


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """An empty one."""
    return Journal(tmp_path, {"model": "tiny"}, now=1000.0)


def test_every_step_finds_what_the_device_is(device: Any, journal: Journal) -> None:
    """Speeds, threads, memory, energy and the way to the cloud are those that the device was made with."""
    found = run(device.rig(USUAL), journal, started=0.0)

    (x, y), *_ = found["decode"]["points"]
    tokens, seconds = found["prefill"]["points"][-1]
    assert found["threads"]["threads"] == 4
    assert y == pytest.approx(0.1 / 4 + 1e-5 * x, rel=0.01)
    assert seconds / tokens == pytest.approx(0.01, rel=0.01)
    assert tokens == pytest.approx(1024, abs=4)
    assert found["load"]["bytes_per_1k_context"] == pytest.approx(20_000 * 1024)
    assert found["load"]["model_bytes"] == pytest.approx(100_000_000)
    assert found["energy"]["decode"]["watts"] == pytest.approx(6.0, rel=0.01)
    assert found["energy"]["prefill"]["joules"] == pytest.approx(8.0 * 0.01, rel=0.01)
    assert found["energy"]["prefill"]["net_joules"] == pytest.approx((8.0 - 2.0) * 0.01, rel=0.01)
    assert found["round trip"] == {"seconds": 0.05, "connect_s": 0.1}
    assert found["gpu"]["skipped"] == "no GPU backend in this build"


def test_what_changes_tokens_is_measured_and_not_adopted(device: Any, journal: Journal) -> None:
    """A faster cache type is told with its gain, and the model is opened without it."""
    found = run(device.rig(USUAL), journal, started=0.0)

    assert found["variants"]["gains"]["kv_type q8_0"]["writing"] == pytest.approx(1 / 0.8, rel=0.01)
    assert found["variants"]["gains"]["chunk 256"]["writing"] == pytest.approx(1.0, rel=0.01)
    assert device.settings == EngineSettings(threads=4)
    assert device.open_models == 0


@pytest.mark.parametrize("slower", [0.01, 1, 5, 20, 60])
def test_quick_ends_in_time_on_every_device(make_device: Any, tmp_path: Path, slower: float) -> None:
    """From a fast machine to one of a token in six seconds; or it says that the model is too slow here."""
    device = make_device(load_s=1 + slower / 4, read_s=0.01 * slower, write_s=0.1 * slower)
    try:
        found = run(device.rig(QUICK), Journal(tmp_path, {}, now=0.0), started=0.0)
    except DeviceError as error:
        assert "choose a smaller model" in str(error)
        assert slower >= 20
    else:
        assert {"prefill", "decode"} <= found.keys()

    assert device.now <= LIMIT


def test_a_step_that_was_disturbed_is_taken_again(device: Any, journal: Journal) -> None:
    """Once others are quiet its figures count, and nothing is marked."""
    device.disturbed = 2
    said: list[str] = []

    found = run(device.rig(), journal, started=0.0, say=said.append)

    assert sum("trying again" in line for line in said) == 2
    assert "remarks" not in found["idle"]


def test_a_machine_that_is_never_quiet_is_refused(device: Any, journal: Journal) -> None:
    """After two further tries: what was found, what was wanted, what to do; what was done is kept."""
    device.disturbed = 10**6

    with pytest.raises(DeviceError, match=r"another process computes: found that 1\.3 cores busy, wanted 0\.4.*--any"):
        run(device.rig(), journal, started=0.0)

    assert journal.found == {}
    assert device.open_models == 0


def test_anyway_keeps_disturbed_figures_marked(device: Any, journal: Journal) -> None:
    """Each step says that it is worthless, and why."""
    device.disturbed = 10**6

    found = run(device.rig(), journal, started=0.0, anyway=True)

    assert found["decode"]["remarks"] == ["worthless: 1.3 cores busy, wanted 0.4"]
    assert found["decode"]["points"]


def test_what_was_broken_off_is_gone_on_with(device: Any, tmp_path: Path) -> None:
    """Steps that are done are not taken again, and the rest finds the same."""
    whole = run(device.rig(), Journal(tmp_path / "whole", {}, now=0.0), started=device.now)
    begun = run(device.rig(), Journal(tmp_path, {}, now=0.0), started=device.now, steps=STEPS[:4])
    again = Journal(tmp_path, {}, now=60.0)
    before = len(device.tried)

    found = run(device.rig(), again, started=device.now)

    assert again.remark and "1 minute ago" in again.remark
    assert {name: found[name] for name in begun} == begun
    assert found["decode"]["points"][1] == pytest.approx(whole["decode"]["points"][1])
    assert all(settings.threads == 4 for settings in device.tried[before:])


def test_all_layers_that_fit_go_to_the_gpu(device: Any, journal: Journal) -> None:
    """All at first, then half as many and so on, until a child survives it."""

    def trial(settings: EngineSettings, read: int, write: int, seconds: float) -> Trial | str:
        if settings.gpu_layers > 10:
            return "the process died of it"
        faster = replace(settings, threads=1) if settings.gpu_layers == 0 else settings
        found: Trial | str = device.trial(faster, read, write, seconds)
        return found

    found = run(device.rig(offloads=True, trial=trial), journal, started=0.0)

    assert found["gpu"]["gpu_layers"] == found["gpu"]["fit"] == 7
    assert device.settings.gpu_layers == 7


def test_a_gpu_that_does_not_help_is_left_out(device: Any, journal: Journal) -> None:
    """Where layers on it are no faster, none are put there."""
    found = run(device.rig(offloads=True), journal, started=0.0)

    assert found["gpu"]["gpu_layers"] == 0


def test_a_model_that_says_nothing_is_refused(device: Any, journal: Journal) -> None:
    """A story of one token cannot be timed, and the error says so."""

    def trial(settings: EngineSettings, read: int, write: int, seconds: float) -> Trial | str:
        return replace(device.trial(settings, read, write, seconds), written=1, write_s=None)

    with pytest.raises(DeviceError, match="found 1 token in its story, wanted 8"):
        run(device.rig(trial=trial), journal, started=0.0)


def test_without_a_meter_energy_is_unknown(device: Any, journal: Journal) -> None:
    """The reason is told, and no figure is made up."""
    found = run(device.rig(metering=None, meter=None, no_meter="RAPL is root's own"), journal, started=0.0)

    assert found["energy"] == {"skipped": "RAPL is root's own"}
    assert "watts" not in found["idle"]


def test_full_writes_for_ten_minutes_and_tells_what_is_left(make_device: Any, journal: Journal) -> None:
    """A device that gets slower with time keeps the share that its speed shows."""

    class Throttling(make_device):  # type: ignore[misc]
        """Half as fast from a while after the first minute on."""

        def a_token(self, settings: EngineSettings, depth: int) -> float:
            slow = 2.0 if self.hot_from and self.now > self.hot_from else 1.0
            return float(super().a_token(settings, 0)) * slow

        hot_from = 0.0

    device = Throttling()
    run(device.rig(FULL), journal, started=0.0, steps=STEPS[:-1])
    device.hot_from = device.now + 120

    found = run(device.rig(FULL), journal, started=0.0)

    assert found["sustained"]["share"] == pytest.approx(0.5, rel=0.02)
    assert found["sustained"]["hottest_celsius"] == 50.0


def test_progress_counts_every_step(device: Any, journal: Journal) -> None:
    """From the first to the last, in order."""
    told: list[tuple[int, int, str, float]] = []

    run(device.rig(), journal, started=0.0, tell=lambda *step: told.append(step))

    assert [done for done, _, _, _ in told] == list(range(len(STEPS) + 1))
    assert told[0] == (0, len(STEPS), "idle", 200.0)
    lefts = [left for _, _, _, left in told]
    assert lefts == sorted(lefts, reverse=True) and lefts[-1] == 0


def test_where_time_is_too_short_for_a_gpu_nothing_is_decided(device: Any, journal: Journal) -> None:
    """A model that loads slowly is not taken for one that does not fit."""

    def trial(settings: EngineSettings, read: int, write: int, seconds: float) -> Trial | str:
        found: Trial | str = device.trial(settings, read, write, seconds)
        return found if device.tried[1:] else "no time: it was not loaded"

    found = run(device.rig(offloads=True, trial=trial), journal, started=0.0)

    assert found["gpu"]["skipped"].startswith("not known how many layers fit")
    assert device.settings.gpu_layers == -1


def test_a_slow_start_does_not_shorten_the_rest(device: Any, journal: Journal) -> None:
    """The pace is what was found last: a first answer on threads that hinder each other leaves no depth out."""

    def trial(settings: EngineSettings, read: int, write: int, seconds: float) -> Trial | str:
        found: Trial | str = device.trial(settings, read, write, seconds)
        slow = isinstance(found, Trial) and len(device.tried) <= 2
        return replace(found, read_s=found.read_s * 20) if slow and isinstance(found, Trial) else found

    found = run(device.rig(trial=trial), journal, started=0.0)

    assert found["decode"]["left_out"] == found["prefill"]["left_out"] == []


@pytest.mark.parametrize("context", [128, 512, 2048])
def test_a_short_context_leaves_long_prompts_out(make_device: Any, journal: Journal, context: int) -> None:
    """A model that holds little is measured as far as it goes, and what was left out is told with its reason."""
    said: list[str] = []

    found = run(make_device(context=context).rig(USUAL), journal, started=0.0, say=said.append)

    assert found["decode"]["points"] and found["decode"]["points"][-1][0] < context
    assert "depth 2048 (no room in the context)" in found["decode"]["left_out"]
    assert any(line.startswith("decode: left out: ") for line in said)
    assert "watts" in found["energy"]["prefill"]


def test_disturbed_figures_are_not_gone_on_with(device: Any, tmp_path: Path) -> None:
    """What was kept anyway is taken again by who does not ask for it anyway, and stays for who does."""
    device.disturbed = 10**6
    run(device.rig(), Journal(tmp_path, {}, now=0.0), started=0.0, steps=STEPS[:4], anyway=True)
    before, device.disturbed = len(device.tried), 0

    kept = run(device.rig(), Journal(tmp_path, {}, now=1.0), started=device.now, steps=STEPS[:4], anyway=True)
    assert len(device.tried) == before and "remarks" in kept["load"]
    again = run(device.rig(), Journal(tmp_path, {}, now=1.0), started=device.now, steps=STEPS[:4])

    assert len(device.tried) > before and not any("remarks" in finding for finding in again.values())


def test_what_is_worth_more_takes_its_time_from_the_variants(make_device: Any, journal: Journal) -> None:
    """Where a child takes long to begin, threads, prompts and depths are whole, and only variants are left out."""
    found = run(make_device(load_s=14.0).rig(QUICK), journal, started=0.0)

    assert len(found["threads"]["write_s"]) == 4
    assert found["threads"]["left_out"] == found["prefill"]["left_out"] == found["decode"]["left_out"] == []
    assert found["variants"]["skipped"] == "no time left"


def test_the_pace_of_a_slow_first_answer_does_not_leave_settings_out(device: Any, journal: Journal) -> None:
    """Children begin fast once the file is in memory: the next step goes by what they took, not by the first."""

    def trial(settings: EngineSettings, read: int, write: int, seconds: float) -> Trial | str:
        device.load_s = 1.0 if device.tried else 15.0
        found: Trial | str = device.trial(settings, read, write, seconds)
        return found

    found = run(device.rig(trial=trial), journal, started=0.0)

    assert found["threads"]["opening_s"] == pytest.approx(1.0)
    assert found["threads"]["left_out"] == [] and "no time left" not in found["variants"]["failed"].values()


def test_a_skipped_step_has_nothing_to_remark(device: Any, journal: Journal) -> None:
    """Others may compute while nothing is measured."""
    device.disturbed = 10**6

    found = run(device.rig(metering=None, meter=None), journal, started=0.0, anyway=True)

    assert found["energy"] == {"skipped": "no power meter"} and "remarks" not in found["gpu"]


def test_a_speed_that_drifts_by_more_than_a_third_tells_no_gain(device: Any, journal: Journal) -> None:
    """What is compared with an unsteady speed would be noise; the reason is told."""

    def trial(settings: EngineSettings, read: int, write: int, seconds: float) -> Trial | str:
        device.write_s *= 1.1
        found: Trial | str = device.trial(settings, read, write, seconds)
        return found

    found = run(device.rig(USUAL, trial=trial), journal, started=0.0)

    assert "gains" not in found["variants"]
    assert "wanted at most 33%: no gain can be told" in found["variants"]["skipped"]


def test_a_model_that_is_measured_again_is_opened_once_at_a_time(device: Any, journal: Journal) -> None:
    """It is closed while children try settings, and opened again to write at length."""
    run(device.rig(replace(TINY, sustained=120.0)), journal, started=0.0, steps=STEPS)

    assert journal.found["sustained"]["share"] == pytest.approx(1.0, rel=0.05)
    assert device.open_models == 0
