"""Ceilings of time and money as prices, found by playing the certificate's questions again on this device."""

import math
from collections.abc import Callable
from dataclasses import replace

from edgecascade.cascade.setup import Setup
from edgecascade.judging import Judge
from edgecascade.profile import Figure, Weights
from edgecascade.simulate.comparing import scene_of
from edgecascade.simulate.playing import CloudFacts
from edgecascade.simulate.rows import rows_of_file
from edgecascade.simulate.solving import priced

MOST_PLAYED = 500
"""Questions that a ceiling is priced by: more would make every opening wait."""


def as_prices(
    setup: Setup, judge: Judge | None, *, parameters: int, bytes: int, notice: Callable[[str], None]
) -> Weights:
    """Return the weights with prices that keep their ceilings, which stay beside them for ``explain``.

    ``notice`` is told where nothing is known to play by; no ceiling is left then.

    judge              of the cascade as it will answer: its risk, with its gates or without
    parameters, bytes  the size of the device's model; 0: unknown

    Raises ConfigError where no price keeps a ceiling, and FittedFileError for a file that cannot be played again.
    """
    weights, profile = setup.weights or Weights(), setup.profile
    if weights.seconds is None and weights.usd is None:
        return weights
    cloud = next(iter(setup.clouds), None)
    seconds = setup.paces[cloud.name].seconds if cloud else None  # a round trip is not yet an answer
    speed = profile.speed_of(parameters, bytes) if profile and parameters else None
    wanted = {
        "a cloud to choose; set cloud": cloud,
        "a calibration; run `edgecascade calibrate`": judge,
        "the speed of this device, its model in this process; run `edgecascade measure`": speed,
        "the time of the cloud's answers; ask it once": seconds,
    }
    if judge is None or profile is None or cloud is None or not all(wanted.values()):
        missing = next(what for what, there in wanted.items() if not there)
        notice(f"policy.seconds and policy.usd are not kept yet: found nothing to play answers by, wanted {missing}")
        return replace(weights, seconds=None, usd=None)
    if setup.options.watts is not None:
        own = Figure(setup.options.watts, "measured", "your config")
        profile = replace(profile, power=replace(profile.power, decode=own))
    facts = CloudFacts(cloud.name, cloud.price, seconds, setup.paces[cloud.name].tokens, setup.options.quality)
    file = judge.fitted.file
    rows = rows_of_file(file)
    rows = rows[:: math.ceil(len(rows) / MOST_PLAYED)]
    scene = scene_of(
        profile, file, rows, parameters=parameters, bytes=bytes, cloud=facts, weights=weights,
        epsilon=judge.certificate.epsilon, gated=judge.gated,
    )  # fmt: skip
    found = priced(weights, rows, replace(scene, hedge_below=setup.options.hedge_below))
    return replace(found, seconds=weights.seconds, usd=weights.usd)
