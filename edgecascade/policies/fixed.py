"""One place only: its tiers in their order, the next where one fails; then whatever there is."""

from edgecascade.policies.situation import NO_CLOUD, Situation, best_left, run, stop
from edgecascade.records import Decision, Place


def fixed(situation: Situation, place: Place) -> Decision:
    """Return the decision of ``only_on_device`` and ``only_in_cloud``."""
    if (whole := situation.last(place, complete=True)) is not None:
        return stop(situation, whole, "mode", f"mode {situation.mode}")
    if (tier := situation.open(place)) is not None:
        return run(tier, "mode", f"mode {situation.mode}")
    return best_left(situation)


def cloud_first(situation: Situation) -> Decision:
    """Return the decision of ``prefer_in_cloud``: the device answers where no cloud can."""
    whole = situation.last("cloud", complete=True)
    if whole is None and situation.open("cloud") is None:
        device, tier = situation.last("device", complete=True), situation.open("device")
        if device is None and tier is not None:
            why = situation.closed("cloud") or NO_CLOUD
            return run(tier, why.code, why.reason)
    return fixed(situation, "cloud")
