"""What each tier is expected to take for a question, before it is asked; and what an answer took of the device.

    device   seconds of its earlier tries, those that were stopped among them; before the first those of its whole
             answers, else by the profile's speed, less what the gates save; joules at its power while it writes
    cloud    dollars for the usual length of its answers; seconds of its earlier ones, else the profile's round trip;
             joules at the device's power while it waits; megabytes where the link is metered

Seconds that are unknown are none, joules count only where both powers are known, and a device whose chance is unknown
is tried.
"""

import math
from collections.abc import Mapping, Sequence

from edgecascade.cascade.calling import CloudTier
from edgecascade.cascade.running import DeviceTier
from edgecascade.cascade.setup import Setup
from edgecascade.cascade.tiers import LocalTier
from edgecascade.judging import Judge, asked_as_certified
from edgecascade.policies import Chance, TierView
from edgecascade.policies.weighing import as_known, gates_pay, kept_from, price
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
    judge, tries = tier.judge(question), setup.paces[tier.name].tries
    seconds = whole_seconds(setup, tier, question) * (1 - _saved(setup, judge)) if tries is None else tries
    least = kept_from(weights, cloud) if cloud else 0.0
    joules = _joules(seconds, setup.watts)
    return TierView(
        tier.name, "device", seconds=seconds, joules=joules, chance=_chance(judge, question, least) if judge else None
    )


def whole_seconds(setup: Setup, tier: DeviceTier, question: Question) -> float:
    """Return the seconds of a whole answer: of earlier ones, else by the profile's speed; 0 where both are unknown."""
    if (earlier := setup.paces[tier.name].seconds) is not None:
        return earlier
    if setup.profile is None or not isinstance(tier, LocalTier) or not tier.parameters:
        return 0.0
    judge = tier.judge(question)
    fitted: float | None = judge.fitted.file.provenance.get("mean_tokens") if judge else None
    speed, tokens = setup.profile.speed_of(tier.parameters, tier.bytes), setup.paces[tier.name].tokens or fitted
    prompt = prompt_tokens(question)
    return speed.reading(prompt) + speed.writing(tokens, prompt) if speed and tokens else 0.0


def _saved(setup: Setup, judge: Judge | None) -> float:
    """Return the share of all tokens that the gates in use save."""
    used = judge is not None and judge.gated and setup.options.gates
    return math.fsum(gate.tokens_saved for gate in judge.fitted.file.gates) if judge and used else 0.0


def _chance(judge: Judge, question: Question, least: float) -> Chance:
    """Return how likely an answer is to be kept: not at all, where nothing is promised of such a question now."""
    asked = asked_as_certified(question, judge.fitted.file, judge.identity)
    if judge.watch.verdict(asked).state != "fresh":
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
        joules=_joules(seconds, setup.idle_watts),
        megabytes=(size + STREAMED_BYTES * tokens) / 1e6 if conditions.metered else 0.0,
    )


def cloud_seconds(setup: Setup, tier: CloudTier) -> float:
    """Return the seconds of a cloud's earlier answers, else the profile's round trip; 0 where both are unknown."""
    earlier, trip = setup.paces[tier.name].seconds, setup.profile.round_trip_s if setup.profile else None
    return earlier if earlier is not None else trip.value if trip else 0.0


def prompt_tokens(question: Question) -> float:
    """Return how many tokens a prompt is expected to have, before anything has counted them."""
    return _prompt_bytes(question) / BYTES_A_TOKEN


def _joules(seconds: float, watts: float | None) -> float | None:
    return None if watts is None else seconds * watts


def _prompt_bytes(question: Question) -> int:
    return sum(len(message.content.encode()) for message in question.messages)


def joules_of(setup: Setup, attempts: Sequence[Attempt], seconds: float) -> float | None:
    """Return what an answer took of this device's energy, writing and waiting; None where a power is unknown.

    seconds  that it took in all: while the device wrote it did not wait, though a call was under way
    """
    took = {place: [attempt.seconds for attempt in attempts if attempt.place == place] for place in ("device", "cloud")}
    writing = math.fsum(took["device"])
    waiting = min(math.fsum(took["cloud"]), max(seconds - writing, 0.0))
    spent = [(setup.watts, writing)] * bool(took["device"]) + [(setup.idle_watts, waiting)] * bool(took["cloud"])
    known = [watts * seconds for watts, seconds in spent if watts is not None]
    return math.fsum(known) if len(known) == len(spent) else None


def gates_worth_it(setup: Setup, question: Question) -> bool:
    """Return whether the gates of the device's fitted file pay for themselves at the weights."""
    device, cloud = next(iter(setup.devices), None), next(iter(setup.clouds), None)
    weights = as_known(setup.weights, powers=setup.powers) if setup.weights else None
    judge = device.judge(question) if device else None
    if weights is None or device is None or cloud is None or judge is None or not judge.gated:
        return True
    file, view = judge.fitted.file, cloud_view(setup, cloud, question, Conditions())
    mean: float = file.provenance.get("mean_tokens") or 0.0
    seconds = whole_seconds(setup, device, question)
    answer_usd = price(weights, seconds=seconds, joules=seconds * (setup.watts or 0.0))
    return gates_pay(
        weights,
        tokens_saved=mean * sum(gate.tokens_saved for gate in file.gates),
        false_alarms=sum(gate.false_alarms[0] for gate in file.gates),
        token_usd=answer_usd / mean if mean else 0.0,
        chance=_chance(judge, question, kept_from(weights, view)),
        cloud=view,
    )


def nothing_kept(setup: Setup, question: Question) -> float:
    """Return the p_correct that the weights want, where they leave nothing of what the certificate keeps; else 0."""
    device, cloud = next(iter(setup.devices), None), next(iter(setup.clouds), None)
    judge = device.judge(question) if device else None
    if setup.weights is None or judge is None or cloud is None or not _chance(judge, question, 0.0).kept:
        return 0.0
    weights = as_known(setup.weights, powers=setup.powers)
    least = kept_from(weights, cloud_view(setup, cloud, question, Conditions()))
    return 0.0 if _chance(judge, question, least).kept else least
