"""How far away a cloud is: seconds to open a connection and for a request to come back, no token spent.

The address is asked for by GET without a key; whatever is answered, a refusal too, has made the round trip.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import httpx

from edgecascade.cloud.refusals import plain
from edgecascade.cloud.specs import CloudSpec, is_local
from edgecascade.errors import CloudError

SECONDS = 2.0
"""The longest that one step of a request may take."""
TRIES = 5


@dataclass(frozen=True, slots=True)
class Reach:
    """Medians: a request over an open connection, and what opening one (TCP, TLS) adds to it."""

    round_trip_s: float
    connect_s: float


def reach(spec: CloudSpec, *, seconds: float = math.inf, clock: Callable[[], float] = time.perf_counter) -> Reach:
    """Return how far a cloud is; no further try begins after so many seconds. CloudError where it is not reached."""
    begun, took = clock(), list[tuple[float, float]]()
    while not took or (len(took) < TRIES and clock() - begun < seconds):
        took.append(_once(spec, clock))
    round_trip = median(again for _, again in took)
    return Reach(round_trip, max(median(first for first, _ in took) - round_trip, 0.0))


def _once(spec: CloudSpec, clock: Callable[[], float]) -> tuple[float, float]:
    """Return the seconds of a request on a new connection, and of a further one on the same."""
    try:
        with httpx.Client(timeout=SECONDS, trust_env=not is_local(spec.base_url)) as client:
            begun = clock()
            client.get(spec.base_url)
            opened = clock()
            client.get(spec.base_url)
            return opened - begun, clock() - opened
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError) as error:  # a proxy, certificates
        raise CloudError(
            f"{spec.base_url} was not reached: found {plain(str(error), spec.key) or type(error).__name__}, wanted any "
            "answer; check the network"
        ) from None
