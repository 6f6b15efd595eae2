"""Several tiers asked at the same time, each on a thread of its own; nothing is shown before all have ended."""

import threading
from collections.abc import Sequence

from edgecascade.cascade.hedging import POLL_SECONDS, Begin, Hedge
from edgecascade.records import Attempt


def together(begins: Sequence[Begin], cancel: threading.Event) -> list[Attempt]:
    """Return the attempts in the order of ``begins``; ``cancel`` ends them with what they have come to.

    A tier that was closed meanwhile raises ClosedError, once all the others have ended.
    """
    hedges: list[Hedge] = []
    try:
        for begin in begins:
            hedges.append(Hedge(begin))
        while not cancel.is_set() and not all(hedge.ended(POLL_SECONDS) for hedge in hedges):
            pass
    finally:
        for hedge in hedges:
            hedge.stop()
        for hedge in hedges:
            hedge.ended()
    return [hedge.cancel() for hedge in hedges]
