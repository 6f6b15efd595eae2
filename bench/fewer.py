"""A promise about a share of the kept answers, where fewer are kept than were certified: python bench/fewer.py.

Simulated questions of which everything is known: how sure the device is of each, and how often it is then wrong. Each
calibration is certified as a real one, for at most 10 % wrong with 90 % confidence. Told is in how many the promise is
false: of all that the certificate keeps, and of the surest alone, as weights would keep them.

    falling      the surer, the less often wrong; p_correct says how often
    too sure     likewise, but wrong half as often again as p_correct says
    level        the surer half is wrong equally often
    surest wrong  the surest twentieth is wrong more often than any other of the surer half
"""

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgecascade.guarantees.selective import certify_selective

Ranks = NDArray[np.float64]
EPSILON, DELTA, QUESTIONS = 0.1, 0.1, 600
SUREST = (0.2, 0.1, 0.05)
EVERY = np.linspace(0, 1, 20001)
WORLDS: dict[str, tuple[Callable[[Ranks], Ranks], Callable[[Ranks], Ranks]]] = {
    "falling": (lambda rank: 0.4 + 0.6 * rank, lambda rank: 0.6 * (1 - rank)),
    "too sure": (lambda rank: 0.4 + 0.6 * rank, lambda rank: 0.9 * (1 - rank)),
    "level": (lambda rank: 0.4 + 0.6 * rank, lambda rank: np.where(rank < 0.5, 0.6, 0.085)),
    "surest wrong": (
        lambda rank: 1 - 0.3 * (1 - rank) ** 2,
        lambda rank: np.where(rank < 0.5, 0.5, np.where(rank < 0.95, 0.04, 0.35)),
    ),
}
"""From how sure the device is, as a rank from 0 to 1: p_correct, and the chance to be wrong."""


def counts(name: str, draws: int) -> tuple[int, int, list[int]]:
    """Return how many calibrations promised something, how many falsely, and how many falsely of the surest alone."""
    estimate, risk = WORLDS[name]
    behind = np.cumsum(risk(EVERY)[::-1])[::-1] / np.arange(len(EVERY), 0, -1)  # mean risk from each rank on
    made, false, of_surest = 0, 0, [0] * len(SUREST)
    for seed in range(draws):
        random = np.random.default_rng(seed)
        rank = random.random(QUESTIONS)
        wrong = (random.random(QUESTIONS) < risk(rank)).astype(np.float64)
        found = certify_selective(estimate(rank), wrong, epsilon=EPSILON, delta=DELTA)
        if not found.feasible:
            continue
        least = min(float(np.searchsorted(estimate(EVERY), found.threshold)) / (len(EVERY) - 1), 1.0)
        made, false = made + 1, false + (_mean(behind, least) > EPSILON)
        for number, share in enumerate(SUREST):
            of_surest[number] += _mean(behind, max(least, 1 - share)) > EPSILON
    return made, false, of_surest


def _mean(behind: Ranks, least: float) -> float:
    return float(behind[round(least * (len(EVERY) - 1))])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000, help="calibrations of each kind")
    draws = parser.parse_args().draws
    print(
        f"| {draws} calibrations | promised | false | {' | '.join(f'of the surest {share:.0%}' for share in SUREST)} |"
    )
    print(f"| --- | {' | '.join(['---'] * (2 + len(SUREST)))} |")
    for name in WORLDS:
        made, false, of_surest = counts(name, draws)
        print(f"| {name} | {made} | {false} | {' | '.join(map(str, of_surest))} |")


if __name__ == "__main__":
    main()
