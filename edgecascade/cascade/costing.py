"""What each tier is expected to take for a question, before it is asked; and what an answer took of the device.

    device   seconds of its earlier answers, else by the profile's speed; joules at its power while it writes
    cloud    dollars for the usual length of its answers; seconds of its earlier ones, else the profile's round trip;
             joules at the device's power while it waits; megabytes where the link is metered

What is unknown is left as a tier that costs nothing of it, and a device whose chance is unknown is tried.
"""

import math
from collections.abc import Mapping, Sequence

from edgecascade.cascade.calling import CloudTier
from edgecascade.cascade.running import DeviceTier
from edgecascade.cascade.setup import Setup
from edgecascade.cascade.tiers import LocalTier
from edgecascade.judging import Judge, asked_as_certified
from edgecascade.policies import Chance, TierView
from edgecascade.policies.weighing import gates_pay, kept_from, price
from edgecascade.profile import Conditions, Weights
from edgecascade.records import Attempt, Question
from edgecascade.store.prices import upper_bound, usd

BYTES_A_TOKEN = 4
"""Of a prompt's text, where nothing has counted it yet."""
STREAMED_BYTES = 250
"""What one token of a cloud's stream takes on the line, with its frame."""


def expected(
    setup: Setup, question: Question, weights: Weights | None, conditions: Conditions
) -> Mapping[str, TierView]:
    """Return what each tier is expected to take, by name; all of them as if they were open."""
    clouds = {tier.name: cloud_view(setup, tier, question, conditions) for tier in setup.clouds}
    first = next(iter(clouds.values()), None)
    devices = {tier.name: device_view(setup, tier, question, weights, first) for tier in setup.devices}
    return devices | clouds


def device_view(
    setup: Setup, tier: DeviceTier, question: Question, weights: Weights | None, cloud: TierView | None
) -> TierView:
    """Return a device's tier; its chance is that of answers which are kept at these weights."""
    if weights is None:
        return TierView(tier.name, "device", seconds=setup.paces[tier.name].seconds or 0.0)
    judge = tier.judge(question)
    seconds = setup.paces[tier.name].seconds
    if seconds is None:
        seconds = _by_profile(setup, tier, question, judge)
    least = kept_from(weights, cloud) if cloud else 0.0
    joules = seconds * (setup.watts or 0.0)
    return TierView(
        tier.name, "device", seconds=seconds, joules=joules, chance=_chance(judge, question, least) if judge else None
    )


def _by_profile(setup: Setup, tier: DeviceTier, question: Question, judge: Judge | None) -> float:
    """Return the seconds that the profile's speed makes of an answer of the usual length; 0 where that is unknown."""
    if setup.profile is None or not isinstance(tier, LocalTier) or not tier.parameters:
        return 0.0
    fitted: float | None = judge.fitted.file.provenance.get("mean_tokens") if judge else None
    speed, tokens = setup.profile.speed_of(tier.parameters, tier.bytes), setup.paces[tier.name].tokens or fitted
    prompt = _prompt_bytes(question) / BYTES_A_TOKEN
    return speed.reading(prompt) + speed.writing(tokens, prompt) if speed and tokens else 0.0


def _chance(judge: Judge, question: Question, least: float) -> Chance:
    """Return how likely an answer is to be kept: not at all, where nothing is promised of such a question."""
    if asked_as_certified(question, judge.fitted.file, judge.identity).state != "fresh":
        return Chance(0.0, 0.0)
    return judge.fitted.file.chance(judge.certificate, max(least, judge.certificate.threshold + judge.watch.stricter))


def cloud_view(setup: Setup, tier: CloudTier, question: Question, conditions: Conditions) -> TierView:
    """Return a cloud's tier."""
    size, pace, most_tokens = _prompt_bytes(question), setup.paces[tier.name], question.sampling.max_tokens
    seconds = cloud_seconds(setup, tier)
    tokens = min(pace.tokens or most_tokens, most_tokens)
    return TierView(
        tier.name,
        "cloud",
        usd=upper_bound(tier.price, size, most_tokens),
        seconds=seconds,
        quality=setup.options.quality,
        usual_usd=usd(tier.price, math.ceil(size / BYTES_A_TOKEN), math.ceil(tokens)) if pace.tokens else None,
        joules=seconds * (setup.idle_watts or 0.0),
        megabytes=(size + STREAMED_BYTES * tokens) / 1e6 if conditions.metered else 0.0,
    )


def cloud_seconds(setup: Setup, tier: CloudTier) -> float:
    """Return the seconds of a cloud's earlier answers, else the profile's round trip; 0 where both are unknown."""
    earlier, trip = setup.paces[tier.name].seconds, setup.profile.round_trip_s if setup.profile else None
    return earlier if earlier is not None else trip.value if trip else 0.0


def _prompt_bytes(question: Question) -> int:
    return sum(len(message.content.encode()) for message in question.messages)


def joules_of(setup: Setup, attempts: Sequence[Attempt]) -> float | None:
    """Return what an answer took of this device's energy, writing and waiting; None where a power is unknown."""
    watts = {"device": setup.watts, "cloud": setup.idle_watts}
    took = [(watts[attempt.place], attempt.seconds) for attempt in attempts]
    if any(power is None for power, _ in took):
        return None
    return math.fsum(power * seconds for power, seconds in took if power is not None)


def gates_worth_it(setup: Setup, question: Question) -> bool:
    """Return whether the gates of the device's fitted file pay for themselves at the weights."""
    weights, device, cloud = setup.weights, next(iter(setup.devices), None), next(iter(setup.clouds), None)
    judge = device.judge(question) if device else None
    if weights is None or device is None or cloud is None or judge is None or not judge.gated:
        return True
    file, view = judge.fitted.file, cloud_view(setup, cloud, question, Conditions())
    mean: float = file.provenance.get("mean_tokens") or 0.0
    seconds = device_view(setup, device, question, weights, view).seconds
    answer_usd = price(weights, seconds=seconds, joules=seconds * (setup.watts or 0.0))
    return gates_pay(
        weights,
        tokens_saved=mean * sum(gate.tokens_saved for gate in file.gates),
        false_alarms=sum(gate.false_alarms[0] for gate in file.gates),
        token_usd=answer_usd / mean if mean else 0.0,
        chance=_chance(judge, question, kept_from(weights, view)),
        cloud=view,
    )
