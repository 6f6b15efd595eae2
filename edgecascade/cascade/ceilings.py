"""Ceilings of time and money as prices, found by playing the certificate's questions again on this device."""

import math
from collections.abc import Callable
from dataclasses import replace

from edgecascade.cascade.costing import cloud_seconds
from edgecascade.cascade.setup import Setup
from edgecascade.judging import Judge
from edgecascade.profile import Weights
from edgecascade.simulate.comparing import scene_of
from edgecascade.simulate.playing import CloudFacts
from edgecascade.simulate.rows import rows_of_file
from edgecascade.simulate.solving import priced

MOST_PLAYED = 500
"""Questions that a ceiling is priced by: more would make every opening wait."""


def as_prices(
    setup: Setup, judge: Judge | None, *, parameters: int, bytes: int, notice: Callable[[str], None]
) -> Weights:
    """Return the weights with their ceilings as prices; ``notice`` is told where nothing is known to play by.

    parameters, bytes  the size of the device's model

    Raises ConfigError where no price keeps a ceiling, and FittedFileError for a file that cannot be played again.
    """
    weights, cloud = setup.weights or Weights(), setup.clouds[0]
    if weights.seconds is None and weights.usd is None:
        return weights
    seconds = cloud_seconds(setup, cloud)
    wanted = {
        "a calibration; run `edgecascade calibrate`": judge,
        "the speed of this device; run `edgecascade measure`": setup.profile and setup.profile.speeds,
        "the time of the cloud's answers; ask it once": seconds,
    }
    if judge is None or setup.profile is None or not all(wanted.values()):
        missing = next(what for what, there in wanted.items() if not there)
        notice(f"policy.seconds and policy.usd are not kept yet: found nothing to play answers by, wanted {missing}")
        return replace(weights, seconds=None, usd=None)
    facts = CloudFacts(cloud.name, cloud.price, seconds, setup.paces[cloud.name].tokens, setup.options.quality)
    file = judge.fitted.file
    rows = rows_of_file(file)
    rows = rows[:: math.ceil(len(rows) / MOST_PLAYED)]
    scene = scene_of(
        setup.profile, file, rows, parameters=parameters, bytes=bytes, cloud=facts, weights=weights
    )  # fmt: skip
    return priced(weights, rows, scene)
