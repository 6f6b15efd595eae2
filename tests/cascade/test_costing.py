"""What an answer is expected to cost on this device, and live cascades that weigh it."""

import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from edgecascade.cascade.assembling import assembled, sense_for, weights_of
from edgecascade.cascade.calling import Desk
from edgecascade.cascade.cascade import Cascade
from edgecascade.cascade.ceilings import as_prices
from edgecascade.cascade.costing import BYTES_A_TOKEN, STREAMED_BYTES, expected, gates_worth_it, joules_of, nothing_kept
from edgecascade.cascade.gating import Gate
from edgecascade.cascade.setup import Options, Pace, Setup
from edgecascade.cascade.tiers import LocalTier, RemoteTier, is_far
from edgecascade.cloud.client import CloudClient
from edgecascade.cloud.specs import cloud_spec
from edgecascade.errors import ConfigError
from edgecascade.evidence import UNKNOWN
from edgecascade.explaining import flips, story
from edgecascade.fitted import Fitted
from edgecascade.heads import Inputs, LinearHead
from edgecascade.judging import Judge
from edgecascade.policies import policy_of
from edgecascade.profile import Conditions, Curve, DeviceLimits, Figure, Power, Profile, Speed, Weights
from edgecascade.records import (
    Attempt,
    Draft,
    Failure,
    FinishReason,
    GateOutcome,
    Place,
    Question,
    Sampling,
    Timings,
    Usage,
)
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

    def __init__(
        self,
        *replies: Any,
        folder: Path,
        file: Path = SHIPPED,
        gated: bool = True,
        epsilon: float | None = None,
        **more: Any,
    ) -> None:
        super().__init__(*replies, name="small", **more)
        fitted = Fitted(file)
        folders = Folders.of({"EDGECASCADE_HOME": str(folder)})
        self.judged = Judge(fitted, fitted.file.identity, folders, gated=gated, epsilon=epsilon)

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
    paces = cascade.setup.paces
    paces["small"].tries = paces["small"].seconds = 10.0
    paces["large"].seconds = 1.0
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
        assert answer.line().startswith("cloud · large · at once: a try on the device costs $0.10, and 17% of them")


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


def test_what_is_unknown_is_told_as_that(tmp_path: Path, ledger: Ledger) -> None:
    """Joules without a power, and a cloud without a price, are no 0; joules then count nothing."""
    free = ScriptedTier("Paris.", name="large", place="cloud", price=None)
    weights, device = Weights(value_usd=0.01, usd_per_joule=0.001), Judged(UNSURE, folder=tmp_path)
    profile = replace(PROFILE, power=Power(decode=watts(10.0)))
    with Cascade([device, free], weights=weights, profile=profile, ledger=ledger) as cascade:
        cascade.system = device.judged.system
        told = {part.title: [line.text for line in part.lines] for part in story(ledger.answer(cascade.ask("W?").id))}

    assert "cost_joules unknown" in told["decided"][0] and "cost_usd unknown" in told["decided"][0]
    assert "the device's power, at work or at rest, is unknown: joules count nothing" in told["weighed by"]
    assert told["weighed by"][-1] == "nothing was weighed against the cloud: what it charges is unknown"


def test_with_the_power_at_rest_unknown_joules_do_not_keep_the_device_from_its_try(tmp_path: Path) -> None:
    """Those of the try alone would count; with both known the try is too dear."""
    found = []
    for power in (PROFILE.power, Power(decode=watts(10.0))):
        profile = replace(PROFILE, power=power)
        with cascade_of(tmp_path, weights=Weights(usd_per_joule=0.01), profile=profile) as cascade:
            found.append(cascade.ask("Why?").code)

    assert found == ["not_worth", "not_kept"]


def test_a_ceiling_is_told_with_the_price_that_it_became(tmp_path: Path, ledger: Ledger) -> None:
    """The one as it was set, the other beside it."""
    weights = Weights(usd_per_second=0.002, seconds=1.5, usd=0.5)
    with cascade_of(tmp_path, weights=weights, ledger=ledger) as cascade:
        row = ledger.answer(cascade.ask("Why?").id)
        told = {part.title: [line.text for line in part.lines] for part in story(row)}["weighed by"]

    assert told[:3] == [
        "weights: usd_per_second 0.002",
        "policy.seconds: 95 of 100 answers within 1.5 s, so a second counts $0.002",
        "policy.usd: $0.5 an answer on average, so the certificate alone keeps it",
    ]


def test_weights_that_leave_nothing_to_keep_are_noticed(tmp_path: Path) -> None:
    """At a right answer of two cents and a cloud that is always right; not at a cloud that is often wrong."""
    device = Judged(UNSURE, folder=tmp_path)
    cloud = ScriptedTier("Paris.", name="large", place="cloud", price=PRICE)
    question, found = Question.of("Why?", system=device.judged.system), []
    for quality in (1.0, 0.8):
        setup = replace(setup_of(device, cloud, weights=Weights(value_usd=10.0)), options=Options(quality=quality))
        found.append(nothing_kept(setup, question))

    assert 0.97 < found[0] < 1.0 and found[1] == 0.0


@pytest.mark.parametrize(
    ("weights", "energy", "link"),
    [
        (None, False, False),
        (Weights(usd_per_second=1.0), False, False),
        (Weights(usd_per_joule=1.0), True, False),
        (Weights(usd_per_megabyte=1.0), False, True),
    ],
)
def test_only_sensors_that_can_decide_are_asked(weights: Weights | None, energy: bool, link: bool) -> None:
    """Battery and heat where a joule has a price, the link's kind where a megabyte has one; the network always."""
    found = sense_for(weights, lambda past, **asked: Conditions(on_battery=asked["energy"], metered=asked["link"]))()

    assert (found.on_battery, found.metered) == (energy, link)


@pytest.mark.parametrize("factor", [0.999, 1.001])
def test_a_price_that_is_told_turns_the_decision(tmp_path: Path, ledger: Ledger, factor: float) -> None:
    """Just below what ``explain`` names an answer of the device is tried, just above it is not."""
    weights = Weights(usd_per_second=0.001)
    with cascade_of(tmp_path, weights=weights, ledger=ledger) as cascade:
        sentence = flips(ledger.answer(cascade.ask("Why?").id))[0]
        at = float(sentence.split("$")[1].split(" ")[0])
        cascade.setup.paces["small"].tries = at / 0.001 * factor
        cascade.setup.paces["large"].seconds, cascade.setup.paces["large"].tokens = 1.0, None
        tried = cascade.ask("Why?").code != "not_worth"

    assert sentence.startswith("a device whose try costs below")
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
        cascade.setup.paces["small"].tries = 0.1  # worth it
        cascade.ask("Why?")

        assert calls(cascade) == [1, 1 if early else 0]


def test_a_band_that_was_given_goes_before_the_weights(tmp_path: Path) -> None:
    """Never is never."""
    weights = Weights(usd_per_second=1.0)
    with cascade_of(tmp_path, SURE, weights=weights, options=Options(hedge_below=0.0)) as cascade:
        cascade.setup.paces["small"].tries = 0.1
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
        again = joules_of(cascade.setup, answer.attempts, sum(attempt.seconds for attempt in answer.attempts))

    here, there = (attempt.seconds for attempt in answer.attempts)
    wanted = here * (given or 10.0) + there * 2.0
    assert answer.joules == (pytest.approx(again) if known else again)
    assert again == (pytest.approx(wanted) if known else None)


def attempt(place: Place, seconds: float, *, finish: FinishReason = "end", **more: Any) -> Attempt:
    """An attempt that took so long."""
    draft = Draft("word", (), finish, Usage(9, 4), Timings(0, 0, 0, 0, seconds))
    return Attempt("small" if place == "device" else "large", place, draft, UNKNOWN, seconds, **more)


@pytest.mark.parametrize(("seconds", "waited"), [(5.5, 2.5), (3.5, 0.5), (2.9, 0.0)])
def test_a_call_that_ran_while_the_device_wrote_was_not_waited_for(seconds: float, waited: float) -> None:
    """Three seconds of writing at 10 W beside a call of 2.5 s: at 2 W only what is left of the whole."""
    setup = setup_of(ScriptedTier(UNSURE, name="small"), profile=PROFILE)

    assert joules_of(setup, [attempt("device", 3.0), attempt("cloud", 2.5)], seconds) == pytest.approx(30 + 2 * waited)


STOPPED = GateOutcome("G1", 8, -1.0, 0.0, passed=False)


@pytest.mark.parametrize(
    ("made", "seconds", "tries"),
    [
        (attempt("device", 5.0), 9.75, 5.95),
        (attempt("device", 1.0, finish="cancelled", gates=(STOPPED,)), 10.0, 5.75),
        (attempt("device", 1.0, finish="cancelled", failure=Failure("hedged", "faster")), 10.0, 5.75),
        (attempt("device", 1.0, finish="cancelled"), 10.0, None),
        (attempt("device", 1.0, failure=Failure("device", "broken")), 10.0, None),
    ],
)
def test_what_was_stopped_is_a_try_and_no_whole_answer(made: Attempt, seconds: float, tries: float | None) -> None:
    """A deadline needs the one, the cost of a try the other; what the user stopped, or what failed, is neither.

    What a try was thought to take before the first stands for those before it.
    """
    pace = Pace(seconds=10.0)
    pace.saw(made, expected=6.0)

    assert pace.seconds == pytest.approx(seconds) and pace.tries == (tries and pytest.approx(tries))


def test_a_device_whose_drafts_are_stopped_early_costs_what_a_try_takes(tmp_path: Path) -> None:
    """Ten seconds for a whole answer, next to nothing for a draft that a gate stops: it is tried where that is dear."""
    never = Gate(1, LinearHead(Inputs(("mean_logprob",)), np.array([1.0]), 0.0), stop_below=9.0)
    device = Judged(UNSURE, folder=tmp_path, gates=(never,))
    weights = Weights(usd_per_second=1e-5)
    with Cascade(
        [device, ScriptedTier("Paris.", name="large", place="cloud", price=PRICE)], weights=weights
    ) as cascade:
        cascade.system = device.judged.system
        pace = cascade.setup.paces["small"]
        pace.seconds, pace.tries = 10.0, 0.1
        code = cascade.ask("Why?").code

    assert (code, pace.seconds) == ("gate", 10.0) and pace.tries < 0.1


def test_before_the_first_try_it_is_a_whole_answer_less_what_the_gates_save(tmp_path: Path) -> None:
    """Of one that is known from the ledger; with the gates off it is the whole."""
    device, question = Judged(UNSURE, folder=tmp_path), Question.of("Why?")
    saved = sum(gate.tokens_saved for gate in device.judged.fitted.file.gates)
    found = []
    for gates in (True, False):
        setup = replace(setup_of(device), options=Options(gates=gates))
        setup.paces["small"].seconds = 10.0
        found.append(expected(setup, question, Weights(), Conditions())["small"].seconds)

    assert 0 < saved < 1 and found == [pytest.approx(10 * (1 - saved)), 10.0]


@pytest.mark.parametrize(
    ("weights", "options", "fewer"),
    [
        (None, Options(), False),
        (Weights(), Options(), False),
        (Weights(seconds=5.0), Options(), False),
        (Weights(value_usd=1e-9), Options(), True),
        (None, Options(hedge_below=0.2), True),
        (None, Options(deadline=60.0), True),
    ],
)
def test_a_share_is_promised_of_all_that_may_be_kept(
    tmp_path: Path, weights: Weights | None, options: Options, fewer: bool
) -> None:
    """Where something else than the certificate takes answers away, its test was not of those that are left."""
    with cascade_of(tmp_path, SURE, weights=weights, options=options) as cascade:
        answer = cascade.ask("Why?")

    assert answer.code == "kept" and answer.promise
    assert answer.promise.startswith("Of the answers that this device may keep at most 40 %") is fewer


@pytest.mark.parametrize(
    "weights",
    [{"value_usd": 0.0}, {"value_usd": -1.0}, {"usd": math.inf}, {"seconds": 0.0}, {"usd_per_joule": -1e-9},
     {"value_usd": 1e308},     {"usd_per_second": math.nan}],
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


def test_what_the_monitors_have_voided_has_no_chance(tmp_path: Path) -> None:
    """Nothing is kept then, so no try is worth anything."""
    device = Judged(UNSURE, folder=tmp_path)
    for _ in range(200):
        device.judged.watch.audited(kept=True, loss=1.0, probability=1.0)
    asked = Question.of("Why?", system=device.judged.system)
    chance = expected(setup_of(device), asked, Weights(), Conditions())["small"].chance

    assert chance and chance.kept == 0.0


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

    assert found.seconds == seconds and (found.usd_per_second > 0) is (seconds < 60.0)


def test_a_ceiling_is_priced_at_the_risk_and_the_gates_in_use(tmp_path: Path) -> None:
    """The smaller the risk the fewer are kept, and the smaller the price at which no try is worth it."""
    cloud, found = ScriptedTier("Paris.", name="large", place="cloud", price=PRICE), []
    for epsilon, gated in ((0.4, True), (0.4, False), (0.3, False)):
        device = Judged(UNSURE, folder=tmp_path, file=played(tmp_path), epsilon=epsilon, gated=gated)
        setup = setup_of(device, cloud, weights=Weights(seconds=1.5), profile=PROFILE)
        setup.paces["large"].tokens, setup.paces["large"].seconds = 20.0, 1.0
        priced = as_prices(setup, device.judged, parameters=10**8, bytes=10**8, notice=pytest.fail)
        found.append((device.judged.certificate.share_kept, priced.usd_per_second))

    assert len(set(found)) == 3 and sorted(found) == sorted(found, key=lambda pair: pair[1])


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
    profile = replace(PROFILE, speeds=()) if missing == "speed" else PROFILE  # a round trip is no answer's time
    notes: list[str] = []
    judge = None if missing == "calibration" else device.judged
    setup = setup_of(device, cloud, weights=Weights(usd=0.1, seconds=1.0), profile=profile)
    found = as_prices(setup, judge, parameters=1, bytes=1, notice=notes.append)

    assert found == Weights() and len(notes) == 1 and f"wanted {'a' if judge is None else 'the'} {missing}" in notes[0]


@pytest.mark.parametrize(("clouds", "said"), [(0, "a cloud to choose"), (1, "its model in this process")])
def test_a_ceiling_that_nothing_can_keep_is_said_to_be_none(tmp_path: Path, clouds: int, said: str) -> None:
    """Without a cloud there is nothing to choose, and how fast a server's model runs is not known."""
    device = Judged(UNSURE, folder=tmp_path)
    cloud = ScriptedTier("Paris.", name="large", place="cloud", price=PRICE)
    setup = setup_of(device, *[cloud][:clouds], weights=Weights(seconds=1.0), profile=PROFILE)
    notes: list[str] = []

    assert as_prices(setup, device.judged, parameters=0, bytes=0, notice=notes.append) == Weights()
    assert said in notes[0]


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
