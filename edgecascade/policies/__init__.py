"""Which tier next, or stop: pure functions of the attempts so far.

    fixed      one place only                      cloud_first  the cloud, the device where it cannot
    threshold  the device, the cloud where its answer is not covered by the certificate; with weights also where the
               cloud is worth its price, and the cloud alone where the device is not worth its try

A policy is any function from a ``Situation`` to a ``Decision``; the situation stands ``within_limits`` of the question.
"""

from collections.abc import Callable
from functools import partial

from edgecascade.policies.budgeted import within_limits
from edgecascade.policies.fixed import cloud_first, fixed
from edgecascade.policies.situation import Chance, Closed, OnBreak, Situation, TierView
from edgecascade.policies.threshold import threshold
from edgecascade.policies.weighing import moved, price
from edgecascade.records import Decision

Policy = Callable[[Situation], Decision]

__all__ = [
    "Chance",
    "Closed",
    "OnBreak",
    "Policy",
    "Situation",
    "TierView",
    "moved",
    "policy_of",
    "price",
    "threshold",
    "within_limits",
]


def policy_of(rule: Policy = threshold) -> Policy:
    """Return the policy of all four modes; ``rule`` decides in ``prefer_on_device``."""
    return partial(_by_mode, rule=rule)


def _by_mode(situation: Situation, rule: Policy) -> Decision:
    match situation.mode:
        case "only_on_device":
            return fixed(situation.within_mode(), "device")
        case "only_in_cloud":
            return fixed(situation.within_mode(), "cloud")
        case "prefer_in_cloud":
            return cloud_first(situation)
        case _:
            return rule(situation)
