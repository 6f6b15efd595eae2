"""A device is used where its cascade costs less than the cloud alone, and it is said why it is not."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from edgecascade.errors import FittedFileError, ProfileError
from edgecascade.policies import moved
from edgecascade.profile import Conditions, DeviceLimits, Figure, Profile, Weights
from edgecascade.simulate.comparing import Compared, _sums, compared, cost_of, scene_of
from edgecascade.simulate.playing import play
from edgecascade.simulate.rows import Row, rows_of_file
from edgecascade.simulate.side_by_side import NO_VALUE, side_by_side
from edgecascade.store.fitted_files import REPLAYED, FittedFile, read_fitted
from edgecascade.store.paths import shipped

SIZE = 1e8
NOTHING = Weights()


@pytest.fixture(scope="module")
def file() -> FittedFile:
    """A fitted file with certificates and gates."""
    return read_fitted(shipped("calibration/fitted/smollm2-135m.json"))


@pytest.fixture(scope="module")
def on(hand: Any, file: FittedFile, rows: tuple[Row, ...]) -> Any:
    """What a profile would make of it, with a cloud of a tenth of a cent and a second unless another is named."""

    def found(profile: Profile, weights: Weights = NOTHING, **changes: Any) -> Compared:
        wanted = {"parameters": SIZE, "bytes": SIZE, "cloud": hand.cloud(), "rows": rows} | changes
        return compared(profile, wanted.pop("file", file), weights=weights, **wanted)

    return found


def test_without_weights_it_saves_dollars(hand: Any, on: Any) -> None:
    """What is kept is not paid: the dollars are the cloud's alone, less the share that is kept."""
    found = on(hand.profile())

    assert found.verdict == "use"
    assert found.cascade.usd == pytest.approx(0.001 * (1 - found.cascade.kept)) and found.cloud.usd == 0.001
    assert found.device.usd == 0 and found.cloud.kept == 0 and found.cascade.kept == found.device.kept


def test_a_device_that_is_slow_is_not_used_where_time_is_dear(hand: Any, on: Any) -> None:
    """It would be tried for nothing; a fast one is used at the same weights."""
    dear = Weights(usd_per_second=0.001)
    slow, fast = (on(hand.profile(prefill=pace / 10, decode=pace), dear) for pace in (1.0, 0.001))

    assert slow.verdict == "never" and "never worth its price" in slow.why
    assert fast.verdict == "use"


def test_at_the_break_even_both_cost_the_same(hand: Any, on: Any, file: FittedFile, rows: tuple[Row, ...]) -> None:
    """Decided as if time were free, the cascade costs what the cloud alone does at that price of a second."""
    price = on(hand.profile()).break_even_usd_per_second
    weights = Weights(usd_per_second=price)
    scene = scene_of(hand.profile(), file, rows, parameters=SIZE, bytes=SIZE, cloud=hand.cloud(), weights=Weights())

    ours, theirs = (cost_of(play(rows, one), weights) for one in (scene, replace(scene, mode="only_in_cloud")))

    assert ours == pytest.approx(theirs)


def test_a_device_that_is_faster_than_the_cloud_breaks_even_nowhere(hand: Any, on: Any) -> None:
    """Where it saves both time and dollars, no price of a second turns it round."""
    assert on(hand.profile(prefill=0.0, decode=1e-6)).break_even_usd_per_second is None


@pytest.mark.parametrize(
    ("changes", "weights", "why"),
    [
        ({"cloud": None}, Weights(), "no cloud to compare with"),
        ({"usd": None}, Weights(), "what the cloud charges is unknown"),
        ({"seconds": None}, Weights(usd_per_second=1e-6), "how long big takes is unknown"),
        ({"watts": None}, Weights(usd_per_joule=1e-6), "the device's power is unknown"),
    ],
)
def test_what_is_unknown_and_wanted_is_said(
    hand: Any, on: Any, changes: dict[str, Any], weights: Weights, why: str
) -> None:
    """No verdict is made of a number that is not there; one that nobody asks for is not missed."""
    device = hand.profile(power=hand.power(decode=None) if "watts" in changes else None)
    facts = {name: value for name, value in changes.items() if name in ("usd", "seconds")}
    cloud = changes["cloud"] if "cloud" in changes else hand.cloud(**facts)

    found = on(device, weights, cloud=cloud)

    assert (found.verdict, why in found.why) == ("unknown", True)
    assert on(hand.profile(power=hand.power(decode=None))).verdict == "use"


def test_a_model_that_does_not_fit_is_never_used(hand: Any, on: Any) -> None:
    """With both sizes."""
    found = on(hand.profile(memory=5e7))

    assert found.verdict == "never" and "0.1 GB of weights, and room for 0.1 GB" in found.why


def test_a_file_that_promises_nothing_is_never_used(hand: Any, on: Any, file: FittedFile) -> None:
    """Every question goes to the cloud, and the certificate's reason is told."""
    records = tuple(record | {"threshold": None, "reason": "too few"} for record in file.certificates)
    found = on(hand.profile(), file=file.model_copy(update={"certificates": records, "composed": ()}))

    assert found.verdict == "never" and found.why == "nothing is promised: too few" and found.cascade.kept == 0


def test_ceilings_are_kept_or_the_device_is_not_for_them(hand: Any, on: Any) -> None:
    """A budget below the cloud's price makes the cascade right; seconds that neither can keep make it wrong."""
    thrifty, hasty = on(hand.profile(), Weights(usd=0.0009)), on(hand.profile(), Weights(seconds=0.1))

    assert thrifty.verdict == "use" and thrifty.cascade.usd <= 0.0009 and "would not do" in thrifty.why
    assert hasty.verdict == "never" and "wanted 0.1" in hasty.why


def test_two_that_cost_the_same_are_a_tie(hand: Any, on: Any) -> None:
    """The device that is faster is as good; what is no tie, to a part in a thousand, looks different."""
    quick = hand.profile(prefill=0.0, decode=1e-6)
    free = on(quick, cloud=hand.cloud(0.0, quality=0.0), rows=(hand.row(), hand.row(p=0.1)))

    assert (free.verdict, free.why) == ("use", "as good as big alone: $0 an answer with the device, $0 from big alone")
    assert _sums(1.0005, 1.0, "big", net=False).count("$1.000") == 2
    assert _sums(1.0011, 1.0, "big", net=False) == "$1.001 an answer with the device, $1.000 from big alone"


@pytest.mark.parametrize(
    ("usd", "weights", "said"),
    [
        (0.0, Weights(), "answers take longer"),
        (0.0, Weights(), "fewer of them are right"),
        (0.001, Weights(value_usd=100.0), "no answer is kept"),
    ],
)
def test_a_tie_that_gains_nothing_is_never(hand: Any, on: Any, usd: float, weights: Weights, said: str) -> None:
    """As dear as the cloud alone, and slower, less often right, or with nothing that is kept."""
    found = on(hand.profile(), weights, cloud=hand.cloud(usd, quality=1.0))

    assert found.verdict == "never" and found.why.startswith("nothing is gained: ") and said in found.why


def test_joules_of_one_side_alone_decide_nothing(hand: Any, on: Any) -> None:
    """With the power at rest unknown the cascade decides as if joules were free, and it is said that they were."""
    bare = hand.profile(power=hand.power(idle=None))
    found = on(bare, Weights(usd_per_joule=0.01), conditions=Conditions(on_battery=True))

    assert found.cascade == on(bare).cascade and found.cascade.kept > 0
    assert found.verdict == "unknown" and "power at rest is unknown" in found.why
    assert found.moved == ("the device's power, at work or at rest, is unknown: joules count nothing",)
    assert found.break_even_usd_per_second is None


@pytest.mark.parametrize(
    ("value", "said"), [(1.0, "an answer is worth, less its price, $0."), (1e-5, "less than nothing")]
)
def test_what_an_answer_is_worth_is_told_less_its_price(hand: Any, on: Any, value: float, said: str) -> None:
    """In words, where that is below nothing."""
    why = on(hand.profile(), Weights(value_usd=value, usd_per_second=1e-9)).why

    assert said in why and "-" not in why.replace("e-", "")


def test_conditions_are_told(hand: Any, on: Any) -> None:
    """Which of them moved the weights, a sentence each."""
    stands = Conditions(on_battery=True, throttled=True)
    found = on(hand.profile(), Weights(usd_per_joule=1e-9), conditions=stands)

    assert found.moved == moved(Weights(usd_per_joule=1e-9), stands)[1] and len(found.moved) == 2


def test_a_throttled_device_is_as_slow_as_its_profile_says(hand: Any, on: Any) -> None:
    """At half its speed an answer takes twice as long; where the profile says nothing of it, no longer."""
    limits = DeviceLimits(sustained=Figure(0.5, "measured", "hand"))
    halved, unknown = replace(hand.profile(), limits=limits), hand.profile()
    cool, hot, untold = (
        on(device, conditions=Conditions(throttled=throttled)).device.seconds_mean
        for device, throttled in ((halved, None), (halved, True), (unknown, True))
    )

    assert (hot, untold) == (pytest.approx(2 * cool), cool)


def test_gates_are_used_where_they_pay(hand: Any, file: FittedFile, rows: tuple[Row, ...]) -> None:
    """Not where writing is nearly free and a false alarm is dear; the certificate is then the threshold's alone."""
    made = partial(scene_of, file=file, rows=rows, parameters=SIZE, bytes=SIZE)
    weights = Weights(usd_per_second=1e-4)
    slow = made(hand.profile(decode=1.0), cloud=hand.cloud(), weights=weights)
    fast = made(hand.profile(prefill=0.0, decode=1e-9), cloud=hand.cloud(usd=1.0), weights=weights)

    assert slow.gated and not fast.gated
    assert (slow.threshold, fast.threshold) == tuple(
        next(one["threshold"] for one in ladder if one["epsilon"] == file.epsilon)
        for ladder in (file.composed, file.certificates)
    )


def test_what_cannot_be_played_is_refused(hand: Any, on: Any, file: FittedFile) -> None:
    """A profile without a speed; a fitted file of an earlier version."""
    old = file.model_copy(update={"held_out": file.held_out.model_copy(update=dict.fromkeys(REPLAYED, ()))})

    with pytest.raises(ProfileError, match="edgecascade measure"):
        on(replace(hand.profile(), speeds=()))
    with pytest.raises(FittedFileError, match="fit again"):
        rows_of_file(old)


def test_profiles_beside_each_other_say_how_far_they_are(hand: Any, file: FittedFile, rows: tuple[Row, ...]) -> None:
    """To the end; and that a right answer counts nothing, where nobody has said what it is worth."""
    told: list[tuple[int, int]] = []
    made = partial(
        side_by_side, [hand.profile()], file, parameters=SIZE, bytes=SIZE, cloud=hand.cloud(), conditions=Conditions(),
        rows=rows, tell=lambda done, total: told.append((done, total)),
    )  # fmt: skip

    assert NO_VALUE in made(weights=Weights()).remarks and NO_VALUE not in made(weights=Weights(value_usd=1.0)).remarks
    assert told == [(0, 1), (1, 1)] * 2
