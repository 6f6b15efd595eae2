"""What an answer is expected to cost on this device, and live cascades that weigh it."""

import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from edgecascade.cascade.assembling import assembled, weights_of
from edgecascade.cascade.calling import Desk
from edgecascade.cascade.cascade import Cascade
from edgecascade.cascade.ceilings import as_prices
from edgecascade.cascade.costing import BYTES_A_TOKEN, STREAMED_BYTES, expected, gates_worth_it, joules_of
from edgecascade.cascade.setup import Options, Pace, Setup
from edgecascade.cascade.tiers import LocalTier, RemoteTier, is_far
from edgecascade.cloud.client import CloudClient
from edgecascade.cloud.specs import cloud_spec
from edgecascade.errors import ConfigError
from edgecascade.explaining import flips, story
from edgecascade.fitted import Fitted
from edgecascade.judging import Judge
from edgecascade.policies import policy_of
from edgecascade.profile import Conditions, Curve, DeviceLimits, Figure, Power, Profile, Speed, Weights
from edgecascade.records import Question, Sampling
from edgecascade.store.config.settings import PolicySettings, Settings
from edgecascade.store.fitted_files import read_fitted
from edgecascade.store.ledger import Ledger
from edgecascade.store.paths import Folders, shipped
from edgecascade.store.prices import Price
from edgecascade.testing import LoopbackCloud, ScriptedReply, ScriptedTier

SHIPPED = shipped("calibration/fitted") / "smollm2-135m.json"
PRICE = Price(input=1.0, output=10.0)
SURE = ScriptedReply("It is so.", p_correct=0.9, threshold=0.6, promise="At most 5 % are wrong.")
UNSURE = ScriptedReply("It is Lyon.", p_correct=0.2, threshold=0.6)
LOW = Conditions(on_battery=True, battery=0.1)


def watts(value: float) -> Figure:
    """So much power, measured."""
    return Figure(value, "measured", "a test")


PROFILE = Profile(
    name="bench-board",
    title="Bench board",
    kind="board",
    power=Power(idle=watts(2.0), decode=watts(10.0)),
    limits=DeviceLimits(celsius=80.0),
    round_trip_s=Figure(0.25, "measured", "a test"),
    speeds=(Speed(model="m", parameters=1e8, bytes=1e8, prefill=Curve(((0, 0.0), (100, 1.0))),
                  decode=Curve(((0, 0.1),)), mark="measured", source="a test"),),
)  # fmt: skip


class Judged(ScriptedTier):
    """A scripted device with the shipped calibration behind it, of which 17 % of the answers are kept."""

    def __init__(self, *replies: Any, folder: Path, file: Path = SHIPPED, gated: bool = True, **more: Any) -> None:
        super().__init__(*replies, name="small", **more)
        fitted = Fitted(file)
        folders = Folders.of({"EDGECASCADE_HOME": str(folder)})
        self.judged = Judge(fitted, fitted.file.identity, folders, gated=gated)

    def judge(self, question: Question) -> Judge:  # type: ignore[override]
        """Return the shipped file's judge."""
        return self.judged


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger on disk."""
    with Ledger(tmp_path / "ledger.db", clock=time.time) as opened:
        yield opened


def cascade_of(folder: Path, *replies: Any, **more: Any) -> Cascade:
    """A judged device whose answers took 10 s so far, and a cloud whose took 1 s."""
    device = Judged(*(replies or (UNSURE,)), folder=folder)
    cascade = Cascade([device, ScriptedTier("Paris.", name="large", place="cloud", price=PRICE)], **more)
    cascade.system = device.judged.system
    cascade.setup.paces["small"].seconds, cascade.setup.paces["large"].seconds = 10.0, 1.0
    return cascade


def calls(cascade: Cascade) -> list[int]:
    """How often each tier was asked."""
    return [tier.calls for tier in cascade.setup.tiers]  # type: ignore[union-attr]


# Live cascades.


def test_a_device_that_is_not_worth_its_try_is_not_even_asked(tmp_path: Path) -> None:
    """Ten seconds at a cent each, for one answer in six that is kept."""
    with cascade_of(tmp_path, weights=Weights(usd_per_second=0.01)) as cascade:
        answer = cascade.ask("Why?")

        assert (answer.text, answer.code, calls(cascade)) == ("Paris.", "not_worth", [0, 1])
        assert answer.line().startswith("cloud · large · at once: an answer of the device costs $0.10, and 17% of them")


@pytest.mark.parametrize(
    ("conditions", "tried"),
    [
        (Conditions(), 1),
        (Conditions(on_battery=False, battery=0.1), 1),
        (Conditions(on_battery=True), 1),
        (LOW, 0),
        (Conditions(throttled=True), 0),
        (Conditions(celsius=80.0), 0),
        (Conditions(celsius=79.0), 1),
    ],
)
def test_the_conditions_decide_whether_the_device_is_tried(tmp_path: Path, conditions: Conditions, tried: int) -> None:
    """A joule that is worth a try on the charger, or on battery, is not where it is nearly empty, or hot."""
    weights = Weights(usd_per_joule=3e-6)
    with cascade_of(tmp_path, weights=weights, profile=PROFILE, sense=lambda: conditions) as cascade:
        cascade.ask("Why?")

        assert calls(cascade) == [tried, 1]


def test_what_was_weighed_is_written_down_and_told(tmp_path: Path, ledger: Ledger) -> None:
    """Profile, weights as they were set, what moved them, the inequality, and the price at which it turns."""
    weights = Weights(value_usd=0.01, usd_per_joule=0.001)
    with cascade_of(tmp_path, weights=weights, profile=PROFILE, sense=lambda: LOW, ledger=ledger) as cascade:
        row = ledger.answer(cascade.ask("Why?").id)
        told = {part.title: [line.text for line in part.lines] for part in story(row)}["weighed by"]

    assert told[:2] == ["profile bench-board", "weights: value_usd 0.01, usd_per_joule 0.001"]
    assert told[2] == "the battery is below 20 %: a joule counts 10 times"
    assert "of the device's answers are kept" in told[3] and "the price of a try with 10.00 s and 100.0 J" in told[3]
    assert row["record"]["weights"]["usd_per_joule"] == 0.001 and row["code"] == "not_worth"
    assert any("would have been tried" in sentence for sentence in flips(row))


@pytest.mark.parametrize("factor", [0.999, 1.001])
def test_a_price_that_is_told_turns_the_decision(tmp_path: Path, ledger: Ledger, factor: float) -> None:
    """Just below what ``explain`` names an answer of the device is tried, just above it is not."""
    weights = Weights(usd_per_second=0.001)
    with cascade_of(tmp_path, weights=weights, ledger=ledger) as cascade:
        sentence = flips(ledger.answer(cascade.ask("Why?").id))[0]
        at = float(sentence.split("$")[1].split(" ")[0])
        cascade.setup.paces["small"].seconds = at / 0.001 * factor
        cascade.setup.paces["large"].seconds, cascade.setup.paces["large"].tokens = 1.0, None
        tried = cascade.ask("Why?").code != "not_worth"

    assert sentence.startswith("a device whose answer costs below")
    assert tried is (factor < 1)


def test_where_nothing_would_be_kept_that_is_told(tmp_path: Path, ledger: Ledger) -> None:
    """With the p that the weights ask for, which no answer of the calibration had."""
    weights = Weights(value_usd=1.0, usd_per_second=0.001)
    with cascade_of(tmp_path, weights=weights, ledger=ledger) as cascade:
        found = flips(ledger.answer(cascade.ask("Why?").id))

    assert found[0].startswith("a calibration with answers that are kept: at these weights from p 0.99")


def test_kept_from_is_told_with_the_certificates_own(tmp_path: Path, ledger: Ledger) -> None:
    """Of an answer that the certificate covers, and the weights give up."""
    device = ScriptedTier(SURE, name="small")
    cloud = ScriptedTier("Paris.", name="large", place="cloud", price=PRICE)
    with Cascade([device, cloud], weights=Weights(value_usd=1.0), ledger=ledger) as cascade:
        found = flips(ledger.answer(cascade.ask("Why?").id))

    (told,) = [sentence for sentence in found if sentence.startswith("kept from p")]
    assert told.endswith("at these weights; 0.6000 is the certificate's") and "0.99" in told


def test_conditions_are_looked_at_once_a_question(tmp_path: Path) -> None:
    """However often it is decided, with weights or without."""
    looks = iter(range(100))
    with cascade_of(tmp_path, sense=lambda: Conditions(watts=float(next(looks)))) as cascade:
        cascade.ask("Why?")
        cascade.ask("Why?")

    assert next(looks) == 2


@pytest.mark.parametrize(
    ("network", "code", "asked"), [(False, "offline", 0), (True, "not_kept", 1), (None, "not_kept", 1)]
)
def test_without_a_network_no_cloud_is_waited_for(tmp_path: Path, network: bool | None, code: str, asked: int) -> None:
    """The device answers, and says why; what no sensor knows closes nothing."""
    with cascade_of(tmp_path, sense=lambda: Conditions(network=network)) as cascade:
        answer = cascade.ask("Why?")

        assert (answer.code, calls(cascade)) == (code, [1, asked])


def test_a_cloud_on_this_machine_needs_no_network(tmp_path: Path) -> None:
    """Nor one at a private address; whatever has a name of its own may be anywhere."""
    hosts = {"https://api.example.org/v1": True, "http://127.0.0.1:8080/v1": False, "http://localhost:8080/v1": False}
    far = {"https://8.8.8.8/v1": True, "https://10.1.2.3/v1": False, "https://192.168.0.7/v1": False}
    for address, expected_far in (hosts | far).items():
        with CloudClient(cloud_spec(f"{address}#m", {})) as client:
            assert is_far(RemoteTier(client)) is expected_far


@pytest.mark.parametrize(("usd_per_second", "early"), [(0.0, False), (1.0, True)])
def test_a_call_is_begun_early_where_that_pays(tmp_path: Path, usd_per_second: float, early: bool) -> None:
    """Where a second is dear and the draft seldom kept; a kept answer is the device's all the same, or the faster's."""
    weights = Weights(value_usd=1e-9, usd_per_second=usd_per_second)
    with cascade_of(tmp_path, SURE, weights=weights) as cascade:
        cascade.setup.paces["small"].seconds = 0.1  # worth its try
        cascade.ask("Why?")

        assert calls(cascade) == [1, 1 if early else 0]


def test_a_band_that_was_given_goes_before_the_weights(tmp_path: Path) -> None:
    """Never is never."""
    weights = Weights(usd_per_second=1.0)
    with cascade_of(tmp_path, SURE, weights=weights, options=Options(hedge_below=0.0)) as cascade:
        cascade.setup.paces["small"].seconds = 0.1
        cascade.ask("Why?")

        assert calls(cascade) == [1, 0]


@pytest.mark.parametrize(
    ("given", "profile", "known"),
    [(3.0, None, False), (None, PROFILE, True), (3.0, PROFILE, True), (None, None, False)],
)
def test_joules_are_power_times_seconds(given: float | None, profile: Profile | None, known: bool) -> None:
    """Of the device's own writing and of waiting for a cloud; unknown where one of the two powers is."""
    device, cloud = ScriptedTier(UNSURE, name="small"), ScriptedTier("Paris.", name="large", place="cloud")
    with Cascade([device, cloud], options=Options(watts=given), profile=profile) as cascade:
        answer = cascade.ask("Why?")
        again = joules_of(cascade.setup, answer.attempts)

    here, there = (attempt.seconds for attempt in answer.attempts)
    wanted = here * (given or 10.0) + there * 2.0
    assert answer.joules == again == (pytest.approx(wanted) if known else None)


@pytest.mark.parametrize(
    "weights",
    [{"value_usd": 0.0}, {"value_usd": -1.0}, {"usd": math.inf}, {"seconds": 0.0}, {"usd_per_joule": -1e-9},
     {"usd_per_second": math.nan}],
)  # fmt: skip
def test_weights_that_cannot_be_meant_are_refused(weights: dict[str, float]) -> None:
    """Nothing, less than nothing, or without end."""
    with pytest.raises(ConfigError, match=r"the weight \w+ = .* cannot be used; wanted"):
        Cascade([ScriptedTier(UNSURE)], weights=Weights(**weights))


# What is expected.


def setup_of(*tiers: Any, **more: Any) -> Setup:
    """What questions share, with no earlier answers."""
    return Setup(tiers, policy_of(), Options(quality=0.8), Desk(), {tier.name: Pace() for tier in tiers}, **more)


def test_a_cloud_is_expected_to_cost_what_it_usually_does() -> None:
    """Its usual length at its price, never more than the bound, which is all that is known before the first answer."""
    cloud = ScriptedTier("Paris.", name="large", place="cloud", price=PRICE)
    question = Question.of("x" * 400, sampling=Sampling(max_tokens=50))
    setup = setup_of(cloud, profile=PROFILE)
    first = expected(setup, question, Weights(), Conditions())["large"]
    setup.paces["large"].tokens, setup.paces["large"].seconds = 20.0, 3.0
    later = expected(setup, question, Weights(), Conditions(metered=True))["large"]

    assert (first.usual_usd, first.seconds, first.joules, first.megabytes) == (None, 0.25, 0.5, 0.0)
    assert later.usual_usd == pytest.approx((400 / BYTES_A_TOKEN * 1.0 + 20 * 10.0) / 1e6) and later.usd is not None
    assert later.usual_usd < later.usd == first.usd
    assert (later.seconds, later.joules, later.quality) == (3.0, 6.0, 0.8)
    assert later.megabytes == (400 + 20 * STREAMED_BYTES) / 1e6


def test_the_chance_is_the_certificates(tmp_path: Path) -> None:
    """Its share kept; less where the weights keep from higher up; none for a question that it says nothing of."""
    device = Judged(UNSURE, folder=tmp_path)
    cloud = ScriptedTier("Paris.", name="large", place="cloud", price=PRICE)
    setup, question = setup_of(device, cloud), Question.of("Why?", system=device.judged.system)
    plain, dear = (
        expected(setup, question, weights, Conditions())["small"].chance
        for weights in (Weights(), Weights(value_usd=0.1))
    )
    other = expected(setup, Question.of("Why?"), Weights(), Conditions())["small"].chance

    assert plain and dear and other
    assert plain.kept == pytest.approx(device.judged.certificate.share_kept)
    assert 0 < dear.kept < plain.kept and dear.p_correct > plain.p_correct > device.judged.certificate.threshold
    assert other.kept == 0.0


def test_a_tier_that_nobody_judged_has_no_chance() -> None:
    """It is unknown, and the device is tried."""
    assert (
        expected(setup_of(ScriptedTier("a")), Question.of("Why?"), Weights(), Conditions())["scripted"].chance is None
    )


def test_gates_are_used_where_they_pay(tmp_path: Path) -> None:
    """Where a second has a price and right answers have none; not where a right one outweighs them."""
    device = Judged(UNSURE, folder=tmp_path)
    cloud = ScriptedTier("Paris.", name="large", place="cloud", price=PRICE)
    question, found = Question.of("Why?", system=device.judged.system), []
    for weights in (None, Weights(), Weights(usd_per_second=0.01), Weights(usd_per_second=1e-7, value_usd=0.002)):
        setup = setup_of(device, cloud, weights=weights)
        setup.paces["small"].seconds = 2.0
        found.append(gates_worth_it(setup, question))

    assert found == [True, True, True, False]


def test_a_tier_without_gates_is_judged_anew() -> None:
    """The certificate is another one: what was judged with the gates is forgotten, the engine is the same."""
    gated = LocalTier(cast(Any, object()), name="small", sha256="", folders=Folders.of({"EDGECASCADE_HOME": "home"}))
    gated._judges[(), False] = (None, ())
    bare = gated.without_gates()

    assert (gated.gated, bare.gated, bare.engine) == (True, False, gated.engine)
    assert gated._judges and not bare._judges


def test_the_ledger_knows_how_long_earlier_answers_took(ledger: Ledger) -> None:
    """A cascade that is opened again begins with the means of the last: a cloud's without the device's time."""
    slow = ScriptedTier(ScriptedReply("Paris.", seconds_a_token=1.5), name="large", place="cloud", price=PRICE)
    with Cascade([ScriptedTier(UNSURE, name="small"), slow], ledger=ledger) as cascade:
        cascade.ask("Why?")
        paces = {name: Pace.of(name, ledger) for name in ("small", "large", "other")}

    assert (paces["large"].tokens, paces["large"].seconds) == (1.0, 1.5)
    assert (paces["small"].seconds, paces["other"].seconds) == (None, None)


# Ceilings.


def played(folder: Path) -> Path:
    """The shipped file, with all that playing its answers again needs: each of 20 tokens, and none stopped."""
    file = read_fitted(SHIPPED)
    count, gates = len(file.held_out.p), len(file.gates)
    columns = {"prompt_tokens": (60,) * count, "tokens": (20,) * count, "ended": (True,) * count}
    columns |= {"exact": file.held_out.p, "turned": (False,) * count, "looks": ((None,) * count,) * gates}
    whole = file.model_copy(update={"held_out": file.held_out.model_copy(update=columns)})
    path = folder / "played.json"
    path.write_text(whole.model_copy(update={"id": whole.digest()}).model_dump_json(by_alias=True))
    return path


@pytest.mark.parametrize("seconds", [1.5, 3.0, 60.0])
def test_a_ceiling_of_seconds_becomes_the_price_of_one(tmp_path: Path, seconds: float) -> None:
    """So that 95 of 100 questions, played again at that price, take at most so long; not more than is needed."""
    device = Judged(UNSURE, folder=tmp_path, file=played(tmp_path))
    cloud = ScriptedTier("Paris.", name="large", place="cloud", price=PRICE)
    setup = setup_of(device, cloud, weights=Weights(seconds=seconds), profile=PROFILE)
    setup.paces["large"].tokens, setup.paces["large"].seconds = 20.0, 1.0
    found = as_prices(setup, device.judged, parameters=10**8, bytes=10**8, notice=pytest.fail)

    assert found.seconds is None and (found.usd_per_second > 0) is (seconds < 60.0)


def test_a_ceiling_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    """No price makes a cloud of one second answer in half of one; what could be had is told."""
    device = Judged(UNSURE, folder=tmp_path, file=played(tmp_path))
    cloud = ScriptedTier("Paris.", name="large", place="cloud", price=PRICE)
    setup = setup_of(device, cloud, weights=Weights(seconds=0.5), profile=PROFILE)
    setup.paces["large"].seconds = 1.0

    with pytest.raises(ConfigError, match=r"found 1 s at best, wanted 0\.5"):
        as_prices(setup, device.judged, parameters=10**8, bytes=10**8, notice=pytest.fail)


@pytest.mark.parametrize("missing", ["calibration", "speed", "time"])
def test_a_ceiling_waits_for_what_it_is_priced_by(tmp_path: Path, missing: str) -> None:
    """It is let go, and said so."""
    device = Judged(UNSURE, folder=tmp_path)
    cloud = ScriptedTier("Paris.", name="large", place="cloud", price=PRICE)
    profile = replace(PROFILE, speeds=(), round_trip_s=None) if missing == "speed" else PROFILE
    profile = replace(profile, round_trip_s=None) if missing == "time" else profile
    notes: list[str] = []
    judge = None if missing == "calibration" else device.judged
    setup = setup_of(device, cloud, weights=Weights(usd=0.1, seconds=1.0), profile=profile)
    found = as_prices(setup, judge, parameters=1, bytes=1, notice=notes.append)

    assert found == Weights() and len(notes) == 1 and f"wanted {'a' if judge is None else 'the'} {missing}" in notes[0]


# From the config.


def test_weights_are_the_settings_before_the_profiles() -> None:
    """One by one; none anywhere is no weighing at all."""
    own = Weights(value_usd=0.5, usd_per_second=0.1)
    there = replace(PROFILE, weights=own)

    assert weights_of(PolicySettings(), None) is weights_of(PolicySettings(), PROFILE) is None
    assert weights_of(PolicySettings(), there) == own
    assert weights_of(PolicySettings(usd_per_second=0.0), there) == replace(own, usd_per_second=0.0)
    assert weights_of(PolicySettings(usd=0.01), PROFILE) == Weights(usd=0.01)


def test_a_config_brings_profile_weights_and_sensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The profile that is named, the weights that are set, and real sensors; ceilings wait for a calibration."""
    monkeypatch.setenv("EDGECASCADE_HOME", str(tmp_path))
    notes: list[str] = []
    with LoopbackCloud("Paris.") as server, LoopbackCloud("Lyon.") as cloud:
        settings = Settings(
            model=server.base_url(), cloud=cloud.spec(), profile="raspberry-pi-5", policy=PolicySettings(value_usd=0.1)
        )
        parts = assembled(settings, notice=notes.append)
        with Cascade(**parts.parts()) as cascade:
            answer = cascade.ask("Why?")

    assert parts.profile and parts.profile.name == "raspberry-pi-5" and parts.weights == Weights(value_usd=0.1)
    assert isinstance(parts.sense(), Conditions) and answer.joules is not None
    assert json.loads(json.dumps(answer.as_json()))["joules"] == answer.joules and not notes
    assert "EDGECASCADE_PROFILE" not in os.environ
