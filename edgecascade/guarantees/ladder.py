"""One promise for each of several risks, from one sort."""

from collections.abc import Sequence

from numpy.typing import ArrayLike

from edgecascade.guarantees import regret, selective
from edgecascade.guarantees.certificate import Certificate, Promise
from edgecascade.guarantees.ranked import Ranked, check_promise

EPSILONS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4)


def certify_ladder(
    p: ArrayLike, losses: ArrayLike, *, delta: float, promise: Promise = "regret", epsilons: Sequence[float] = EPSILONS
) -> tuple[Certificate, ...]:
    """Return a certificate for each of ``epsilons``, in their order.

    p, losses  (n,) each, as ``certify_regret`` and ``certify_selective`` want them

    Each is a promise of its own at ``delta``: they do not all hold at once with that confidence. Choose epsilon first.
    """
    for epsilon in epsilons:
        check_promise(epsilon, delta)
    ranked = Ranked.of(p, losses)
    if promise == "regret":
        return tuple(regret.of_ranked(ranked, epsilon, delta) for epsilon in epsilons)
    return tuple(selective.of_ranked(ranked, epsilon, delta, promise) for epsilon in epsilons)
