"""Which model for which module: the published search against its literal definition, and where it must arrive."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from edgecascade.compound.allocation import (
    AGGREGATES,
    Aggregate,
    Allocation,
    Worth,
    ascend,
    best_of,
    by_mean,
    by_vote,
    drawn,
    every,
    settled,
    uniform,
)
from edgecascade.errors import BudgetError, ConfigError

CYCLE: dict[Allocation, Sequence[int]] = {
    (0, 0): (0, 3, 2, 1),
    (1, 0): (1, 0, 3, 2),
    (1, 1): (2, 1, 0, 3),
    (0, 1): (3, 2, 1, 0),
}
"""What four questions are worth under four allocations: three of them prefer each to the one before, all round."""


def from_table(table: np.ndarray) -> Worth:
    """Worth read off an array (K, ..., K, n)."""
    return lambda allocations: np.stack([table[allocation] for allocation in allocations])


def literal(
    table: np.ndarray, blames: np.ndarray, start: Allocation, aggregate: Aggregate, alpha: float, budget: int
) -> list[Allocation]:
    """The algorithm as it is published, by dictionaries and lists; ties as ours: the incumbent, then the first."""
    models, questions = table.shape[0], table.shape[-1]
    f, i, c = list(start), 0, 0
    trace = [tuple(f)]
    while c <= budget - (models - 1) and not settled(trace):
        m = i % len(f)
        candidates = [(*f[:m], a, *f[m + 1 :]) for a in range(models)]
        ties: dict[int, list[Allocation]] = {}
        means = dict.fromkeys(candidates, 0.0)
        for z in range(questions):
            scores = {g: table[g][z] + alpha * (1 - blames[(m, *g)][z]) for g in candidates}
            ties[z] = [g for g in candidates if scores[g] == max(scores.values())]
            means = {g: means[g] + scores[g] for g in candidates}
        votes = Counter(g for tied in ties.values() for g in tied)
        counted = votes if aggregate == "vote" else means
        most = max(counted[g] for g in candidates)
        best = [g for g in candidates if counted[g] > most - 1e-9]
        f = f if tuple(f) in best else list(best[0])
        trace.append(tuple(f))
        c, i = c + models - 1, i + 1
    return trace


def within(worth: Worth, models: int, budget: int) -> Worth:
    """The paper's budget B: each step of K candidates counts K - 1."""
    spent = [0]

    def held(allocations: Sequence[Allocation]) -> np.ndarray:
        if spent[0] > budget - (models - 1):
            raise BudgetError("spent")
        spent[0] += models - 1
        return worth(allocations)

    return held


def test_the_short_form_is_the_published_one() -> None:
    """On 200 seeded cases, with graded values, a diagnoser and a budget, both take the same path."""
    for seed in range(200):
        random = np.random.default_rng(seed)
        modules, models, questions = (int(random.integers(1, most)) for most in (5, 5, 8))
        table = random.integers(0, 4, (models,) * modules + (questions,)) / 3
        blames = random.choice([0.0, 0.5, 1.0], (modules, *table.shape))
        alpha, budget = float(random.choice([0.0, 0.25])), int(random.integers(models, 60))
        start, aggregate = drawn(modules, models, seed), AGGREGATES[seed % 2]
        blame = lambda fs, m, blames=blames: np.stack([blames[(m, *f)] for f in fs])  # noqa: E731

        found = ascend(
            within(from_table(table), models, budget), models, start, aggregate=aggregate, blame=blame, alpha=alpha
        )

        wanted = literal(table, blames, start, aggregate, alpha, budget)
        assert found.trace == tuple(wanted[: len(found.trace)])
        assert found.ended == "cycle" or len(wanted) == len(found.trace)
        assert found.worth == pytest.approx(max(table[f].mean() for f in found.known))


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_monotone_tasks_are_solved(aggregate: Aggregate) -> None:
    """Where a better module never makes the whole worse, the ascent finds what exhaustive search finds, in KL steps."""
    for seed in range(60):
        random = np.random.default_rng(seed)
        modules, models = int(random.integers(1, 5)), int(random.integers(1, 6))
        skill, ease = random.uniform(0.1, 1, (modules, models)), random.uniform(0.5, 1, 9)
        worth = lambda fs, skill=skill, ease=ease: np.stack(  # noqa: E731
            [ease * np.prod([skill[m, a] for m, a in enumerate(f)]) for f in fs]
        )

        found = ascend(worth, models, drawn(modules, models, seed), aggregate=aggregate)

        assert found.allocation == tuple(skill.argmax(axis=1)) == best_of(worth, every(modules, models)).allocation
        assert found.ended == "settled" and len(found.trace) <= 2 * modules + 1


def test_right_or_wrong_answers_make_vote_and_mean_one() -> None:
    """With values of 0 and 1 a candidate is named once for each right answer, and for each question that all fail."""
    random = np.random.default_rng(0)
    for _ in range(200):
        worths = random.integers(0, 2, (4, 9)).astype(float)

        assert by_vote(worths, 2) == by_mean(worths, 2)


def test_a_vote_may_do_worse_and_the_best_so_far_is_kept() -> None:
    """Two questions gain a little, one loses much: the vote moves, its mean falls, and the result is the start."""
    table = np.array([[0.5, 0.5, 1.0], [0.6, 0.6, 0.0]])

    voted, meant = (ascend(from_table(table), 2, (0,), aggregate=one) for one in ("vote", "mean"))

    assert voted.trace[-1] == (1,) and meant.trace[-1] == (0,)
    assert voted.known[1,] < voted.worth == pytest.approx(2 / 3)
    assert voted.allocation == meant.allocation == (0,)


def test_a_cycle_of_votes_ends() -> None:
    """Where every change has a majority and four of them lead back, the search stops, with the best it saw."""
    found = ascend(lambda fs: np.array([CYCLE[f] for f in fs], np.float64), 2, (0, 0), aggregate="vote")

    assert found.ended == "cycle"
    assert set(found.known) == set(CYCLE)


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_permuting_models_permutes_the_answer(aggregate: Aggregate) -> None:
    """The order in which models are named decides nothing, where no two candidates are equal."""
    for seed in range(30):
        random = np.random.default_rng(seed)
        questions = 25 if aggregate == "mean" else 1  # votes of several are often equal
        table, order = random.random((4, 4, 4, questions)), random.permutation(4)
        permuted, place = table[np.ix_(order, order, order)], np.argsort(order)
        start = drawn(3, 4, seed)

        found = ascend(from_table(table), 4, start, aggregate=aggregate)
        other = ascend(from_table(permuted), 4, tuple(int(place[a]) for a in start), aggregate=aggregate)

        assert tuple(int(order[a]) for a in other.allocation) == found.allocation


@pytest.mark.parametrize(("modules", "models"), [(1, 1), (3, 1), (1, 3)])
def test_the_smallest_cases(modules: int, models: int) -> None:
    """One model, one module, one question: the best is found, and nothing is asked for twice."""
    table = np.random.default_rng(1).random((models,) * modules + (1,))

    found = ascend(from_table(table), models, (0,) * modules)

    assert found.worth == table.max()
    assert len(found.known) == models if modules == 1 else found.known.keys() == {(0,) * modules}


def test_what_the_diagnoser_says_decides_between_equals() -> None:
    """Where two models answer alike, alpha takes the one that is not to blame; without alpha nobody is asked."""
    blame = lambda fs, m: np.array([[float(f[m] == 0)] for f in fs])  # noqa: E731
    worth = from_table(np.ones((2, 2, 1)))

    told = ascend(worth, 2, (0, 0), blame=blame, alpha=0.1)
    silent = ascend(worth, 2, (0, 0), blame=blame)

    assert told.trace[-1] == (1, 1)
    assert silent.trace[-1] == (0, 0)


def test_a_budget_that_ends_keeps_what_is_known() -> None:
    """With calls for one step the best of that step is the result; with none, the best of what was known before."""
    table = np.random.default_rng(2).random((3, 3, 5))

    found = ascend(within(from_table(table), 3, 2), 3, (0, 0))

    assert found.ended == "budget" and len(found.trace) == 2
    assert found.worth == pytest.approx(max(table[a, 0].mean() for a in range(3)))
    with pytest.raises(BudgetError):
        ascend(within(from_table(table), 3, 0), 3, (0, 0))
    assert ascend(within(from_table(table), 3, 0), 3, (0, 0), known={(1, 1): 0.5}).allocation == (1, 1)


def test_of_equals_the_earliest_is_the_best() -> None:
    """What differs by rounding only, as sums in another order do, is equal."""
    means = np.array([[0.3, 0.3], [0.1 + 0.2, 0.3], [0.3, 0.3]])

    assert best_of(lambda fs: means, [(2,), (1,), (0,)]).allocation == (2,)


def test_where_a_search_begins() -> None:
    """A random start is the same for a seed; one model everywhere is one allocation a model; none at all is refused."""
    assert drawn(4, 3, 7) == drawn(4, 3, 7)
    assert uniform(2, 3) == [(0, 0), (1, 1), (2, 2)]
    assert len(every(2, 3)) == 9
    with pytest.raises(ConfigError, match="name modules and models"):
        best_of(from_table(np.ones((1, 1))), [])
