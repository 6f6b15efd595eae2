"""The device first; the cloud where the device's answer is not kept.

Kept is what the fitted file's certificate covers: p_correct at or above its threshold, and every gate passed. With a
``Margin`` a covered answer is still escalated where the cloud's expected gain is worth its price: stricter than the
certificate, never looser.
"""

from edgecascade.policies.margin import Margin, expected_gain, worth_escalating
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
from edgecascade.records import Attempt, Code, Decision

Terms = dict[str, float | str | None]


def threshold(situation: Situation, margin: Margin | None = None) -> Decision:
    """Return the decision of ``prefer_on_device``."""
    if (answered := situation.last("cloud", complete=True)) is not None:
        code, reason, terms = why_not_kept(situation)
        return stop(situation, answered, code, reason, **terms)
    here, cloud = situation.open("device"), situation.open("cloud")
    if situation.question.tools and cloud is not None:
        return run(cloud, "tools", "the question brings tools, and the device's model calls none")
    device = situation.last("device")
    if device is None:
        if here is not None:
            return run(here, "mode", f"mode {situation.mode}")
        if cloud is not None:
            return _escalated(situation, cloud)
        return best_left(situation)
    if is_kept(situation.attempts[device]):
        return _kept(situation, device, cloud, margin)
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


def _kept(situation: Situation, device: int, cloud: TierView | None, margin: Margin | None) -> Decision:
    """Return the end with a covered answer, or what is better worth its price."""
    estimate = situation.attempts[device].estimate
    terms: Terms = {"p_correct": estimate.p_correct, "threshold": estimate.threshold}
    if margin and cloud is not None and estimate.p_correct is not None and cloud.usd is not None:
        better = cloud.quality - estimate.p_correct
        gain = expected_gain(better, 0.0)  # how much it differs from question to question is not known
        terms |= {"gain": gain, "value_usd": margin.value_usd, "cost_usd": cloud.usd}
        if worth_escalating(better, 0.0, cloud.usd, 1 / margin.value_usd):
            reason = f"the cloud's gain of {gain:.2f} right answers is worth ${gain * margin.value_usd:.4f}"
            return run(cloud, "margin", f"{reason}, it costs ${cloud.usd:.4f}", **terms)
    return stop(
        situation, device, "kept", f"p_correct {estimate.p_correct:.2f}, kept from {estimate.threshold:.2f}", **terms
    )


def why_not_kept(situation: Situation) -> tuple[Code, str, Terms]:
    """Return why the device's answer, if there is one, is not the answer."""
    number = situation.last("device")
    if number is None:
        failed = [attempt for attempt in situation.attempts if attempt.place == "device" and attempt.failure]
        if failed and failed[-1].failure:
            return failed_code(failed[-1]), failed[-1].failure.detail, {}
        if situation.question.tools:
            return "tools", "the question brings tools, and the device's model calls none", {}
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
