"""What an answer costs in one unit, dollars, and what the conditions of the device make of the prices.

    price   dollars + w_t seconds + w_E joules + w_M megabytes
    V       what a right answer is worth        q, p  how likely the cloud's and the device's answer are right
    k       share of the device's answers that are kept, and p of those

    an answer of the device is given up for the cloud's    V (q - p) > price of the cloud
    the device is worth its try                            k (V (p - q) + price of the cloud) >= price of the device

The second follows from the first: who tries pays the device always, and of the k answers that are kept is spared the
cloud. Without V a kept answer counts as right as the cloud's: the certificate alone weighs quality.

Left out: that a device which was tried stands ready should the cloud fail.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from edgecascade.policies.situation import Chance, TierView
from edgecascade.profile import Conditions, Weights


def price(
    weights: Weights, usd: float = 0.0, seconds: float = 0.0, joules: float = 0.0, megabytes: float = 0.0
) -> float:
    """Return what it costs in all, in dollars.

    >>> price(Weights(usd_per_second=0.01, usd_per_joule=0.001), usd=0.5, seconds=10, joules=100)
    0.7
    """
    time_and_energy = weights.usd_per_second * seconds + weights.usd_per_joule * joules
    return usd + time_and_energy + weights.usd_per_megabyte * megabytes


def price_of(weights: Weights, tier: TierView) -> float | None:
    """Return what an answer of a tier is expected to cost, in dollars; None where its own price is unknown."""
    usd = expected_usd(tier)
    return None if usd is None else price(weights, usd, tier.seconds, tier.joules or 0.0, tier.megabytes)


def expected_usd(tier: TierView) -> float | None:
    """Return what a call is expected to cost: the most that it can where that is all that is known."""
    return tier.usd if tier.usual_usd is None else tier.usual_usd


def gain_of_keeping(weights: Weights, p_correct: float, cloud: TierView) -> float | None:
    """Return what an answer of the device is worth above asking the cloud as well, in dollars; None: unknown.

    >>> gain_of_keeping(Weights(value_usd=1.0), 0.5, TierView("cloud", "cloud", usd=0.25, quality=1.0))
    -0.25
    """
    cost = price_of(weights, cloud)
    quality = 0.0 if weights.value_usd is None else weights.value_usd * (p_correct - cloud.quality)
    return None if cost is None else quality + cost


def kept_from(weights: Weights | None, cloud: TierView) -> float:
    """Return the p_correct from which on the cloud is not worth its price; 0 where nothing says so.

    The certificate's threshold holds beside it: an answer is kept from the higher of the two.

    >>> kept_from(Weights(value_usd=1.0), TierView("cloud", "cloud", usd=0.25, quality=1.0))
    0.75
    """
    cost = price_of(weights, cloud) if weights else None
    if not weights or not weights.value_usd or cost is None:
        return 0.0
    return max(cloud.quality - cost / weights.value_usd, 0.0)


def worth_trying(weights: Weights, device: TierView, cloud: TierView) -> bool:
    """Return whether the device is worth its try before the cloud; where a number is unknown, it is."""
    cost, chance = price_of(weights, device), device.chance
    gain = None if chance is None else gain_of_keeping(weights, chance.p_correct, cloud)
    if chance is None or gain is None or cost is None:
        return True
    return chance.kept * max(gain, 0.0) >= cost  # what is not worth keeping is not kept, and then gains nothing


def hedge_below(weights: Weights | None, seconds_left: float, cloud: TierView) -> float:
    """Return the chance to be kept below which the cloud is called while the device writes; 0: never, 1: always.

    A call that was begun early saves the time in which both work, where the device's answer is not kept, and costs its
    dollars for nothing where it is:  (1 - pi) w_t seconds > pi dollars.

    >>> hedge_below(Weights(usd_per_second=0.001), 3.0, TierView("cloud", "cloud", usd=0.001, seconds=1.0))
    0.5
    """
    usd = expected_usd(cloud)
    if weights is None or usd is None:
        return 0.0
    spared = price(weights, seconds=min(seconds_left, cloud.seconds))
    return spared / (spared + price(weights, usd=usd, megabytes=cloud.megabytes)) if spared > 0 else 0.0


def gates_pay(
    weights: Weights | None,
    *,
    tokens_saved: float,
    false_alarms: float,
    token_usd: float,
    chance: Chance,
    cloud: TierView,
) -> bool:
    """Return whether gates save more than their false alarms lose; they do where nothing prices a token.

    tokens_saved  that an answer needs less on average        token_usd  the price of one on this device
    false_alarms  share that they stop of the answers that would be kept
    """
    gain = gain_of_keeping(weights, chance.p_correct, cloud) if weights else None
    if gain is None or token_usd <= 0:
        return True
    return tokens_saved * token_usd >= false_alarms * chance.kept * max(gain, 0.0)


# The conditions of the device.


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: where it holds, a joule counts ``factor`` times. Of a kind the first that holds counts.

    holds  of the conditions, and the temperature at which the device begins to throttle
    """

    kind: Literal["battery", "heat"]
    holds: Callable[[Conditions, float | None], bool]
    factor: float
    reason: str


RULES: tuple[Rule, ...] = (
    Rule("battery", lambda now, hot: _charged_below(now, 0.2), 10.0, "the battery is below 20 %"),
    Rule("battery", lambda now, hot: _charged_below(now, 0.5), 4.0, "the battery is below 50 %"),
    Rule("battery", lambda now, hot: now.on_battery is True, 2.0, "it runs on battery"),
    Rule("heat", lambda now, hot: now.throttled is True, 4.0, "it is throttled"),
    Rule("heat", lambda now, hot: _hot(now, hot), 4.0, "it is as hot as where it begins to throttle"),
)
"""What is unknown moves nothing. A battery that is being charged moves nothing either."""


def _charged_below(now: Conditions, charge: float) -> bool:
    return now.on_battery is not False and now.battery is not None and now.battery < charge


def _hot(now: Conditions, limit: float | None) -> bool:
    return now.celsius is not None and limit is not None and now.celsius >= limit


def as_known(weights: Weights, *, powers: bool) -> Weights:
    """Return the weights without the price of a joule where one of the device's powers is unknown.

    Of the joules of one side alone nothing follows: those of a try would count, and those of the wait not.
    """
    return weights if powers else replace(weights, usd_per_joule=0.0)


def moved(
    weights: Weights, conditions: Conditions, *, celsius: float | None = None, powers: bool = True
) -> tuple[Weights, tuple[str, ...]]:
    """Return the weights as the conditions make them, and one sentence for each rule that moved them.

    celsius  where the device begins to throttle; None: unknown
    powers   whether its power is known, at work and at rest; where it is not, joules decide nothing

    Megabytes count where the link is known to be metered, and not otherwise.

    >>> moved(Weights(usd_per_joule=0.001), Conditions(on_battery=True, battery=0.1))[1]
    ('the battery is below 20 %: a joule counts 10 times',)
    """
    factor, told = 1.0, []
    if weights.usd_per_joule and not powers:
        told.append("the device's power, at work or at rest, is unknown: joules count nothing")
    weights = as_known(weights, powers=powers)
    for kind in ("battery", "heat"):
        rule = next((rule for rule in RULES if rule.kind == kind and rule.holds(conditions, celsius)), None)
        if rule and weights.usd_per_joule:
            factor *= rule.factor
            told.append(f"{rule.reason}: a joule counts {rule.factor:g} times")
    metered = weights.usd_per_megabyte if conditions.metered else 0.0
    if metered:
        told.append(f"the link is metered: a megabyte costs ${metered:g}")
    now = replace(weights, usd_per_joule=weights.usd_per_joule * factor, usd_per_megabyte=metered)
    return now, tuple(told)
