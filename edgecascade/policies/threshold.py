"""The device first; the cloud where the device's answer is not kept.

Kept is what the fitted file's certificate covers: p_correct at or above its threshold, and every gate passed. With
weights (``weighing``) a covered answer is still escalated where the cloud's expected gain is worth its price, and the
device is passed over where it is not worth its try: stricter than the certificate, never looser.
"""

from edgecascade.policies.margin import expected_gain, worth_escalating
from edgecascade.policies.situation import (
    NO_CLOUD,
    NO_DEVICE,
    Situation,
    TierView,
    best_left,
    failed_code,
    is_kept,
    run,
    stop,
)  # fmt: skip
from edgecascade.policies.weighing import kept_from, price_of, worth_trying
from edgecascade.profile import Weights
from edgecascade.records import Attempt, Code, Decision, dollars

Terms = dict[str, float | str | None]


def threshold(situation: Situation) -> Decision:
    """Return the decision of ``prefer_on_device``."""
    if (answered := situation.last("cloud", complete=True)) is not None:
        code, reason, terms = why_not_kept(situation)
        return stop(situation, answered, code, reason, **terms)
    here, cloud = situation.open("device"), situation.open("cloud")
    if situation.question.tools and cloud is not None:
        return run(cloud, "tools", "the question brings tools, and the device's model calls none")
    device = situation.last("device")
    if device is None:
        if here is not None and (cloud is None or _worth_trying(situation, here, cloud)):
            terms = _of_trying(situation.weights, here, cloud) if situation.weights and cloud else {}
            return run(here, "mode", f"mode {situation.mode}", **terms)
        if cloud is not None:
            return _escalated(situation, cloud)
        return best_left(situation)
    if is_kept(situation.attempts[device]):
        return _kept(situation, device, cloud)
    if cloud is not None:
        return _escalated(situation, cloud)
    if situation.last("device", complete=True) is None and here is not None:
        why = situation.closed("cloud") or NO_CLOUD
        return run(here, why.code, why.reason)
    return best_left(situation)


def _escalated(situation: Situation, cloud: TierView) -> Decision:
    """Return the decision to ask a cloud: why the device's answer is not kept, or that the last one broke off."""
    failed = [attempt for attempt in situation.attempts if attempt.place == "cloud" and attempt.failure]
    if failed and failed[-1].failure:
        return run(cloud, failed_code(failed[-1]), failed[-1].failure.detail)
    code, reason, terms = why_not_kept(situation)
    return run(cloud, code, reason, **terms)


def _worth_trying(situation: Situation, here: TierView, cloud: TierView) -> bool:
    return situation.weights is None or worth_trying(situation.weights, here, cloud)


def _kept(situation: Situation, device: int, cloud: TierView | None) -> Decision:
    """Return the end with a covered answer, or what is better worth its price."""
    estimate, weights = situation.attempts[device].estimate, situation.weights
    terms: Terms = {"p_correct": estimate.p_correct, "threshold": estimate.threshold}
    reason = f"p_correct {estimate.p_correct:.2f}, kept from {estimate.threshold:.2f}"
    if weights and weights.value_usd and cloud is not None and estimate.p_correct is not None:
        gain = expected_gain(cloud.quality - estimate.p_correct, 0.0)  # its spread from question to question is unknown
        worth, cost = gain * weights.value_usd, price_of(weights, cloud)
        terms |= {"gain": gain, "kept_from": kept_from(weights, cloud)} | _terms(weights, "cost", cloud)
        if cost is not None and worth_escalating(worth, 0.0, cost, 1.0):
            better = f"the cloud's gain of {gain:.2f} right answers is worth {dollars(worth)}, it costs {dollars(cost)}"
            return run(cloud, "margin", better, **terms)
    return stop(situation, device, "kept", reason, **terms)


def _terms(weights: Weights, name: str, tier: TierView) -> Terms:
    """Return what a tier is expected to cost, and what it is made up of; ``name`` tells it from another's."""
    return {
        "value_usd": weights.value_usd,
        f"{name}_usd": price_of(weights, tier),
        f"{name}_seconds": tier.seconds,
        f"{name}_joules": tier.joules,
        f"{name}_megabytes": tier.megabytes,
        "usd_per_second": weights.usd_per_second,
        "usd_per_joule": weights.usd_per_joule,
        "usd_per_megabyte": weights.usd_per_megabyte,
    }


def _of_trying(weights: Weights, here: TierView, cloud: TierView | None) -> Terms:
    """Return the numbers that say whether the device is worth its try."""
    chance = here.chance
    terms: Terms = {"chance_kept": chance.kept if chance else None, "p_kept": chance.p_correct if chance else None}
    terms |= _terms(weights, "device", here)
    if cloud is not None:
        terms |= _terms(weights, "cost", cloud)
        terms |= {"quality": cloud.quality, "kept_from": kept_from(weights, cloud)}
    return terms


def _not_worth(situation: Situation, weights: Weights, here: TierView) -> tuple[Code, str, Terms]:
    """Return that the device was not worth its try, in numbers."""
    asked = [attempt.tier for attempt in situation.attempts if attempt.place == "cloud"]
    clouds = [tier for tier in situation.tiers if tier.place == "cloud"]
    cloud = next((tier for tier in clouds if tier.name in asked[-1:]), situation.open("cloud"))
    kept = here.chance.kept if here.chance else 0.0
    reason = f"a try on the device costs {dollars(price_of(weights, here))}, and {kept:.0%} of them are kept"
    return "not_worth", reason, _of_trying(weights, here, cloud)


def why_not_kept(situation: Situation) -> tuple[Code, str, Terms]:
    """Return why the device's answer, if there is one, is not the answer."""
    number = situation.last("device")
    if number is None:
        failed = [attempt for attempt in situation.attempts if attempt.place == "device" and attempt.failure]
        if failed and failed[-1].failure:
            return failed_code(failed[-1]), failed[-1].failure.detail, {}
        if situation.question.tools:
            return "tools", "the question brings tools, and the device's model calls none", {}
        if (here := situation.open("device")) is not None and situation.weights:
            return _not_worth(situation, situation.weights, here)
        closed = situation.closed("device") or NO_DEVICE
        return closed.code, closed.reason, {}
    return _judged(situation.attempts[number])


def _judged(attempt: Attempt) -> tuple[Code, str, Terms]:
    estimate = attempt.estimate
    terms: Terms = {"p_correct": estimate.p_correct, "threshold": estimate.threshold}
    if attempt.failure:
        return failed_code(attempt), attempt.failure.detail, terms
    for gate in attempt.gates:
        if not gate.passed:
            terms |= {"gate": gate.gate, "at": gate.at, "value": gate.value, "limit": gate.limit}
            if gate.gate != "G2":
                did = "stopped the draft" if attempt.stopped else "speaks against the draft"
                return "gate", f"gate {gate.gate} {did}: {gate.value:.2f}, passes from {gate.limit:.2f}", terms
    if estimate.threshold is None or estimate.p_correct is None:
        reason = estimate.calibration.reason if estimate.calibration else "no calibration: run `edgecascade calibrate`"
        return "no_promise", f"nothing is promised: {reason}", terms
    reason = f"p_correct {estimate.p_correct:.2f}, kept from {estimate.threshold:.2f}"
    if estimate.kept:
        return "margin", f"{reason}, and the cloud's expected gain was worth its price", terms
    return "not_kept", reason, terms
