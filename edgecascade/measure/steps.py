"""The steps of a measurement, in order, each with its share of the time. Each returns a finding that JSON can hold."""

from collections.abc import Callable
from dataclasses import dataclass

from edgecascade.measure.choosing import gpu, load, threads, variants
from edgecascade.measure.journal import Finding
from edgecascade.measure.rig import Box, Desk
from edgecascade.measure.speeds import decode, energy, first_token, prefill, round_trip, sustained

REST_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step: ``share`` of the time, against the shares of the others."""

    name: str
    share: float
    take: Callable[[Desk, Box], Finding]


def idle(desk: Desk, box: Box) -> Finding:
    """Return what the device takes while it does nothing."""
    if desk.rig.metering is None:
        desk.rig.wait(max(min(REST_SECONDS, box.left), 0.0))
        return {}
    with desk.rig.metering() as energy:
        desk.rig.wait(max(min(REST_SECONDS, box.left), 0.0))
    return {"watts": energy.joules / energy.seconds} if energy.joules and energy.seconds else {}


VARIANTS = Step("variants", 0.20, variants)
"""Worth the least: what the others need beyond their shares is taken from its own, and what they leave is its."""

STEPS = (
    Step("idle", 0.02, idle),
    Step("gpu", 0.08, gpu),
    Step("load", 0.14, load),
    Step("threads", 0.20, threads),
    Step("prefill", 0.13, prefill),
    Step("decode", 0.13, decode),
    Step("first token", 0.02, first_token),
    Step("energy", 0.06, energy),
    Step("round trip", 0.02, round_trip),
    VARIANTS,
    Step("sustained", 0.0, sustained),
)
