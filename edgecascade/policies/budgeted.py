"""A situation within the question's own limits: tiers that would pass them are closed, whatever the policy.

The budgets of hours, days and months are held by the ledger, exactly and for all processes; this closes a tier before
the first call, so that the reason stands in the decision.
"""

from edgecascade.policies.situation import Closed, Situation, TierView


def within_limits(situation: Situation) -> Situation:
    """Return the situation with every tier closed whose next call would pass the question's limits."""
    for tier in situation.tiers:
        # One that cannot be asked anyway keeps its own reason.
        if situation.may_ask(tier) and (closed := _over(situation, tier)):
            situation = situation.without(tier.name, closed)
    return situation


def _over(situation: Situation, tier: TierView) -> Closed | None:
    limits = situation.question.limits
    if tier.place == "device":
        return None
    asked = [attempt for attempt in situation.attempts if attempt.place == "cloud"]
    if limits.calls is not None and len(asked) >= limits.calls:
        return Closed("budget", f"the question's own limit: {limits.calls} calls to a cloud")
    if limits.usd is None:
        return None
    spent = [attempt.usd for attempt in asked]
    if tier.usd is None or None in spent:
        return Closed("budget", f"a limit of ${limits.usd:g}, and the price of {tier.name} is unknown")
    most = sum(cost for cost in spent if cost is not None) + tier.usd
    if most > limits.usd:
        return Closed("budget", f"it may cost ${most:.6f}, and the question's own limit is ${limits.usd:g}")
    return None
